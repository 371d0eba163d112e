//! The state at one block, unchanged by what is appended or unwound meanwhile.

use alloy_eips::BlockNumHash;
use alloy_primitives::{Address, B256, U256};
use openledger_trie::{AccountProof, TrieAccount};
use revm::{DatabaseRef, bytecode::Bytecode, state::AccountInfo};

use crate::{Result, StorageError};

/// The state after one block. Cheap to clone; keep it no longer than needed, for it holds back the
/// database's clean-up.
#[derive(Debug, Clone)]
pub struct StateView {
    block: BlockNumHash,
    state_root: B256,
}

impl StateView {
    /// The block after which this is the state.
    pub const fn block(&self) -> BlockNumHash {
        self.block
    }

    /// The state root, as the block's header has it.
    pub const fn state_root(&self) -> B256 {
        self.state_root
    }

    /// The account as the trie has it; `None` where there is none.
    pub fn account(&self, _address: Address) -> Result<Option<TrieAccount>> {
        Err(StorageError::corrupt("account", "not implemented"))
    }

    /// The account and the slots asked for, with the proof of each (EIP-1186).
    pub fn proof(&self, _address: Address, _slots: &[B256]) -> Result<AccountProof> {
        Err(StorageError::corrupt("proof", "not implemented"))
    }
}

impl DatabaseRef for StateView {
    type Error = StorageError;

    fn basic_ref(&self, _address: Address) -> Result<Option<AccountInfo>> {
        Err(StorageError::corrupt("account", "not implemented"))
    }

    fn code_by_hash_ref(&self, _code_hash: B256) -> Result<Bytecode> {
        Err(StorageError::corrupt("code", "not implemented"))
    }

    fn storage_ref(&self, _address: Address, _index: U256) -> Result<U256> {
        Err(StorageError::corrupt("slot", "not implemented"))
    }

    fn block_hash_ref(&self, _number: u64) -> Result<B256> {
        Err(StorageError::corrupt("hash", "not implemented"))
    }
}
