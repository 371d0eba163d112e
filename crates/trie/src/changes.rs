//! What a block changes in the state, by hashed key.

use std::collections::BTreeMap;

use alloy_primitives::{B256, U256};
use alloy_trie::KECCAK_EMPTY;

/// Changes of the state, to be made on top of the state of one block.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StateChanges {
    /// Accounts by hashed address; `None` removes the account and all its storage.
    pub accounts: BTreeMap<B256, Option<AccountChange>>,
    /// Storage by hashed address. Of an account that is removed it counts for nothing.
    pub storages: BTreeMap<B256, StorageChanges>,
}

/// What an account becomes. Its storage root follows from its slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountChange {
    /// Transactions sent, or contracts created.
    pub nonce: u64,
    /// In wei.
    pub balance: U256,
    /// Hash of the code; [`KECCAK_EMPTY`] without code.
    pub code_hash: B256,
    /// The storage root that the account *has* before these changes, where whoever executed knows that
    /// the account is there: saves reading the account again. `None` where it is new or not known.
    pub storage_root: Option<B256>,
}

/// What the storage of one account becomes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StorageChanges {
    /// Whether all slots set before are removed first.
    pub wiped: bool,
    /// Slots by hashed key; zero removes the slot.
    pub slots: BTreeMap<B256, SlotChange>,
}

/// What a slot becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotChange {
    /// The value; zero removes the slot.
    pub value: U256,
    /// Whether the slot *is* known to be set (not zero) before these changes: saves reading it again.
    /// False where it is not set or not known.
    pub was_set: bool,
}

impl Default for AccountChange {
    fn default() -> Self {
        Self { nonce: 0, balance: U256::ZERO, code_hash: KECCAK_EMPTY, storage_root: None }
    }
}

impl From<U256> for SlotChange {
    fn from(value: U256) -> Self {
        Self { value, was_set: false }
    }
}

impl StateChanges {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty() && self.storages.is_empty()
    }

    /// Adds changes made after these. What was known of the state before these stays as it was.
    pub fn extend(&mut self, newer: Self) {
        let Self { accounts, mut storages } = newer;
        for (hashed_address, change) in accounts {
            let Some(mut change) = change else {
                storages.remove(&hashed_address);
                self.storages.insert(hashed_address, StorageChanges { wiped: true, ..Default::default() });
                self.accounts.insert(hashed_address, None);
                continue;
            };
            match self.accounts.get(&hashed_address) {
                Some(Some(older)) => change.storage_root = older.storage_root,
                Some(None) => change.storage_root = None,
                // The root known now is the one that the older changes of the storage left.
                None if self.storages.contains_key(&hashed_address) => change.storage_root = None,
                None => {}
            }
            self.accounts.insert(hashed_address, Some(change));
        }
        for (hashed_address, storage) in storages {
            self.storages.entry(hashed_address).or_default().extend(storage);
        }
    }
}

impl StorageChanges {
    /// Adds changes made after these.
    pub fn extend(&mut self, newer: Self) {
        if newer.wiped {
            *self = newer;
            return;
        }
        for (hashed_slot, mut change) in newer.slots {
            match self.slots.get(&hashed_slot) {
                Some(older) => change.was_set = older.was_set,
                None => change.was_set &= !self.wiped,
            }
            self.slots.insert(hashed_slot, change);
        }
    }
}
