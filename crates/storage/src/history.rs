//! What blocks changed, backwards: values before a block, and states of the past as changes of the head's.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, BlockNumber, U256};
use openledger_trie::{AccountChange, StateChanges, TrieAccount};

use crate::{
    Result, StorageError,
    codec::{AddressHasher, decode_accounts, decode_slots},
    columns::{
        self, account_index_key, account_index_prefix, index_position, number_key, number_of_index_key,
        slot_key, storage_index_key, storage_index_prefix,
    },
    store::Snapshot,
};

/// What the account was after block `number`, where a later block changed it.
pub(crate) fn account_after(
    snapshot: &Snapshot,
    address: Address,
    hashed_address: B256,
    number: BlockNumber,
) -> Result<Option<Option<TrieAccount>>> {
    let prefix = account_index_prefix(hashed_address);
    first_change(snapshot, columns::ACCOUNT_INDEX, &prefix, number, |number| {
        let chunk = chunk(snapshot, columns::ACCOUNT_CHANGES, number, hashed_address.as_slice())?;
        let Some(chunk) = chunk else { return Ok(None) };
        let accounts = decode_accounts(&chunk)?;
        Ok(accounts.into_iter().find(|(changed, _)| *changed == address).map(|(_, account)| account))
    })
}

/// What the slot held after block `number`, where a later block changed it.
pub(crate) fn slot_after(
    snapshot: &Snapshot,
    address: Address,
    hashed_address: B256,
    hashed_slot: B256,
    number: BlockNumber,
) -> Result<Option<U256>> {
    let prefix = storage_index_prefix(hashed_address, hashed_slot);
    first_change(snapshot, columns::STORAGE_INDEX, &prefix, number, |number| {
        let key = slot_key(hashed_address, hashed_slot);
        let Some(chunk) = chunk(snapshot, columns::STORAGE_CHANGES, number, &key)? else { return Ok(None) };
        let slots = decode_slots(&chunk)?;
        let slot = slots.iter().find(|slot| slot.address == address && slot.hashed_slot == hashed_slot);
        Ok(slot.map(|slot| slot.value))
    })
}

/// What the first block after `number` that the index names and that `find` finds a change in held.
/// Keys of the index are cut short, so the blocks of another key may be among those it names.
fn first_change<T>(
    snapshot: &Snapshot,
    index: &'static str,
    prefix: &[u8],
    number: BlockNumber,
    find: impl Fn(BlockNumber) -> Result<Option<T>>,
) -> Result<Option<T>> {
    let mut cursor = snapshot.cursor(index, prefix)?;
    cursor.seek(index_position(prefix, number.saturating_add(1)));
    loop {
        cursor.status()?;
        let Some(key) = cursor.key() else { return Ok(None) };
        let changed = number_of_index_key(key).ok_or_else(|| StorageError::corrupt(index, "a short key"))?;
        if changed > number
            && let Some(found) = find(changed)?
        {
            return Ok(Some(found));
        }
        cursor.next();
    }
}

/// The one chunk of block `number` in which `key` can be.
fn chunk(
    snapshot: &Snapshot,
    column: &'static str,
    number: BlockNumber,
    key: &[u8],
) -> Result<Option<Vec<u8>>> {
    let number = number_key(number);
    let mut cursor = snapshot.cursor(column, &number)?;
    cursor.seek([&number[..], key].concat());
    cursor.status()?;
    Ok(cursor.value().map(<[u8]>::to_vec))
}

/// The changes that lead back from the head's state to an older one.
#[derive(Debug, Default)]
pub(crate) struct Reverts {
    pub(crate) accounts: BTreeMap<B256, Option<TrieAccount>>,
    pub(crate) slots: BTreeMap<B256, BTreeMap<B256, U256>>,
    entries: usize,
}

impl Reverts {
    /// What leads back to the state after block `number`; an error where it is more than `limit` accounts
    /// and slots.
    pub(crate) fn to(snapshot: &Snapshot, number: BlockNumber, limit: usize) -> Result<Self> {
        let mut reverts = Self::default();
        // The oldest change comes first, and what a key held before it is what counts.
        let mut hasher = AddressHasher::default();
        visit_after(snapshot, columns::ACCOUNT_CHANGES, number, |chunk| {
            for (address, account) in decode_accounts(chunk)? {
                let hashed_address = hasher.hash(address);
                reverts.accounts.entry(hashed_address).or_insert_with(|| {
                    reverts.entries += 1;
                    account
                });
            }
            reverts.check(number, limit)
        })?;
        visit_after(snapshot, columns::STORAGE_CHANGES, number, |chunk| {
            for slot in decode_slots(chunk)? {
                let slots = reverts.slots.entry(hasher.hash(slot.address)).or_default();
                slots.entry(slot.hashed_slot).or_insert_with(|| {
                    reverts.entries += 1;
                    slot.value
                });
            }
            reverts.check(number, limit)
        })?;
        Ok(reverts)
    }

    fn check(&self, number: BlockNumber, limit: usize) -> Result<()> {
        if self.entries > limit { Err(StorageError::TooDeep { number, limit }) } else { Ok(()) }
    }

    /// The same as changes to give a trie.
    pub(crate) fn state_changes(&self) -> StateChanges {
        let account = |account: &TrieAccount| AccountChange {
            nonce: account.nonce,
            balance: account.balance,
            code_hash: account.code_hash,
            storage_root: None,
        };
        let mut changes = StateChanges::default();
        changes.accounts.extend(self.accounts.iter().map(|(key, old)| (*key, old.as_ref().map(account))));
        for (hashed_address, slots) in &self.slots {
            if matches!(self.accounts.get(hashed_address), Some(None)) {
                continue;
            }
            let storage = changes.storages.entry(*hashed_address).or_default();
            storage.slots.extend(slots.iter().map(|(key, old)| (*key, (*old).into())));
        }
        changes
    }
}

/// Visits the chunks of a changeset column from block `number + 1` on.
fn visit_after(
    snapshot: &Snapshot,
    column: &'static str,
    number: BlockNumber,
    mut visit: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let mut cursor = snapshot.cursor(column, &[])?;
    cursor.seek(number_key(number.saturating_add(1)));
    loop {
        cursor.status()?;
        let Some(chunk) = cursor.value() else { return Ok(()) };
        visit(chunk)?;
        cursor.next();
    }
}

/// Visits the index keys that stand for the changes of block `number`, with the column each is in.
pub(crate) fn visit_index_keys(
    snapshot: &Snapshot,
    number: BlockNumber,
    mut visit: impl FnMut(&'static str, &[u8]) -> Result<()>,
) -> Result<()> {
    let mut hasher = AddressHasher::default();
    for item in snapshot.iterate(columns::ACCOUNT_CHANGES, &number_key(number))? {
        for (address, _) in decode_accounts(&item?.1)? {
            visit(columns::ACCOUNT_INDEX, &account_index_key(hasher.hash(address), number))?;
        }
    }
    for item in snapshot.iterate(columns::STORAGE_CHANGES, &number_key(number))? {
        for slot in decode_slots(&item?.1)? {
            let key = storage_index_key(hasher.hash(slot.address), slot.hashed_slot, number);
            visit(columns::STORAGE_INDEX, &key)?;
        }
    }
    Ok(())
}
