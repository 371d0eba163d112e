//! What one block changes in the flat state, account by account.

use std::collections::BTreeMap;

use alloy_primitives::{B256, Bytes, U256, keccak256};
use openledger_trie::{EMPTY_ROOT_HASH, KECCAK_EMPTY, TrieAccount, TrieBuilder};
use revm::database::{BundleAccount, BundleState};

use crate::{Result, StateView, StorageError, codec::decode, leaves::Leaf};

/// A slot that changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SlotChange {
    pub(crate) hashed_slot: B256,
    pub(crate) old: U256,
    pub(crate) new: U256,
}

/// An account that changes, or comes, or goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AccountChange {
    pub(crate) old: Option<TrieAccount>,
    pub(crate) new: Option<TrieAccount>,
    /// In order of their hashed slots.
    pub(crate) slots: Vec<SlotChange>,
}

/// The accounts that a block changes, by hashed address.
pub(crate) type AccountChanges = BTreeMap<B256, AccountChange>;

/// Works out what `bundle` changes on top of `state`, storage roots included.
pub(crate) fn account_changes(state: &StateView, bundle: &BundleState) -> Result<AccountChanges> {
    let mut changes = AccountChanges::new();
    for (address, account) in &bundle.state {
        let hashed_address = keccak256(address);
        let change = account_change(state, hashed_address, account)?;
        if change.old != change.new || !change.slots.is_empty() {
            changes.insert(hashed_address, change);
        }
    }
    Ok(changes)
}

/// The code that `bundle` brings, by hash.
pub(crate) fn new_codes(bundle: &BundleState) -> BTreeMap<B256, Bytes> {
    let named = bundle.contracts.iter().map(|(hash, code)| (*hash, code.original_bytes()));
    let inline = bundle.state.values().filter_map(|account| {
        let info = account.info.as_ref().filter(|_| account.is_contract_changed())?;
        Some((info.code_hash, info.code.as_ref()?.original_bytes()))
    });
    inline.chain(named).filter(|(hash, _)| *hash != KECCAK_EMPTY && !hash.is_zero()).collect()
}

fn account_change(state: &StateView, hashed_address: B256, account: &BundleAccount) -> Result<AccountChange> {
    let old = state.hashed_account(hashed_address)?;
    let wiped = account.info.is_none() || account.was_destroyed();
    let mut slots = BTreeMap::new();
    if wiped && old.is_some_and(|old| old.storage_root != EMPTY_ROOT_HASH) {
        for leaf in state.slot_leaves(hashed_address)? {
            let (hashed_slot, value) = leaf?;
            slots.insert(hashed_slot, (decode::<U256>("slot", &value)?, U256::ZERO));
        }
    }
    if account.info.is_some() {
        for (slot, value) in &account.storage {
            if !wiped && !value.is_changed() {
                continue;
            }
            let hashed_slot = keccak256(B256::from(*slot));
            let new = value.present_value;
            match slots.get_mut(&hashed_slot) {
                Some(values) => values.1 = new,
                None => {
                    let old =
                        if wiped { U256::ZERO } else { state.hashed_slot(hashed_address, hashed_slot)? };
                    slots.insert(hashed_slot, (old, new));
                }
            }
        }
    }
    let slots: Vec<_> = slots
        .into_iter()
        .filter(|(_, (old, new))| old != new)
        .map(|(hashed_slot, (old, new))| SlotChange { hashed_slot, old, new })
        .collect();
    let new = match &account.info {
        None => None,
        Some(info) => {
            let storage_root = if slots.is_empty() {
                old.map_or(EMPTY_ROOT_HASH, |old| old.storage_root)
            } else {
                changed_storage_root(state, hashed_address, &slots)?
            };
            let code_hash = if info.code_hash.is_zero() { KECCAK_EMPTY } else { info.code_hash };
            Some(TrieAccount::new(info.nonce, info.balance, storage_root, code_hash))
        }
    };
    Ok(AccountChange { old, new, slots })
}

fn changed_storage_root(state: &StateView, hashed_address: B256, slots: &[SlotChange]) -> Result<B256> {
    let mut trie = TrieBuilder::new();
    let changes = slots.iter().map(|slot| (slot.hashed_slot, slot.new));
    overlay(state.slot_leaves(hashed_address)?, changes, |hashed_slot, leaf| {
        let value = match leaf {
            Ok(stored) => decode("slot", &stored)?,
            Err(changed) => changed,
        };
        trie.push_slot(hashed_slot, value).map_err(out_of_order)
    })?;
    Ok(trie.root())
}

/// The state root of `state` with `changes` made.
pub(crate) fn changed_state_root(state: &StateView, changes: &AccountChanges) -> Result<B256> {
    let mut trie = TrieBuilder::new();
    let changes = changes.iter().map(|(hashed_address, change)| (*hashed_address, change.new));
    overlay(state.account_leaves()?, changes, |hashed_address, leaf| {
        let account = match leaf {
            Ok(stored) => Some(decode("account", &stored)?),
            Err(changed) => changed,
        };
        account.map_or(Ok(()), |account| trie.push_account(hashed_address, &account).map_err(out_of_order))
    })?;
    Ok(trie.root())
}

pub(crate) fn out_of_order(error: openledger_trie::OutOfOrder) -> StorageError {
    StorageError::corrupt("trie leaves", error)
}

/// Visits stored leaves (`Ok`) and changes (`Err`) in one key order; a change hides the stored leaf.
fn overlay<T>(
    stored: impl Iterator<Item = Result<Leaf>>,
    changes: impl Iterator<Item = (B256, T)>,
    mut visit: impl FnMut(B256, Result<Vec<u8>, T>) -> Result<()>,
) -> Result<()> {
    let mut changes = changes.peekable();
    for leaf in stored {
        let (key, value) = leaf?;
        while let Some((changed_key, change)) = changes.next_if(|(changed_key, _)| *changed_key < key) {
            visit(changed_key, Err(change))?;
        }
        match changes.next_if(|(changed_key, _)| *changed_key == key) {
            Some((_, change)) => visit(key, Err(change))?,
            None => visit(key, Ok(value))?,
        }
    }
    for (key, change) in changes {
        visit(key, Err(change))?;
    }
    Ok(())
}
