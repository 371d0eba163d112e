//! Why a block could not be executed or built.

use alloy_primitives::B256;
use thiserror::Error;

use crate::Differences;

/// Why a block could not be executed or built. Nothing has been changed by then.
#[derive(Debug, Error)]
pub enum ExecutionError {
    /// The chain has no `optimism` part in its genesis.
    #[error("blocks are built on OP chains only: add config.optimism to genesis.json")]
    NotOptimism,
    /// The header contradicts its parent, its body or what execution gives.
    #[error("block {number} is invalid: {differences}")]
    InvalidBlock {
        /// The block's number.
        number: u64,
        /// Every field found wrong.
        differences: Differences,
    },
    /// A transaction of the block, or one forced into a payload, cannot be executed.
    #[error("transaction {index} ({hash}) is invalid: {reason}")]
    InvalidTransaction {
        /// Its place in the block.
        index: usize,
        /// Its hash.
        hash: B256,
        /// What is wrong with it.
        reason: String,
    },
    /// The payload attributes contradict the parent or the active forks.
    #[error("payload attributes are invalid: {0}")]
    InvalidAttributes(String),
    /// The state could not be read, or the EVM failed for a reason that is not in the block.
    #[error("execution failed: {0}; check the disk and the database")]
    Internal(String),
}

impl ExecutionError {
    /// Whether the block itself is to blame: trying it again gives the same.
    pub const fn is_invalid_block(&self) -> bool {
        !matches!(self, Self::Internal(_) | Self::NotOptimism)
    }
}
