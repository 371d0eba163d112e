//! The column families and their keys. The README has the same table with the values.

use alloy_primitives::B256;

/// `number` → RLP header.
pub(crate) const HEADERS: &str = "headers";
/// `number` → RLP body.
pub(crate) const BODIES: &str = "bodies";
/// `number` → the senders' addresses, 20 bytes each.
pub(crate) const SENDERS: &str = "senders";
/// `number` → RLP list of receipts.
pub(crate) const RECEIPTS: &str = "receipts";
/// `number` → block hash.
pub(crate) const HASHES: &str = "hashes";
/// block hash → `number`.
pub(crate) const NUMBERS: &str = "numbers";
/// transaction hash → `number` ++ index.
pub(crate) const TRANSACTIONS: &str = "transactions";
/// hashed address → RLP account.
pub(crate) const ACCOUNTS: &str = "accounts";
/// hashed address ++ hashed slot → RLP value.
pub(crate) const STORAGE: &str = "storage";
/// code hash → code.
pub(crate) const CODES: &str = "codes";
/// hashed address ++ `number` → the account before that block.
pub(crate) const ACCOUNT_HISTORY: &str = "account_history";
/// hashed address ++ hashed slot ++ `number` → the value before that block.
pub(crate) const STORAGE_HISTORY: &str = "storage_history";
/// `number` → the keys that the block changed.
pub(crate) const CHANGESETS: &str = "changesets";
/// name → heads, genesis hash, schema version.
pub(crate) const META: &str = "meta";

/// Every column family.
pub(crate) const ALL: [&str; 14] = [
    HEADERS,
    BODIES,
    SENDERS,
    RECEIPTS,
    HASHES,
    NUMBERS,
    TRANSACTIONS,
    ACCOUNTS,
    STORAGE,
    CODES,
    ACCOUNT_HISTORY,
    STORAGE_HISTORY,
    CHANGESETS,
    META,
];

/// A block number as a key: big-endian, so that keys sort as numbers do.
pub(crate) const fn number_key(number: u64) -> [u8; 8] {
    number.to_be_bytes()
}

/// The key of a slot.
pub(crate) fn slot_key(hashed_address: B256, hashed_slot: B256) -> [u8; 64] {
    let mut key = [0; 64];
    key[..32].copy_from_slice(hashed_address.as_slice());
    key[32..].copy_from_slice(hashed_slot.as_slice());
    key
}

/// The history key of what the flat key `key` held before block `number`.
pub(crate) fn history_key(key: &[u8], number: u64) -> Vec<u8> {
    [key, &number_key(number)].concat()
}
