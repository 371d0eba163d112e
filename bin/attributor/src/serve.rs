//! The service.

use std::{
    fs,
    io::IsTerminal,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

use alloy_primitives::utils::parse_ether;
use alloy_signer_local::PrivateKeySigner;
use clap::Parser;
use eyre::{Context, Result, eyre};
use openledger_attributor::{Attributor, AttributorConfig};
use tracing_subscriber::EnvFilter;

use crate::processor::ProcessorArguments;

const TOOLS_HELP: &str = "Other commands, each with --help:\n  receipts: attributor verify, challenge, appeal, replay\n  \
     contributors: attributor preview\n  judges: attributor judge, judge-key, stake, appoint\n  without a network: attributor scores, lds, store, query, \
     evaluate, gaming, spans,\n  throughput";

/// OpenLedger's attributor.
#[derive(Debug, Parser)]
#[command(name = "attributor", version, after_help = TOOLS_HELP)]
pub(crate) struct ServeArguments {
    /// Folder of the journal, rows, adapters and gradients.
    #[arg(long)]
    datadir: PathBuf,
    /// HTTP endpoint of an L2 node.
    #[arg(long = "l2.rpc", value_name = "URL")]
    l2_rpc: String,
    /// Address to serve on.
    #[arg(long = "http.addr", default_value = "127.0.0.1")]
    http_addr: IpAddr,
    /// Port to serve on.
    #[arg(long = "http.port", default_value_t = 8600)]
    http_port: u16,
    /// Where judges find this service, if not at the address it serves on.
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// File with the hex private key of the account that attests.
    #[arg(long, value_name = "FILE")]
    private_key_file: PathBuf,
    /// The base model, a GGUF file.
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    #[command(flatten)]
    processor: ProcessorArguments,
    /// Bond to keep at stake, in OPEN.
    #[arg(long, default_value = "10")]
    bond: String,
    /// Most tokens of an answer.
    #[arg(long, default_value_t = 48)]
    max_answer_tokens: usize,
    /// Give models' adapters and sketches of past answers to anyone, for `attributor preview`.
    #[arg(long, env = "OPENLEDGER_PREVIEWS")]
    previews: bool,
}

impl ServeArguments {
    /// Serves until it is told to stop.
    pub(crate) async fn run(self) -> Result<()> {
        log_to_stderr();
        let config = AttributorConfig {
            datadir: self.datadir,
            l2_rpc: self.l2_rpc,
            listen: SocketAddr::new(self.http_addr, self.http_port),
            signer: signer(&self.private_key_file)?,
            model: self.model,
            device: self.processor.device()?,
            threads: self.processor.threads(),
            bond_wei: parse_ether(&self.bond).wrap_err("--bond")?,
            max_answer_tokens: self.max_answer_tokens,
            public_url: self.public_url,
            previews: self.previews,
        };
        let running = Attributor::start(config).await?;
        tokio::select! {
            ended = running.wait() => ended?,
            () = stop_signal() => tracing::info!("stopping"),
        }
        Ok(())
    }
}

/// Structured logs beside the output.
pub(crate) fn log_to_stderr() {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info")))
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
}

/// The key in a file.
pub(crate) fn signer(path: &Path) -> Result<PrivateKeySigner> {
    let named = || format!("--private-key-file {}", path.display());
    let key = fs::read_to_string(path).wrap_err_with(named)?;
    key.trim().parse().map_err(|_| eyre!("{}: not a hex private key", named()))
}

/// Waits for the signal to stop.
pub(crate) async fn stop_signal() {
    let mut terminate = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(_) => return std::future::pending().await,
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
