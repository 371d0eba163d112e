//! A block that was built and not yet inserted.

use alloy_eips::BlockNumHash;
use alloy_primitives::{B256, TxHash, U256};
use openledger_evm::{Block, SkippedTransaction};

/// A sealed block that nobody but its builder knows yet.
#[derive(Debug, Clone)]
pub struct BuiltBlock {
    /// The block.
    pub block: Block,
    /// The hash of its header.
    pub hash: B256,
    /// Transactions in the block, deposits included, in order.
    pub included: Vec<TxHash>,
    /// Priority fees that the block pays to its fee recipient, in wei.
    pub fees_wei: U256,
    /// Transactions of the pool that were left out, and why.
    pub skipped: Vec<SkippedTransaction>,
}

impl BuiltBlock {
    /// The block's number and hash.
    pub const fn id(&self) -> BlockNumHash {
        BlockNumHash { number: self.block.header.number, hash: self.hash }
    }
}
