//! Why the engine refused, and how to react.

use alloy_eips::BlockNumHash;
use alloy_primitives::B256;
use openledger_evm::{Differences, ExecutionError};
use openledger_storage::StorageError;
use thiserror::Error;

/// How a caller should react to an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handling {
    /// The same call may succeed later.
    Retry,
    /// The caller's view of the chain is not the engine's: look at the heads again, or drop the block.
    Reset,
    /// Nothing the caller can do helps: an operator must look.
    Stop,
}

/// Why the engine refused. The chain is as it was before the call.
#[derive(Debug, Error)]
pub enum EngineError {
    /// Blocks are built and inserted on the head only.
    #[error("parent {parent} is not the head {} (number {})", head.hash, head.number)]
    NotOnHead {
        /// The parent given.
        parent: B256,
        /// The current head.
        head: BlockNumHash,
    },
    /// The block or the payload attributes are invalid.
    #[error(transparent)]
    Invalid(ExecutionError),
    /// The block's hash is not the one that came with it.
    #[error("block {number} has hash {found}, but was announced as {expected}")]
    WrongHash {
        /// The block's number.
        number: u64,
        /// The hash announced.
        expected: B256,
        /// The hash of its header.
        found: B256,
    },
    /// A block that this engine built did not come out the same when executed again, and neither leaving out
    /// transactions of the pool helps nor reading all from disk.
    #[error(
        "block {} ({}), built here, did not reproduce: {differences}; it was not published. Keep the \
         bad-blocks folder for analysis; if trying again does not help, check this machine's memory, and \
         update the node", block.number, block.hash
    )]
    NotReproducible {
        /// The block.
        block: BlockNumHash,
        /// The fields that differ between the two executions.
        differences: Differences,
    },
    /// The block named is not on the chain.
    #[error("block {} ({}) is not on this chain", block.number, block.hash)]
    NotCanonical {
        /// The block named.
        block: BlockNumHash,
    },
    /// Safe or finalized is not on the branch of the head.
    #[error("{name} block {hash} is not an ancestor of the head {head}")]
    InvalidForkchoice {
        /// Which of the two.
        name: &'static str,
        /// The block named.
        hash: B256,
        /// The head it was named with.
        head: B256,
    },
    /// Finalized blocks are never taken back.
    #[error(
        "cannot go back to block {to}: block {} is finalized. If L1 itself went back, sync again \
         into an empty folder", finalized.number
    )]
    BelowFinalized {
        /// Where the chain was to go back to.
        to: u64,
        /// The finalized head.
        finalized: BlockNumHash,
    },
    /// The database refused.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A thread of the engine could not be started, or has failed.
    #[error("{0}")]
    Thread(String),
    /// The engine's thread has ended.
    #[error("the engine has stopped: see the log for its last error, then restart the node")]
    Stopped,
}

impl EngineError {
    /// How to react.
    pub const fn handling(&self) -> Handling {
        match self {
            // A fault of the machine may pass, and one of the node changes nothing while it is tried again.
            Self::NotReproducible { .. } => Handling::Retry,
            Self::NotOnHead { .. }
            | Self::WrongHash { .. }
            | Self::NotCanonical { .. }
            | Self::InvalidForkchoice { .. }
            | Self::Storage(
                StorageError::NotOnHead { .. }
                | StorageError::NoSuchBlock { .. }
                | StorageError::InvalidHead { .. },
            ) => Handling::Reset,
            Self::Invalid(error) if error.is_invalid_block() => Handling::Reset,
            Self::Invalid(_)
            | Self::BelowFinalized { .. }
            | Self::Storage(_)
            | Self::Thread(_)
            | Self::Stopped => Handling::Stop,
        }
    }
}

impl From<ExecutionError> for EngineError {
    fn from(error: ExecutionError) -> Self {
        Self::Invalid(error)
    }
}
