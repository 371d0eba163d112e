//! Changesets: what a block's keys held before it, in chunks small enough to search.

use alloy_primitives::{Address, B256, U256, keccak256};
use openledger_trie::TrieAccount;

use super::account::{encode_old_account, encode_old_slot, take_old_account, take_old_slot};
use crate::{
    Result, StorageError,
    changes::OldAccount,
    columns::{ACCOUNT_CHANGES, STORAGE_CHANGES, number_key, slot_key},
};

/// Entries a chunk has at most.
const CHUNK_ENTRIES: usize = 128;

/// A slot before a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OldSlot {
    pub(crate) address: Address,
    pub(crate) hashed_slot: B256,
    pub(crate) value: U256,
}

/// The chunks of accounts before block `number`, in order: of each account its address and what it was.
pub(crate) fn account_chunks(number: u64, accounts: &[OldAccount]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let chunks = accounts.chunks(CHUNK_ENTRIES).filter_map(|entries| {
        let last = entries.last()?.hashed_address;
        let mut value = Vec::with_capacity(entries.len() * 40);
        for entry in entries {
            value.extend_from_slice(entry.address.as_slice());
            encode_old_account(entry.account.as_ref(), &mut value);
        }
        Some(([&number_key(number)[..], last.as_slice()].concat(), value))
    });
    chunks.collect()
}

/// The chunks of slots before block `number`, keys in order: groups of an address, a count and that
/// many hashed slots with what they held.
pub(crate) fn slot_chunks(number: u64, accounts: &[OldAccount]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut chunks = Vec::new();
    let (mut value, mut entries, mut last) = (Vec::new(), 0, [0; 64]);
    let mut finish = |value: &mut Vec<u8>, last: &[u8; 64]| {
        chunks.push(([&number_key(number)[..], last].concat(), std::mem::take(value)));
    };
    for account in accounts {
        let mut slots = &account.slots[..];
        while !slots.is_empty() {
            let (group, rest) = slots.split_at(slots.len().min(CHUNK_ENTRIES - entries));
            value.extend_from_slice(account.address.as_slice());
            value.push(group.len() as u8);
            for (hashed_slot, old) in group {
                value.extend_from_slice(hashed_slot.as_slice());
                encode_old_slot(*old, &mut value);
                last = slot_key(account.hashed_address, *hashed_slot);
            }
            entries += group.len();
            slots = rest;
            if entries == CHUNK_ENTRIES {
                finish(&mut value, &last);
                entries = 0;
            }
        }
    }
    if entries > 0 {
        finish(&mut value, &last);
    }
    chunks
}

/// The accounts of a chunk.
pub(crate) fn decode_accounts(mut bytes: &[u8]) -> Result<Vec<(Address, Option<TrieAccount>)>> {
    let mut accounts = Vec::new();
    while !bytes.is_empty() {
        let entry = take_address(&mut bytes).zip(take_old_account(&mut bytes));
        accounts.push(entry.ok_or_else(|| StorageError::corrupt(ACCOUNT_CHANGES, "not a chunk"))?);
    }
    Ok(accounts)
}

/// The slots of a chunk.
pub(crate) fn decode_slots(mut bytes: &[u8]) -> Result<Vec<OldSlot>> {
    let truncated = || StorageError::corrupt(STORAGE_CHANGES, "not a chunk");
    let mut slots = Vec::new();
    while !bytes.is_empty() {
        let address = take_address(&mut bytes).ok_or_else(truncated)?;
        let count = *bytes.split_off_first().ok_or_else(truncated)?;
        for _ in 0..count {
            let hashed_slot = bytes.split_off(..32).map(B256::from_slice).ok_or_else(truncated)?;
            let value = take_old_slot(&mut bytes).ok_or_else(truncated)?;
            slots.push(OldSlot { address, hashed_slot, value });
        }
    }
    Ok(slots)
}

fn take_address(bytes: &mut &[u8]) -> Option<Address> {
    bytes.split_off(..20).map(Address::from_slice)
}

/// The hashed address of each entry, without hashing an address again that was just hashed.
#[derive(Debug, Default)]
pub(crate) struct AddressHasher(Option<(Address, B256)>);

impl AddressHasher {
    pub(crate) fn hash(&mut self, address: Address) -> B256 {
        match self.0 {
            Some((last, hash)) if last == address => hash,
            _ => {
                let hash = keccak256(address);
                self.0 = Some((address, hash));
                hash
            }
        }
    }
}
