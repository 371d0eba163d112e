//! What the server is started with.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use openledger_chainspec::RollupConfig;
use openledger_storage::Database;
use openledger_txpool::TxPool;
use tokio::sync::Notify;

/// Where `eth_sendRawTransaction` goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Submission {
    /// Into this node's pool: it is the sequencer.
    Pool,
    /// To the sequencer's JSON-RPC URL.
    Forward(String),
    /// Nowhere: the caller is told to set `--rollup.sequencer-http`.
    Refuse,
}

/// The server's addresses and limits.
#[derive(Debug, Clone)]
pub struct RpcConfig {
    /// Where HTTP listens; `None` serves none. `--http.addr`, `--http.port`.
    pub http: Option<SocketAddr>,
    /// Where WebSocket listens; `None` serves none. `--ws.addr`, `--ws.port`.
    pub ws: Option<SocketAddr>,
    /// Origins that browsers may call from: `*` for any, empty for none. `--http.corsdomain`.
    pub cors_origins: Vec<String>,
    /// Bytes of a request, batches included.
    pub max_request_bytes: u32,
    /// Bytes of a response.
    pub max_response_bytes: u32,
    /// Requests in a batch.
    pub max_batch: u32,
    /// Connections, HTTP and WebSocket each.
    pub max_connections: u32,
    /// Subscriptions of one connection.
    pub max_subscriptions: u32,
    /// Installed filters.
    pub max_filters: usize,
    /// How long a filter that nobody polls is kept.
    pub filter_timeout: Duration,
    /// Logs in one answer.
    pub max_logs: usize,
    /// How long a log search may take.
    pub max_log_search: Duration,
    /// Gas of `eth_call`, `eth_estimateGas` and traces.
    pub call_gas_limit: u64,
    /// Where transactions go.
    pub submission: Submission,
    /// What `web3_clientVersion` and `openledger_version` answer.
    pub version: String,
}

impl Default for RpcConfig {
    fn default() -> Self {
        Self {
            http: Some(([127, 0, 0, 1], 8545).into()),
            ws: Some(([127, 0, 0, 1], 8546).into()),
            cors_origins: Vec::new(),
            max_request_bytes: 5 * 1024 * 1024,
            max_response_bytes: 64 * 1024 * 1024,
            max_batch: 1_000,
            max_connections: 500,
            max_subscriptions: 64,
            max_filters: 10_000,
            filter_timeout: Duration::from_secs(300),
            max_logs: 20_000,
            max_log_search: Duration::from_secs(10),
            call_gas_limit: 50_000_000,
            submission: Submission::Pool,
            version: concat!("openledger/v", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// The parts of the node that the server reads.
#[derive(Debug, Clone)]
pub struct RpcDeps {
    /// The chain.
    pub database: Database,
    /// The transaction pool.
    pub pool: TxPool,
    /// What `optimism_rollupConfig` answers.
    pub rollup: Option<RollupConfig>,
    /// Notified whenever the heads may have moved; without it they are looked at every 250 ms.
    pub head_moved: Arc<Notify>,
}
