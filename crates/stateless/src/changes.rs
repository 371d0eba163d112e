//! From what execution changed to what the trie is to be given.

use alloy_primitives::{B256, keccak256};
use alloy_trie::KECCAK_EMPTY;
use openledger_trie::{AccountChange, SlotChange, StateChanges, StorageChanges};
use revm::database::BundleState;

/// What `bundle` changes. An account without info is removed; one that was destroyed loses its storage
/// before the slots in the bundle are set.
pub(crate) fn state_changes(bundle: &BundleState) -> StateChanges {
    let mut changes = StateChanges::default();
    for (address, account) in &bundle.state {
        if account.info.is_none() && account.original_info.is_none() {
            continue;
        }
        let hashed_address = keccak256(address);
        let Some(info) = &account.info else {
            changes.accounts.insert(hashed_address, None);
            continue;
        };
        let mut storage = StorageChanges { wiped: account.was_destroyed(), ..Default::default() };
        for (slot, value) in &account.storage {
            if value.is_changed() || storage.wiped {
                let hashed_slot = keccak256(B256::from(*slot));
                storage.slots.insert(hashed_slot, SlotChange::from(value.present_value));
            }
        }
        let is_same = account.original_info.as_ref().is_some_and(|before| {
            (before.nonce, before.balance, before.code_hash) == (info.nonce, info.balance, info.code_hash)
        });
        if is_same && storage.slots.is_empty() && !storage.wiped {
            continue;
        }
        let code_hash = if info.code_hash.is_zero() { KECCAK_EMPTY } else { info.code_hash };
        let change =
            AccountChange { nonce: info.nonce, balance: info.balance, code_hash, storage_root: None };
        changes.accounts.insert(hashed_address, Some(change));
        if storage.wiped || !storage.slots.is_empty() {
            changes.storages.insert(hashed_address, storage);
        }
    }
    changes
}
