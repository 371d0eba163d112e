//! The sidecar: keeps rows, trains adapters, answers paid requests and says which rows shaped the answers.

mod lds;
mod scores;

use alloy_primitives::utils::parse_ether;
use alloy_signer_local::PrivateKeySigner;
use clap::{Parser, Subcommand, ValueEnum};
use eyre::{Context, Result, bail, eyre};
use openledger_attributor::{Attributor, AttributorConfig};
use openledger_model::Device;
use std::{fs, io::IsTerminal, net::SocketAddr, path::PathBuf, process::ExitCode};
use tracing_subscriber::EnvFilter;

/// OpenLedger's attributor.
#[derive(Debug, Parser)]
#[command(name = "attributor", version, after_help = OFFLINE_HELP)]
struct Arguments {
    /// Folder of the journal, rows, adapters and gradients.
    #[arg(long)]
    datadir: PathBuf,
    /// HTTP endpoint of an L2 node.
    #[arg(long = "l2.rpc", value_name = "URL")]
    l2_rpc: String,
    /// Address to serve on.
    #[arg(long = "http.addr", default_value = "127.0.0.1")]
    http_addr: std::net::IpAddr,
    /// Port to serve on.
    #[arg(long = "http.port", default_value_t = 8600)]
    http_port: u16,
    /// File with the hex private key of the account that attests.
    #[arg(long, value_name = "FILE")]
    private_key_file: PathBuf,
    /// The base model, a GGUF file.
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// Where tensors live.
    #[arg(long, value_enum, default_value_t = Processor::Auto)]
    device: Processor,
    /// CPU threads of libtorch; one gives the same bits on every run of one machine.
    #[arg(long, default_value_t = 2)]
    threads: u32,
    /// Bond to keep at stake, in OPEN.
    #[arg(long, default_value = "10")]
    bond: String,
    /// Most tokens of an answer.
    #[arg(long, default_value_t = 48)]
    max_answer_tokens: usize,
}

const OFFLINE_HELP: &str =
    "Commands that need no network: `attributor scores --help`, `attributor lds --help`";

/// Attribution judged by retraining.
#[derive(Debug, Parser)]
#[command(name = "attributor", version)]
struct Offline {
    #[command(subcommand)]
    command: OfflineCommand,
}

#[derive(Debug, Subcommand)]
enum OfflineCommand {
    Scores(scores::ScoresArguments),
    Lds(lds::LdsArguments),
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Processor {
    /// CUDA where there is one, else the CPU.
    Auto,
    /// The CPU.
    Cpu,
    /// The first CUDA device.
    Cuda,
}

impl Processor {
    fn device(self) -> Result<Device> {
        match self {
            Self::Cpu => Ok(Device::Cpu),
            Self::Auto => Ok(Device::cuda_if_available()),
            Self::Cuda if tch::Cuda::is_available() => Ok(Device::Cuda(0)),
            Self::Cuda => bail!("--device cuda: libtorch sees no CUDA device"),
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let offline = std::env::args_os().nth(1).is_some_and(|first| first == "scores" || first == "lds");
    let outcome = match offline.then(Offline::parse) {
        Some(Offline { command: OfflineCommand::Scores(scores) }) => scores.run(),
        Some(Offline { command: OfflineCommand::Lds(lds) }) => lds.run(),
        None => run(Arguments::parse()).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info")))
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    let key = fs::read_to_string(&arguments.private_key_file)
        .wrap_err_with(|| format!("--private-key-file {}", arguments.private_key_file.display()))?;
    let signer: PrivateKeySigner = key.trim().parse().map_err(|_| {
        eyre!("--private-key-file {}: not a hex private key", arguments.private_key_file.display())
    })?;
    let config = AttributorConfig {
        datadir: arguments.datadir,
        l2_rpc: arguments.l2_rpc,
        listen: SocketAddr::new(arguments.http_addr, arguments.http_port),
        signer,
        model: arguments.model,
        device: arguments.device.device()?,
        threads: arguments.threads,
        bond_wei: parse_ether(&arguments.bond).wrap_err("--bond")?,
        max_answer_tokens: arguments.max_answer_tokens,
    };
    let running = Attributor::start(config).await?;
    tokio::select! {
        ended = running.wait() => ended?,
        () = stop_signal() => tracing::info!("stopping"),
    }
    Ok(())
}

async fn stop_signal() {
    let mut terminate = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(_) => return std::future::pending().await,
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
