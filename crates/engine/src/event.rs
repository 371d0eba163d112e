//! What the engine tells its subscribers.

use std::sync::Arc;

use alloy_eips::BlockNumHash;
use alloy_primitives::{Address, B256};
use openledger_evm::Block;
use openledger_primitives::OpenReceipt;

/// A block of the chain with what executing it gave.
#[derive(Debug, Clone)]
pub struct ChainBlock {
    /// The block.
    pub block: Block,
    /// The hash of its header.
    pub hash: B256,
    /// The sender of each transaction.
    pub senders: Vec<Address>,
    /// The receipt of each transaction.
    pub receipts: Vec<OpenReceipt>,
}

impl ChainBlock {
    /// The block's number and hash.
    pub const fn id(&self) -> BlockNumHash {
        BlockNumHash { number: self.block.header.number, hash: self.hash }
    }
}

/// A change of the chain, sent after it is durable and in the order in which changes happen.
#[derive(Debug, Clone)]
pub enum ChainEvent {
    /// A block was added to the head.
    NewBlock(Arc<ChainBlock>),
    /// Blocks were taken back.
    Unwound {
        /// The new head.
        to: BlockNumHash,
        /// The blocks taken back, oldest first; their transactions may go to the pool again.
        dropped: Arc<Vec<Block>>,
    },
    /// The safe head moved.
    Safe(BlockNumHash),
    /// The finalized head moved.
    Finalized(BlockNumHash),
}
