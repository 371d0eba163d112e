//! L1: an anvil process.

use std::{
    ffi::OsString,
    net::TcpListener,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use alloy_provider::Provider;

use crate::{
    DevnetError,
    accounts::{L1_FUNDED_ACCOUNTS, MNEMONIC},
    child::{ChildCommand, ChildProcess},
    wallet::connect,
};

/// Chain id of the devnet's L1.
pub const L1_CHAIN_ID: u64 = 900;

const READY_TIMEOUT: Duration = Duration::from_secs(60);
const STOP_GRACE: Duration = Duration::from_secs(5);

/// How to run L1.
#[derive(Debug, Clone)]
pub struct AnvilOptions {
    /// The anvil program.
    pub binary: PathBuf,
    /// Port on 127.0.0.1; a free one where it is left out.
    pub port: Option<u16>,
    /// Seconds between two blocks.
    pub block_time_seconds: u64,
    /// Blocks after which a block is safe; twice as many make it final.
    pub slots_in_an_epoch: u64,
    /// Where its output goes.
    pub log: PathBuf,
}

impl AnvilOptions {
    /// The devnet's choice: a block every two seconds, final after eight.
    pub fn new(contracts_dir: &Path, log: PathBuf) -> Self {
        let binary = contracts_dir.join("node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil");
        Self { binary, port: None, block_time_seconds: 2, slots_in_an_epoch: 2, log }
    }

    /// The command line.
    pub fn args(&self, port: u16) -> Vec<OsString> {
        let numbers = [
            ("--port", u64::from(port)),
            ("--chain-id", L1_CHAIN_ID),
            ("--block-time", self.block_time_seconds),
            ("--slots-in-an-epoch", self.slots_in_an_epoch),
            ("--gas-limit", 60_000_000),
            ("--accounts", u64::from(L1_FUNDED_ACCOUNTS)),
            ("--balance", 1_000_000),
        ];
        let words = [("--host", "127.0.0.1"), ("--hardfork", "osaka"), ("--mnemonic", MNEMONIC)];
        numbers
            .into_iter()
            .map(|(flag, value)| [flag.into(), value.to_string().into()])
            .chain(words.into_iter().map(|(flag, value)| [flag.into(), value.into()]))
            .flatten()
            .collect()
    }
}

/// A running L1; dropping it kills it.
#[derive(Debug)]
pub struct Anvil {
    child: ChildProcess,
    port: u16,
}

impl Anvil {
    /// Starts anvil and waits until it answers.
    pub async fn start(options: &AnvilOptions) -> Result<Self, DevnetError> {
        if !options.binary.exists() {
            return Err(DevnetError::Missing {
                what: "anvil".to_owned(),
                path: options.binary.clone(),
                hint: "run `make setup`",
            });
        }
        let port = match options.port {
            Some(port) => port,
            None => free_port()?,
        };
        let child = ChildProcess::spawn(ChildCommand {
            name: "l1",
            program: &options.binary,
            args: &options.args(port),
            log: &options.log,
            on_parent_death: "KILL",
        })?;
        let mut anvil = Self { child, port };
        anvil.wait_until_ready().await?;
        Ok(anvil)
    }

    async fn wait_until_ready(&mut self) -> Result<(), DevnetError> {
        let url = self.http_url();
        let provider = connect(&url)?;
        let deadline = Instant::now() + READY_TIMEOUT;
        loop {
            self.child.ensure_running()?;
            match provider.get_chain_id().await {
                Ok(L1_CHAIN_ID) => return Ok(()),
                Ok(other) => {
                    return Err(DevnetError::Rpc {
                        what: format!("starting L1 on port {}", self.port),
                        reason: format!("another chain ({other}) answers there: choose another port"),
                    });
                }
                Err(_) if Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Err(_) => {
                    return Err(DevnetError::Timeout {
                        what: format!("L1 at {url}"),
                        seconds: READY_TIMEOUT.as_secs(),
                    });
                }
            }
        }
    }

    /// The JSON-RPC endpoint, which serves blobs too (`/eth/v1/beacon/…`).
    pub fn http_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The WebSocket endpoint.
    pub fn ws_url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.port)
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Fails once the process has ended: its chain is lost then.
    pub fn ensure_running(&mut self) -> Result<(), DevnetError> {
        self.child.ensure_running()
    }

    /// Stops the process; its chain is gone with it.
    pub async fn stop(self) {
        self.child.terminate(STOP_GRACE).await;
    }
}

/// A port on which nothing listens just now.
pub(crate) fn free_port() -> Result<u16, DevnetError> {
    let listener = TcpListener::bind(("127.0.0.1", 0));
    listener
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(DevnetError::io("127.0.0.1:0"))
}
