//! How values are encoded. Decoding never trusts what it reads.

use alloy_eips::BlockNumHash;
use alloy_primitives::{Address, B256, U256};
use alloy_rlp::Decodable;
use openledger_trie::TrieAccount;

use crate::{Heads, Result, StorageError};

/// Decodes one RLP item that fills `bytes`; `what` names it in the error.
pub(crate) fn decode<T: Decodable>(what: &str, bytes: &[u8]) -> Result<T> {
    alloy_rlp::decode_exact(bytes).map_err(|error| StorageError::corrupt(what, error))
}

/// The flat value of a slot that is not zero.
pub(crate) fn encode_slot(value: U256) -> Vec<u8> {
    alloy_rlp::encode(value)
}

/// The history value of what was not there: RLP's empty string, so that no truncated value reads so.
pub(crate) const NOTHING: &[u8] = &[alloy_rlp::EMPTY_STRING_CODE];

/// A history value: [`NOTHING`] where there was no account before.
pub(crate) fn encode_old_account(account: Option<&TrieAccount>) -> Vec<u8> {
    account.map_or_else(|| NOTHING.to_vec(), alloy_rlp::encode)
}

/// A history value: [`NOTHING`], which is the RLP of zero, where the slot was zero before.
pub(crate) fn encode_old_slot(value: U256) -> Vec<u8> {
    alloy_rlp::encode(value)
}

/// Bytes of exactly `N`.
pub(crate) fn array<const N: usize>(what: &str, bytes: &[u8]) -> Result<[u8; N]> {
    bytes.try_into().map_err(|_| StorageError::corrupt(what, format!("{} bytes, not {N}", bytes.len())))
}

/// A number as stored in values: big-endian.
pub(crate) fn decode_number(what: &str, bytes: &[u8]) -> Result<u64> {
    Ok(u64::from_be_bytes(array(what, bytes)?))
}

/// Addresses of 20 bytes each.
pub(crate) fn decode_addresses(what: &str, bytes: &[u8]) -> Result<Vec<Address>> {
    let (addresses, rest) = bytes.as_chunks::<20>();
    if !rest.is_empty() {
        return Err(StorageError::corrupt(what, format!("{} bytes are not whole addresses", bytes.len())));
    }
    Ok(addresses.iter().map(Address::from).collect())
}

/// Number and hash of latest, safe and finalized, 40 bytes each.
pub(crate) fn encode_heads(heads: &Heads) -> Vec<u8> {
    [heads.latest, heads.safe, heads.finalized]
        .iter()
        .flat_map(|head| [&head.number.to_be_bytes()[..], head.hash.as_slice()].concat())
        .collect()
}

/// The reverse of [`encode_heads`].
pub(crate) fn decode_heads(bytes: &[u8]) -> Result<Heads> {
    const WHAT: &str = "heads";
    let bytes: [u8; 120] = array(WHAT, bytes)?;
    let head = |at: usize| -> Result<BlockNumHash> {
        Ok(BlockNumHash::new(
            decode_number(WHAT, &bytes[at..at + 8])?,
            B256::from_slice(&bytes[at + 8..at + 40]),
        ))
    };
    Ok(Heads { latest: head(0)?, safe: head(40)?, finalized: head(80)? })
}

/// The keys that a block changed: of each account its hashed address, the count of changed slots as
/// `u32`, and their hashed slots.
pub(crate) type ChangedKeys = Vec<(B256, Vec<B256>)>;

/// Encodes the keys that a block changed.
pub(crate) fn encode_changed_keys<'a>(
    accounts: impl Iterator<Item = (B256, &'a [crate::changes::SlotChange])>,
) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (hashed_address, slots) in accounts {
        bytes.extend_from_slice(hashed_address.as_slice());
        // A block's gas bounds the slots it can change far below four billion.
        bytes.extend_from_slice(&u32::try_from(slots.len()).unwrap_or(u32::MAX).to_be_bytes());
        for slot in slots {
            bytes.extend_from_slice(slot.hashed_slot.as_slice());
        }
    }
    bytes
}

/// The reverse of [`encode_changed_keys`].
pub(crate) fn decode_changed_keys(bytes: &[u8]) -> Result<ChangedKeys> {
    let truncated = || StorageError::corrupt("changeset", "truncated");
    let mut accounts = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (hashed_address, after) = rest.split_first_chunk::<32>().ok_or_else(truncated)?;
        let (count, after) = after.split_first_chunk::<4>().ok_or_else(truncated)?;
        let length = u64::from(u32::from_be_bytes(*count)) * 32;
        let length = usize::try_from(length).map_err(|_| truncated())?;
        let (slots, after) = after.split_at_checked(length).ok_or_else(truncated)?;
        let (slots, _) = slots.as_chunks::<32>();
        accounts.push((B256::new(*hashed_address), slots.iter().map(B256::from).collect()));
        rest = after;
    }
    Ok(accounts)
}
