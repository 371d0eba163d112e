//! A built block that lacks only what the state's trie gives.

use alloy_consensus::{BlockBody, EMPTY_ROOT_HASH, Header};
use alloy_op_hardforks::OpHardforks;
use alloy_primitives::{Address, B256};
use openledger_chainspec::ChainSpec;
use openledger_primitives::OpenTxEnvelope;

use crate::{Block, ExecutedBlock, SkippedTransaction};

/// The roots of the state after a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateRoots {
    /// Root of the whole state.
    pub state: B256,
    /// Storage root of `L2ToL1MessagePasser`.
    pub message_passer: B256,
}

impl StateRoots {
    /// Where the messages to L1 are kept; its storage root is the header's `withdrawalsRoot`.
    pub const MESSAGE_PASSER: Address =
        alloy_primitives::address!("4200000000000000000000000000000000000016");

    /// The header's `withdrawalsRoot` in a block at `timestamp`.
    pub fn withdrawals_root(&self, spec: &ChainSpec, timestamp: u64) -> Option<B256> {
        if spec.is_isthmus_active_at_timestamp(timestamp) {
            Some(self.message_passer)
        } else {
            spec.is_canyon_active_at_timestamp(timestamp).then_some(EMPTY_ROOT_HASH)
        }
    }
}

/// A built block without its state roots.
#[derive(Debug, Clone)]
pub struct PendingBlock {
    /// The header; state and withdrawals root are not set yet.
    pub header: Header,
    /// The transactions, forced ones first.
    pub transactions: Vec<OpenTxEnvelope>,
    /// The sender of each.
    pub senders: Vec<Address>,
    /// What executing them gave.
    pub executed: ExecutedBlock,
    /// Transactions of the pool that were left out.
    pub skipped: Vec<SkippedTransaction>,
}

impl PendingBlock {
    /// Completes the block with the roots of the state that its changes leave.
    pub fn seal(self, spec: &ChainSpec, roots: StateRoots) -> Block {
        let mut header = self.header;
        header.state_root = roots.state;
        header.withdrawals_root = roots.withdrawals_root(spec, header.timestamp);
        let withdrawals = spec.is_canyon_active_at_timestamp(header.timestamp).then(Default::default);
        let body = BlockBody { transactions: self.transactions, ommers: Vec::new(), withdrawals };
        Block { header, body }
    }
}
