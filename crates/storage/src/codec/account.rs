//! Accounts and slots in few bytes: what an ordinary account lacks takes no room.

use alloy_primitives::{B256, U256};
use openledger_trie::{EMPTY_ROOT_HASH, KECCAK_EMPTY, TrieAccount};

use crate::{Result, StorageError};

const NONCE_LENGTH: u8 = 0x0f;
const HAS_STORAGE: u8 = 0x10;
const HAS_CODE: u8 = 0x20;
/// A first byte that no account has.
const NO_ACCOUNT: u8 = 0xff;

/// Appends an account: a byte of flags and the nonce's length, the balance's length, nonce and balance
/// big-endian without leading zeros, then storage root and code hash where they are not the empty ones.
pub(crate) fn encode_account(account: &TrieAccount, out: &mut Vec<u8>) {
    let (nonce, balance) = (account.nonce.to_be_bytes(), account.balance.to_be_bytes::<32>());
    let (nonce, balance) = (trimmed(&nonce), trimmed(&balance));
    let mut flags = nonce.len() as u8;
    if account.storage_root != EMPTY_ROOT_HASH {
        flags |= HAS_STORAGE;
    }
    if account.code_hash != KECCAK_EMPTY {
        flags |= HAS_CODE;
    }
    out.extend_from_slice(&[flags, balance.len() as u8]);
    out.extend_from_slice(nonce);
    out.extend_from_slice(balance);
    if flags & HAS_STORAGE != 0 {
        out.extend_from_slice(account.storage_root.as_slice());
    }
    if flags & HAS_CODE != 0 {
        out.extend_from_slice(account.code_hash.as_slice());
    }
}

/// Takes one account from the front of `bytes`.
fn take_account(bytes: &mut &[u8]) -> Option<TrieAccount> {
    let [flags, balance_length] = *bytes.split_off(..2)?.first_chunk()?;
    if flags & !(NONCE_LENGTH | HAS_STORAGE | HAS_CODE) != 0 {
        return None;
    }
    let nonce = take_number::<8>(bytes, flags & NONCE_LENGTH)?;
    let balance = take_number::<32>(bytes, balance_length)?;
    let mut hash = |flag, absent| {
        if flags & flag == 0 { Some(absent) } else { bytes.split_off(..32).map(B256::from_slice) }
    };
    let storage_root = hash(HAS_STORAGE, EMPTY_ROOT_HASH)?;
    let code_hash = hash(HAS_CODE, KECCAK_EMPTY)?;
    let (nonce, balance) = (u64::from_be_bytes(nonce), U256::from_be_bytes(balance));
    Some(TrieAccount::new(nonce, balance, storage_root, code_hash))
}

/// Decodes an account that fills `bytes`; `what` names it in the error.
pub(crate) fn decode_account(what: &str, mut bytes: &[u8]) -> Result<TrieAccount> {
    take_account(&mut bytes)
        .filter(|_| bytes.is_empty())
        .ok_or_else(|| StorageError::corrupt(what, "not an account"))
}

/// Appends an account of a changeset, or that there was none.
pub(crate) fn encode_old_account(account: Option<&TrieAccount>, out: &mut Vec<u8>) {
    match account {
        Some(account) => encode_account(account, out),
        None => out.push(NO_ACCOUNT),
    }
}

/// Takes what [`encode_old_account`] appended from the front of `bytes`.
pub(crate) fn take_old_account(bytes: &mut &[u8]) -> Option<Option<TrieAccount>> {
    if bytes.first() == Some(&NO_ACCOUNT) {
        *bytes = bytes.get(1..)?;
        return Some(None);
    }
    take_account(bytes).map(Some)
}

/// A slot's value: big-endian without leading zeros.
pub(crate) fn encode_slot(value: U256) -> Vec<u8> {
    value.to_be_bytes_trimmed_vec()
}

/// The reverse of [`encode_slot`]; zero is never stored.
pub(crate) fn decode_slot(bytes: &[u8]) -> Result<U256> {
    let trimmed = (1..=32).contains(&bytes.len()) && bytes.first() != Some(&0);
    let value = trimmed.then(|| U256::from_be_slice(bytes));
    value.ok_or_else(|| StorageError::corrupt("slot", "not a trimmed number"))
}

/// Appends a slot of a changeset: length and value.
pub(crate) fn encode_old_slot(value: U256, out: &mut Vec<u8>) {
    let bytes = value.to_be_bytes::<32>();
    let bytes = trimmed(&bytes);
    out.push(bytes.len() as u8);
    out.extend_from_slice(bytes);
}

/// Takes what [`encode_old_slot`] appended from the front of `bytes`.
pub(crate) fn take_old_slot(bytes: &mut &[u8]) -> Option<U256> {
    let length = *bytes.split_off_first()?;
    take_number::<32>(bytes, length).map(U256::from_be_bytes)
}

fn trimmed(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros..).unwrap_or_default()
}

/// Takes a big-endian number of `length` bytes, which starts with no zero.
fn take_number<const N: usize>(bytes: &mut &[u8], length: u8) -> Option<[u8; N]> {
    let digits = bytes.split_off(..usize::from(length))?;
    let mut number = [0; N];
    let start = N.checked_sub(digits.len()).filter(|_| digits.first() != Some(&0))?;
    number[start..].copy_from_slice(digits);
    Some(number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number() -> impl Strategy<Value = U256> {
        (any::<[u8; 32]>(), 0..=256_usize)
            .prop_map(|(bytes, shift)| U256::from_be_bytes(bytes).checked_shr(shift).unwrap_or_default())
    }

    fn account() -> impl Strategy<Value = TrieAccount> {
        let root = prop_oneof![Just(EMPTY_ROOT_HASH), any::<[u8; 32]>().prop_map(B256::new)];
        let code = prop_oneof![Just(KECCAK_EMPTY), any::<[u8; 32]>().prop_map(B256::new)];
        let nonce = (any::<u64>(), 0..64_u32).prop_map(|(nonce, shift)| nonce >> shift);
        (nonce, number(), root, code)
            .prop_map(|(nonce, balance, root, code)| TrieAccount::new(nonce, balance, root, code))
    }

    proptest! {
        #[test]
        fn accounts_and_slots_decode_to_what_was_encoded(account in account(), value in number()) {
            let mut bytes = Vec::new();
            encode_account(&account, &mut bytes);
            prop_assert_eq!(decode_account("account", &bytes).unwrap(), account);
            prop_assert!(decode_account("account", &bytes[..bytes.len() - 1]).is_err());
            for old in [Some(account), None] {
                bytes.clear();
                encode_old_account(old.as_ref(), &mut bytes);
                prop_assert_eq!(take_old_account(&mut &bytes[..]), Some(old));
            }
            bytes.clear();
            encode_old_slot(value, &mut bytes);
            prop_assert_eq!(take_old_slot(&mut &bytes[..]), Some(value));
            if !value.is_zero() {
                prop_assert_eq!(decode_slot(&encode_slot(value)).unwrap(), value);
            }
        }

        #[test]
        fn any_bytes_decode_to_an_error_or_to_their_own_encoding(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(account) = decode_account("account", &bytes) {
                let mut again = Vec::new();
                encode_account(&account, &mut again);
                // An empty root or code hash may be written out; all else has one form.
                prop_assert_eq!(decode_account("account", &again).unwrap(), account);
            }
            if let Ok(value) = decode_slot(&bytes) {
                prop_assert_eq!(encode_slot(value), bytes);
            }
        }
    }
}
