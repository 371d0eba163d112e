//! The chain on disk: open it, read it, append to it, unwind it.

use std::{path::Path, sync::Arc};

use alloy_consensus::Header;
use alloy_eips::BlockNumHash;
use alloy_primitives::{Address, B256};
use op_alloy_consensus::OpReceiptEnvelope;
use openledger_chainspec::ChainSpec;
use revm::database::BundleState;

use crate::{Block, Heads, NewBlock, StateUpdate, StateView, StorageError};

/// Result of a database call.
pub type Result<T, E = StorageError> = std::result::Result<T, E>;

/// What [`Database::check`] went through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckReport {
    /// The head, against whose header the state was checked.
    pub head: BlockNumHash,
    /// The state root, recomputed.
    pub state_root: B256,
    /// Accounts read.
    pub accounts: u64,
    /// Storage slots read.
    pub slots: u64,
}

/// A chain on disk. Cheap to clone; reads take no lock and are never torn by a write.
#[derive(Debug, Clone)]
pub struct Database {
    spec: Arc<ChainSpec>,
}

fn todo<T>() -> Result<T> {
    Err(StorageError::corrupt("database", "not implemented"))
}

impl Database {
    /// Opens the chain in the folder `path`, writing genesis where it is empty.
    pub fn open(_path: &Path, _spec: Arc<ChainSpec>) -> Result<Self> {
        todo()
    }

    /// The chain's specification.
    pub const fn spec(&self) -> &Arc<ChainSpec> {
        &self.spec
    }

    /// The heads. Safe and finalized start at genesis.
    pub fn heads(&self) -> Heads {
        let genesis = BlockNumHash::new(0, self.spec.genesis_hash());
        Heads { latest: genesis, safe: genesis, finalized: genesis }
    }

    /// The header of block `number`.
    pub fn header_by_number(&self, _number: u64) -> Result<Option<Header>> {
        todo()
    }

    /// The header with this hash.
    pub fn header_by_hash(&self, _hash: B256) -> Result<Option<Header>> {
        todo()
    }

    /// Block `number`.
    pub fn block_by_number(&self, _number: u64) -> Result<Option<Block>> {
        todo()
    }

    /// The block with this hash.
    pub fn block_by_hash(&self, _hash: B256) -> Result<Option<Block>> {
        todo()
    }

    /// The hash of block `number`.
    pub fn hash_of(&self, _number: u64) -> Result<Option<B256>> {
        todo()
    }

    /// The number of the block with this hash.
    pub fn number_of(&self, _hash: B256) -> Result<Option<u64>> {
        todo()
    }

    /// The sender of each transaction of block `number`, in order.
    pub fn senders_of(&self, _number: u64) -> Result<Option<Vec<Address>>> {
        todo()
    }

    /// The receipt of each transaction of block `number`, in order.
    pub fn receipts_of(&self, _number: u64) -> Result<Option<Vec<OpReceiptEnvelope>>> {
        todo()
    }

    /// Where a transaction is: block number and index in the block.
    pub fn transaction_position(&self, _tx_hash: B256) -> Result<Option<(u64, u32)>> {
        todo()
    }

    /// The state after the latest block.
    pub fn state(&self) -> Result<StateView> {
        todo()
    }

    /// The state after block `number`.
    pub fn state_at(&self, _number: u64) -> Result<StateView> {
        todo()
    }

    /// Computes the state that `changes` leave on top of block `parent`, which must be the head.
    /// Writes nothing.
    pub fn prepare(&self, _parent: B256, _changes: &BundleState) -> Result<StateUpdate> {
        todo()
    }

    /// Stores a block on top of the head, all or nothing, and durably: when this returns, it
    /// survives power loss.
    pub fn append(&self, _block: NewBlock) -> Result<()> {
        todo()
    }

    /// Takes back the blocks after `number` and returns them, oldest first.
    pub fn unwind_to(&self, _number: u64) -> Result<Vec<Block>> {
        todo()
    }

    /// Moves the safe head.
    pub fn set_safe(&self, _block: BlockNumHash) -> Result<()> {
        todo()
    }

    /// Moves the finalized head.
    pub fn set_finalized(&self, _block: BlockNumHash) -> Result<()> {
        todo()
    }

    /// Recomputes every root from the flat state and compares the result to the head's header.
    pub fn check(&self) -> Result<CheckReport> {
        todo()
    }
}
