//! The column families and their keys. The README has the same table with the values.

use alloy_primitives::{B256, BlockNumber, TxHash};

/// `number` → block hash ++ RLP header.
pub(crate) const HEADERS: &str = "headers";
/// block hash → `number`.
pub(crate) const NUMBERS: &str = "numbers";
/// `number` → RLP body.
pub(crate) const BODIES: &str = "bodies";
/// `number` → the senders' addresses, 20 bytes each.
pub(crate) const SENDERS: &str = "senders";
/// `number` → the receipts, without their blooms.
pub(crate) const RECEIPTS: &str = "receipts";
/// start of a transaction hash ++ position → nothing.
pub(crate) const TRANSACTIONS: &str = "transactions";
/// code hash → code.
pub(crate) const CODES: &str = "codes";
/// hashed address → account.
pub(crate) const ACCOUNTS: &str = "accounts";
/// hashed address ++ hashed slot → value.
pub(crate) const STORAGE: &str = "storage";
/// path → branch node of the account trie.
pub(crate) const ACCOUNT_NODES: &str = "account_nodes";
/// hashed address ++ path → branch node of the account's storage trie.
pub(crate) const STORAGE_NODES: &str = "storage_nodes";
/// `number` ++ hashed address of the chunk's last entry → accounts before that block.
pub(crate) const ACCOUNT_CHANGES: &str = "account_changes";
/// `number` ++ hashed address ++ hashed slot of the chunk's last entry → slots before that block.
pub(crate) const STORAGE_CHANGES: &str = "storage_changes";
/// start of a hashed address ++ short number of a block that changed it → nothing.
pub(crate) const ACCOUNT_INDEX: &str = "account_index";
/// starts of a hashed address and a hashed slot ++ short number of a block that changed it → nothing.
pub(crate) const STORAGE_INDEX: &str = "storage_index";
/// name → heads, genesis hash, schema version, what is pruned.
pub(crate) const META: &str = "meta";

/// Every column family.
pub(crate) const ALL: [&str; 16] = [
    HEADERS,
    NUMBERS,
    BODIES,
    SENDERS,
    RECEIPTS,
    TRANSACTIONS,
    CODES,
    ACCOUNTS,
    STORAGE,
    ACCOUNT_NODES,
    STORAGE_NODES,
    ACCOUNT_CHANGES,
    STORAGE_CHANGES,
    ACCOUNT_INDEX,
    STORAGE_INDEX,
    META,
];

/// Block numbers in indices have six bytes; this one is past all of them.
pub(crate) const NUMBER_LIMIT: BlockNumber = 1 << 48;

/// Bytes of a transaction hash in its lookup's key.
pub(crate) const TX_START: usize = 8;
/// Bytes of a hashed address in the account index.
pub(crate) const ACCOUNT_START: usize = 8;
/// Bytes of a hashed address in the storage index.
const OWNER_START: usize = 6;
/// Bytes of a hashed slot in the storage index.
const SLOT_START: usize = 8;
/// Bytes that the storage index is sought by.
pub(crate) const STORAGE_INDEX_PREFIX: usize = OWNER_START + SLOT_START;

/// A block number as a key: big-endian, so that keys sort as numbers do.
pub(crate) const fn number_key(number: BlockNumber) -> [u8; 8] {
    number.to_be_bytes()
}

/// A block number, below [`NUMBER_LIMIT`], as the end of an index key.
fn short_number(number: BlockNumber) -> [u8; 6] {
    let [_, _, short @ ..] = number.min(NUMBER_LIMIT - 1).to_be_bytes();
    short
}

/// The block number at the end of an index key.
pub(crate) fn number_of_index_key(key: &[u8]) -> Option<BlockNumber> {
    let short = key.last_chunk::<6>()?;
    let mut number = [0; 8];
    number[2..].copy_from_slice(short);
    Some(BlockNumber::from_be_bytes(number))
}

/// The key of a slot.
pub(crate) fn slot_key(hashed_address: B256, hashed_slot: B256) -> [u8; 64] {
    let mut key = [0; 64];
    key[..32].copy_from_slice(hashed_address.as_slice());
    key[32..].copy_from_slice(hashed_slot.as_slice());
    key
}

/// The lookup key of a transaction.
pub(crate) fn transaction_key(hash: &TxHash, number: BlockNumber, index: u32) -> [u8; TX_START + 9] {
    let [_, short_index @ ..] = index.to_be_bytes();
    let mut key = [0; TX_START + 9];
    key[..TX_START].copy_from_slice(&hash[..TX_START]);
    key[TX_START..TX_START + 6].copy_from_slice(&short_number(number));
    key[TX_START + 6..].copy_from_slice(&short_index);
    key
}

/// Where the transaction of a lookup key is.
pub(crate) fn position_of_transaction_key(key: &[u8]) -> Option<(BlockNumber, u32)> {
    let (rest, index) = key.split_last_chunk::<3>()?;
    let [a, b, c] = *index;
    Some((number_of_index_key(rest)?, u32::from_be_bytes([0, a, b, c])))
}

/// What index keys of an account start with.
pub(crate) fn account_index_prefix(hashed_address: B256) -> [u8; ACCOUNT_START] {
    let mut prefix = [0; ACCOUNT_START];
    prefix.copy_from_slice(&hashed_address[..ACCOUNT_START]);
    prefix
}

/// What index keys of a slot start with.
pub(crate) fn storage_index_prefix(hashed_address: B256, hashed_slot: B256) -> [u8; STORAGE_INDEX_PREFIX] {
    let mut prefix = [0; STORAGE_INDEX_PREFIX];
    prefix[..OWNER_START].copy_from_slice(&hashed_address[..OWNER_START]);
    prefix[OWNER_START..].copy_from_slice(&hashed_slot[..SLOT_START]);
    prefix
}

/// The index key that says that block `number` changed an account.
pub(crate) fn account_index_key(hashed_address: B256, number: BlockNumber) -> [u8; ACCOUNT_START + 6] {
    let mut key = [0; ACCOUNT_START + 6];
    key[..ACCOUNT_START].copy_from_slice(&account_index_prefix(hashed_address));
    key[ACCOUNT_START..].copy_from_slice(&short_number(number));
    key
}

/// The index key that says that block `number` changed a slot.
pub(crate) fn storage_index_key(
    hashed_address: B256,
    hashed_slot: B256,
    number: BlockNumber,
) -> [u8; STORAGE_INDEX_PREFIX + 6] {
    let mut key = [0; STORAGE_INDEX_PREFIX + 6];
    key[..STORAGE_INDEX_PREFIX].copy_from_slice(&storage_index_prefix(hashed_address, hashed_slot));
    key[STORAGE_INDEX_PREFIX..].copy_from_slice(&short_number(number));
    key
}

/// Where in an index the blocks from `number` on are that changed what `prefix` stands for.
pub(crate) fn index_position(prefix: &[u8], number: BlockNumber) -> Vec<u8> {
    [prefix, &short_number(number)].concat()
}
