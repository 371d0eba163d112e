//! What the engine says of payloads and forkchoice updates.

use alloy_eips::BlockNumHash;
use alloy_primitives::B256;

/// What became of a payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PayloadStatus {
    /// It was executed on its parent, now or earlier, and all of it is right.
    Valid(BlockNumHash),
    /// Its parent is known and its header fits, but it extends no executed branch: it will be executed
    /// when it becomes the head.
    Accepted,
    /// Its parent is not known here.
    Syncing,
    /// It, or one of its ancestors, is wrong.
    Invalid {
        /// The newest valid block below it, where that is known.
        latest_valid: Option<B256>,
        /// What is wrong.
        reason: String,
    },
}

/// The three blocks that a driver wants as heads. A zero hash leaves safe or finalized where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forkchoice {
    /// The newest block of the chain.
    pub head: B256,
    /// The newest block derived from L1, an ancestor of the head or the head itself.
    pub safe: B256,
    /// The newest block derived from finalized L1 blocks, an ancestor of the safe one or the same.
    pub finalized: B256,
}

/// What became of a forkchoice update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForkchoiceStatus {
    /// The chain ends with this block now.
    Valid(BlockNumHash),
    /// The head is not known here, nothing has changed.
    Syncing,
    /// The branch of the head holds an invalid block, nothing has changed.
    Invalid {
        /// The newest valid block below it, where that is known.
        latest_valid: Option<B256>,
        /// What is wrong.
        reason: String,
    },
}
