//! A block as it is handed over to be stored.

use alloy_primitives::{Address, B256};
use alloy_rlp::Encodable;
pub use openledger_primitives::Block;
use openledger_primitives::OpenReceipt;

use crate::StateUpdate;

/// An executed block and everything that is stored with it.
#[derive(Debug, Clone)]
pub struct NewBlock {
    /// The block itself.
    pub block: Block,
    /// The hash of its header.
    pub hash: B256,
    /// The sender of each transaction, in order.
    pub senders: Vec<Address>,
    /// The receipt of each transaction, in order.
    pub receipts: Vec<OpenReceipt>,
    /// The state it leaves, from [`StateView::update`](crate::StateView::update).
    pub update: StateUpdate,
}

impl NewBlock {
    /// About how many bytes of memory the block takes.
    pub fn size_bytes(&self) -> usize {
        /// A transaction or receipt beside what it encodes to.
        const ENTRY_BYTES: usize = 400;
        let logs = self.receipts.iter().flat_map(|receipt| receipt.logs());
        let log_bytes: usize = logs.map(|log| log.data.data.len() + log.topics().len() * 32 + 64).sum();
        let entries = self.senders.len() * ENTRY_BYTES;
        self.block.body.length() + log_bytes + entries + self.update.size_bytes()
    }
}
