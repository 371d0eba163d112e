//! Endpoints and keys as flags give them.

use alloy_provider::{DynProvider, Provider, ProviderBuilder};
use alloy_signer_local::PrivateKeySigner;
use clap::Args;
use eyre::{Context, Result, eyre};
use openledger_tx_manager::{TxManager, TxManagerConfig};
use std::{fs, path::PathBuf, time::Duration};
use tokio::time::sleep;
use tracing::warn;
use url::Url;

const RETRY: Duration = Duration::from_secs(2);

/// What every role that posts to L1 needs.
#[derive(Debug, Args)]
pub(crate) struct PosterArguments {
    /// JSON-RPC endpoint of an L1 node.
    #[arg(long = "l1.rpc", value_name = "URL")]
    pub(crate) l1_rpc: Url,
    /// JSON-RPC endpoint of the sequencer.
    #[arg(long = "l2.rpc", value_name = "URL")]
    pub(crate) l2_rpc: Url,
    /// File with the hex private key of the account that posts.
    #[arg(long, value_name = "FILE")]
    pub(crate) private_key_file: PathBuf,
    /// Seconds between two looks at L1 and L2.
    #[arg(long, default_value_t = 1)]
    pub(crate) poll_interval: u64,
    /// L1 blocks, the transaction's own included, after which it counts as mined.
    #[arg(long, default_value_t = 1)]
    pub(crate) num_confirmations: u64,
}

impl PosterArguments {
    pub(crate) fn poll_interval(&self) -> Duration {
        Duration::from_secs(self.poll_interval.max(1))
    }

    pub(crate) fn l1(&self) -> DynProvider {
        connect(&self.l1_rpc)
    }

    pub(crate) fn l2(&self) -> DynProvider {
        connect(&self.l2_rpc)
    }

    /// The account's transaction manager, once L1 answers.
    pub(crate) async fn transactions(&self) -> Result<TxManager> {
        let key = fs::read_to_string(&self.private_key_file)
            .wrap_err_with(|| format!("--private-key-file {}", self.private_key_file.display()))?;
        let signer: PrivateKeySigner = key.trim().parse().map_err(|_| {
            eyre!("--private-key-file {}: not a hex private key", self.private_key_file.display())
        })?;
        let config = TxManagerConfig { confirmations: self.num_confirmations.max(1), ..Default::default() };
        loop {
            match TxManager::new(self.l1(), signer.clone(), config.clone()).await {
                Ok(manager) => return Ok(manager),
                Err(error) => warn!(%error, endpoint = %self.l1_rpc, "L1 not reachable, retrying"),
            }
            sleep(RETRY).await;
        }
    }
}

fn connect(url: &Url) -> DynProvider {
    ProviderBuilder::default().connect_http(url.clone()).erased()
}
