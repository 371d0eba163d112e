//! A state in memory, for tests of whatever builds on the precompiles.

use super::{Backend, Loaded, Result};
use alloy_primitives::{Address, Log, U256};
use openledger_abi::{ATTRIBUTION, DATANETS, PAYOUTS};
use revm::interpreter::SStoreResult;
use std::collections::{BTreeMap, BTreeSet};

/// A state in memory. It undoes nothing: a caller clones it and keeps the clone when a call fails.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryBackend {
    /// Storage; zeros are left out.
    pub storage: BTreeMap<(Address, U256), U256>,
    /// Storage at the transaction's start.
    pub original: BTreeMap<(Address, U256), U256>,
    /// Slots accessed in this transaction.
    pub warm: BTreeSet<(Address, U256)>,
    /// Accounts accessed in this transaction; at its start the precompiles, its sender and its receiver are.
    pub warm_accounts: BTreeSet<Address>,
    /// Accounts with code or a nonce, which are not empty even without wei.
    pub occupied: BTreeSet<Address>,
    /// Wei.
    pub balances: BTreeMap<Address, U256>,
    /// Logs of this transaction.
    pub logs: Vec<Log>,
    /// Block number.
    pub number: u64,
    /// Timestamp in seconds.
    pub time: u64,
    /// Chain identifier.
    pub chain: u64,
}

impl MemoryBackend {
    /// Starts a new transaction: everything but the precompiles is cold again, and the logs are gone.
    pub fn begin(&mut self) {
        self.original = self.storage.clone();
        self.warm.clear();
        self.warm_accounts = [DATANETS, ATTRIBUTION, PAYOUTS].into();
        self.logs.clear();
    }

    fn value(&self, key: &(Address, U256)) -> U256 {
        self.storage.get(key).copied().unwrap_or_default()
    }
}

impl Backend for MemoryBackend {
    fn sload(&mut self, account: Address, slot: U256, skip_cold: bool) -> Result<Option<Loaded<U256>>> {
        let key = (account, slot);
        if skip_cold && !self.warm.contains(&key) {
            return Ok(None);
        }
        let is_cold = self.warm.insert(key);
        Ok(Some(Loaded { value: self.value(&key), is_cold }))
    }

    fn sstore(
        &mut self,
        account: Address,
        slot: U256,
        value: U256,
        skip_cold: bool,
    ) -> Result<Option<Loaded<SStoreResult>>> {
        let Some(present) = self.sload(account, slot, skip_cold)? else { return Ok(None) };
        let key = (account, slot);
        if value.is_zero() {
            self.storage.remove(&key);
        } else {
            self.storage.insert(key, value);
        }
        let original_value = self.original.get(&key).copied().unwrap_or_default();
        let result = SStoreResult { original_value, present_value: present.value, new_value: value };
        Ok(Some(Loaded { value: result, is_cold: present.is_cold }))
    }

    fn is_empty(&mut self, account: Address, skip_cold: bool) -> Result<Option<Loaded<bool>>> {
        if skip_cold && !self.warm_accounts.contains(&account) {
            return Ok(None);
        }
        let is_cold = self.warm_accounts.insert(account);
        let has_wei = self.balances.get(&account).is_some_and(|wei| !wei.is_zero());
        let precompile = [DATANETS, ATTRIBUTION, PAYOUTS].contains(&account);
        let empty = !has_wei && !precompile && !self.occupied.contains(&account);
        Ok(Some(Loaded { value: empty, is_cold }))
    }

    fn balance(&mut self, account: Address) -> Result<U256> {
        Ok(self.balances.get(&account).copied().unwrap_or_default())
    }

    fn transfer(&mut self, from: Address, to: Address, wei: U256) -> Result<bool> {
        let Some(left) = self.balance(from)?.checked_sub(wei) else { return Ok(false) };
        if from != to {
            let Some(sum) = self.balance(to)?.checked_add(wei) else { return Ok(false) };
            self.balances.insert(from, left);
            self.balances.insert(to, sum);
        }
        Ok(true)
    }

    fn log(&mut self, log: Log) {
        self.logs.push(log);
    }

    fn block_number(&self) -> u64 {
        self.number
    }

    fn timestamp(&self) -> u64 {
        self.time
    }

    fn chain_id(&self) -> u64 {
        self.chain
    }
}
