//! From what execution changed to what the trie needs and to what history keeps.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use openledger_trie::{
    AccountChange, EMPTY_ROOT_HASH, KECCAK_EMPTY, SlotChange, StateChanges, StateLayer, StateSource,
    StorageChanges, TrieAccount,
};
use revm::{
    database::{BundleAccount, BundleState},
    state::AccountInfo,
};

use crate::{Result, StateUpdate, StateView, StorageError, TrieSource};

/// What is known of accounts without reading them. Taken on trust: a wrong root gives a wrong state root.
pub trait KnownStorageRoots {
    /// The storage root that the account has before the changes; `None` where it is not known.
    fn storage_root(&self, address: Address) -> Option<B256>;
}

/// Nothing is known.
impl KnownStorageRoots for () {
    fn storage_root(&self, _: Address) -> Option<B256> {
        None
    }
}

/// An account that a block changed, as it was before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OldAccount {
    pub(crate) hashed_address: B256,
    pub(crate) address: Address,
    pub(crate) account: Option<TrieAccount>,
    /// The changed slots and what they held, in order of their hashed keys.
    pub(crate) slots: Vec<(B256, U256)>,
}

/// A block's changes before its state root is known: what a trie is to be given, and what is kept for
/// history.
#[derive(Debug, Clone)]
pub struct PreparedChanges {
    parent: B256,
    changes: StateChanges,
    /// In order of hashed addresses.
    old: Vec<OldAccount>,
    codes: BTreeMap<B256, Bytes>,
}

impl PreparedChanges {
    /// Reads what `bundle` changes of the state `parent`, as far as the bundle does not say it itself. An
    /// account without info is removed with its storage; one that was destroyed loses its storage before the
    /// slots in the bundle are set.
    pub(crate) fn new(
        parent: &StateView,
        bundle: &BundleState,
        known: &(impl KnownStorageRoots + ?Sized),
    ) -> Result<Self> {
        let mut changes = StateChanges::default();
        let mut old = Vec::with_capacity(bundle.state.len());
        let mut source = None;
        for (address, account) in &bundle.state {
            let hashed_address = keccak256(address);
            let wiped = account.info.is_none() || account.was_destroyed();
            let mut slots = Vec::new();
            // Storage roots are not in the bundle. Where nobody knows one and storage stays as it is, the trie
            // will tell.
            let before = if wiped || !account.storage.is_empty() {
                parent.account_of(*address, hashed_address)?
            } else {
                account.original_info.as_ref().map(|info| {
                    let storage_root = known.storage_root(*address).unwrap_or(UNKNOWN_ROOT);
                    account_of(info, storage_root)
                })
            };
            if wiped && before.is_some_and(|before| before.storage_root != EMPTY_ROOT_HASH) {
                let source = match &source {
                    Some(source) => source,
                    None => source.insert(parent.trie_source()?),
                };
                slots = all_slots(source, hashed_address)?;
            }
            let storage = changed_slots(account, wiped, &mut slots);
            let after = account.info.as_ref().map(|info| account_of(info, UNKNOWN_ROOT));
            let known_root = before.map(|before| before.storage_root).filter(|root| *root != UNKNOWN_ROOT);
            let same = |before: TrieAccount| Some(TrieAccount { storage_root: UNKNOWN_ROOT, ..before });
            if before.and_then(same) == after && slots.is_empty() {
                continue;
            }
            let change = after.map(|after| AccountChange {
                nonce: after.nonce,
                balance: after.balance,
                code_hash: after.code_hash,
                storage_root: known_root,
            });
            changes.accounts.insert(hashed_address, change);
            if !slots.is_empty() && after.is_some() {
                changes.storages.insert(hashed_address, storage);
            }
            old.push(OldAccount { hashed_address, address: *address, account: before, slots });
        }
        old.sort_unstable_by_key(|entry| entry.hashed_address);
        Ok(Self { parent: parent.block().hash, changes, old, codes: new_codes(bundle) })
    }

    /// What the trie of the parent's state is to be given. Empty once taken.
    pub fn take_changes(&mut self) -> StateChanges {
        std::mem::take(&mut self.changes)
    }

    /// Completes the changes with what the trie made of them on top of the parent's state `parent`.
    pub fn complete(mut self, parent: &StateView, layer: StateLayer) -> Result<StateUpdate> {
        for entry in &mut self.old {
            let Some(before) = entry.account.as_mut().filter(|before| before.storage_root == UNKNOWN_ROOT)
            else {
                continue;
            };
            let Some(Some(after)) = layer.accounts.get(&entry.hashed_address) else {
                let what = format!("account with hashed address {}", entry.hashed_address);
                return Err(StorageError::corrupt(what, "it changed, and the trie does not know it"));
            };
            before.storage_root = after.storage_root;
        }
        StateUpdate::new(parent, self.parent, layer, self.old, self.codes)
    }
}

/// Stands for a storage root not known yet; no trie has it.
const UNKNOWN_ROOT: B256 = B256::ZERO;

fn account_of(info: &AccountInfo, storage_root: B256) -> TrieAccount {
    let code_hash = if info.code_hash.is_zero() { KECCAK_EMPTY } else { info.code_hash };
    TrieAccount::new(info.nonce, info.balance, storage_root, code_hash)
}

/// The slots that `account` changes; adds what they held to `old`, which holds all slots where the storage
/// is wiped, and sorts it.
fn changed_slots(account: &BundleAccount, wiped: bool, old: &mut Vec<(B256, U256)>) -> StorageChanges {
    let mut storage = StorageChanges { wiped: !old.is_empty(), slots: BTreeMap::new() };
    if account.info.is_none() {
        return storage;
    }
    let all = old.len();
    for (slot, value) in &account.storage {
        if !wiped && !value.is_changed() {
            continue;
        }
        let hashed_slot = keccak256(B256::from(*slot));
        let known = old[..all].binary_search_by_key(&hashed_slot, |(key, _)| *key).ok();
        let before = if wiped {
            known.map_or(U256::ZERO, |index| old[index].1)
        } else {
            value.previous_or_original_value
        };
        if known.is_none() {
            if before == value.present_value {
                continue;
            }
            old.push((hashed_slot, before));
        }
        if !wiped || !value.present_value.is_zero() {
            let change = SlotChange { value: value.present_value, was_set: !wiped && !before.is_zero() };
            storage.slots.insert(hashed_slot, change);
        }
    }
    old.sort_unstable_by_key(|(key, _)| *key);
    storage
}

/// Every slot of an account that is set.
fn all_slots(source: &TrieSource, hashed_address: B256) -> Result<Vec<(B256, U256)>> {
    let mut slots = Vec::new();
    let mut from = Some(B256::ZERO);
    while let Some(key) = from {
        let Some((hashed_slot, value)) = source.seek_slot(hashed_address, key)? else { break };
        slots.push((hashed_slot, value));
        from = U256::from_be_bytes(hashed_slot.0).checked_add(U256::ONE).map(B256::from);
    }
    Ok(slots)
}

/// The code that `bundle` brings, by hash.
fn new_codes(bundle: &BundleState) -> BTreeMap<B256, Bytes> {
    let named = bundle.contracts.iter().map(|(hash, code)| (*hash, code.original_bytes()));
    let inline = bundle.state.values().filter_map(|account| {
        let info = account.info.as_ref().filter(|_| account.is_contract_changed())?;
        Some((info.code_hash, info.code.as_ref()?.original_bytes()))
    });
    inline.chain(named).filter(|(hash, _)| *hash != KECCAK_EMPTY && !hash.is_zero()).collect()
}
