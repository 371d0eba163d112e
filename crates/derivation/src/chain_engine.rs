//! The engine as derivation sees it, and the real one behind that face.

use std::future::Future;

use alloy_consensus::Block;
use alloy_eips::BlockNumHash;
use alloy_primitives::B256;
use op_alloy_rpc_types_engine::OpPayloadAttributes;
use openledger_primitives::OpenTxEnvelope;

use crate::Reaction;

/// The heads of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainHeads {
    /// The newest block.
    pub unsafe_head: BlockNumHash,
    /// The newest block marked safe.
    pub safe: BlockNumHash,
    /// The newest block marked finalized.
    pub finalized: BlockNumHash,
}

/// What became of attributes.
#[derive(Debug)]
pub enum BuildOutcome {
    /// The block is on the chain and is its head.
    Inserted {
        /// Its hash.
        hash: B256,
        /// The block.
        block: Box<Block<OpenTxEnvelope>>,
    },
    /// A transaction is invalid; nothing changed.
    Invalid(String),
}

/// The engine failed.
#[derive(Debug, thiserror::Error)]
#[error("engine: {reason}")]
pub struct EngineFailure {
    /// What it says.
    pub reason: String,
    /// What to do.
    pub reaction: Reaction,
}

/// What derivation needs of an engine.
pub trait ChainEngine: Send + Sync {
    /// The heads.
    fn heads(&self) -> Result<ChainHeads, EngineFailure>;

    /// The block at `number`, with its hash.
    fn block(&self, number: u64) -> Result<Option<(B256, Block<OpenTxEnvelope>)>, EngineFailure>;

    /// Builds a block on the head `parent` from attributes alone and appends it.
    fn build_and_insert(
        &self,
        parent: B256,
        attributes: OpPayloadAttributes,
    ) -> impl Future<Output = Result<BuildOutcome, EngineFailure>> + Send;

    /// Takes back the blocks after `ancestor`.
    fn reorg_to(&self, ancestor: BlockNumHash) -> impl Future<Output = Result<(), EngineFailure>> + Send;

    /// Marks a block and those before it safe.
    fn set_safe(&self, block: BlockNumHash) -> impl Future<Output = Result<(), EngineFailure>> + Send;

    /// Marks a block and those before it finalized.
    fn set_finalized(&self, block: BlockNumHash) -> impl Future<Output = Result<(), EngineFailure>> + Send;
}
