//! What every method has at hand.

use std::sync::Arc;

use openledger_chainspec::{ChainSpec, RollupConfig};
use openledger_storage::Database;
use openledger_txpool::TxPool;

use crate::{HeadFeed, RpcConfig, filters::Filters};

/// The node as the methods see it.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) config: RpcConfig,
    pub(crate) database: Database,
    pub(crate) pool: TxPool,
    pub(crate) rollup: Option<RollupConfig>,
    pub(crate) feed: HeadFeed,
    pub(crate) filters: Filters,
    pub(crate) http: reqwest::Client,
}

impl Node {
    pub(crate) fn spec(&self) -> &Arc<ChainSpec> {
        self.database.spec()
    }
}
