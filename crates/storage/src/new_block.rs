//! A block as it is handed over to be stored.

use alloy_primitives::{Address, B256};
use op_alloy_consensus::{OpReceiptEnvelope, OpTxEnvelope};

use crate::StateUpdate;

/// An L2 block.
pub type Block = alloy_consensus::Block<OpTxEnvelope>;

/// An executed block and everything that is stored with it.
#[derive(Debug)]
pub struct NewBlock {
    /// The block itself.
    pub block: Block,
    /// The hash of its header.
    pub hash: B256,
    /// The sender of each transaction, in order.
    pub senders: Vec<Address>,
    /// The receipt of each transaction, in order.
    pub receipts: Vec<OpReceiptEnvelope>,
    /// The state it leaves, from [`Database::prepare`](crate::Database::prepare).
    pub update: StateUpdate,
}
