//! The state that an execution reads, written down while it does.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, Bytes, U256};
use openledger_storage::StorageError;
use parking_lot::Mutex;
use revm::{DatabaseRef, bytecode::Bytecode, primitives::KECCAK_EMPTY, state::AccountInfo};
use serde::{Deserialize, Serialize};

use crate::StateRead;

/// An account as it was read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WitnessAccount {
    /// False where there is no such account.
    pub exists: bool,
    /// Transactions sent.
    pub nonce: u64,
    /// In wei.
    pub balance: U256,
    /// Hash of its code.
    pub code_hash: B256,
    /// The slots that were read.
    pub storage: BTreeMap<U256, U256>,
}

/// All that an execution has read of the state: enough to repeat it elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecutionWitness {
    /// Accounts by address.
    pub accounts: BTreeMap<Address, WitnessAccount>,
    /// Code by hash.
    pub codes: BTreeMap<B256, Bytes>,
    /// Block hashes by number.
    pub block_hashes: BTreeMap<u64, B256>,
}

/// A state that writes down what is read of it.
#[derive(Debug)]
pub(crate) struct WitnessedState<'a> {
    state: &'a dyn StateRead,
    read: Mutex<ExecutionWitness>,
}

impl<'a> WitnessedState<'a> {
    pub(crate) fn new(state: &'a dyn StateRead) -> Self {
        Self { state, read: Mutex::default() }
    }

    pub(crate) fn into_witness(self) -> ExecutionWitness {
        self.read.into_inner()
    }
}

impl DatabaseRef for WitnessedState<'_> {
    type Error = StorageError;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, StorageError> {
        let info = self.state.basic_ref(address)?;
        let mut read = self.read.lock();
        let account = read.accounts.entry(address).or_default();
        if let Some(info) = &info {
            account.exists = true;
            account.nonce = info.nonce;
            account.balance = info.balance;
            account.code_hash = info.code_hash;
        }
        Ok(info)
    }

    fn code_by_hash_ref(&self, code_hash: B256) -> Result<Bytecode, StorageError> {
        let code = self.state.code_by_hash_ref(code_hash)?;
        self.read.lock().codes.insert(code_hash, code.original_bytes());
        Ok(code)
    }

    fn storage_ref(&self, address: Address, index: U256) -> Result<U256, StorageError> {
        let value = self.state.storage_ref(address, index)?;
        self.read.lock().accounts.entry(address).or_default().storage.insert(index, value);
        Ok(value)
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, StorageError> {
        let hash = self.state.block_hash_ref(number)?;
        self.read.lock().block_hashes.insert(number, hash);
        Ok(hash)
    }
}

impl DatabaseRef for ExecutionWitness {
    type Error = StorageError;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, StorageError> {
        let account = self.accounts.get(&address).filter(|account| account.exists);
        Ok(account
            .map(|account| AccountInfo {
                nonce: account.nonce,
                balance: account.balance,
                code_hash: account.code_hash,
                ..AccountInfo::default()
            })
            .map(|info| AccountInfo { code: None, ..info }))
    }

    fn code_by_hash_ref(&self, code_hash: B256) -> Result<Bytecode, StorageError> {
        if code_hash == KECCAK_EMPTY {
            return Ok(Bytecode::default());
        }
        Ok(Bytecode::new_raw(self.codes.get(&code_hash).cloned().unwrap_or_default()))
    }

    fn storage_ref(&self, address: Address, index: U256) -> Result<U256, StorageError> {
        let value = self.accounts.get(&address).and_then(|account| account.storage.get(&index));
        Ok(value.copied().unwrap_or_default())
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, StorageError> {
        Ok(self.block_hashes.get(&number).copied().unwrap_or_default())
    }
}
