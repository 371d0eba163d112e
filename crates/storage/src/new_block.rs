//! A block as it is handed over to be stored.

use alloy_primitives::{Address, B256};
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
