//! How values are encoded. Decoding never trusts what it reads.

mod account;
mod changes;
mod receipts;

use alloy_eips::BlockNumHash;
use alloy_primitives::{Address, B256};
use alloy_rlp::Decodable;

pub(crate) use account::{decode_account, decode_slot, encode_account, encode_slot};
pub(crate) use changes::{AddressHasher, account_chunks, decode_accounts, decode_slots, slot_chunks};
pub(crate) use receipts::{decode_receipts, encode_receipts};

use crate::{Heads, Result, StorageError};

/// Decodes one RLP item that fills `bytes`; `what` names it in the error.
pub(crate) fn decode<T: Decodable>(what: &str, bytes: &[u8]) -> Result<T> {
    alloy_rlp::decode_exact(bytes).map_err(|error| StorageError::corrupt(what, error))
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

/// What changes with every write: the heads, and how many writes there were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Commit {
    pub(crate) heads: Heads,
    /// One more with each write.
    pub(crate) generation: u64,
}

impl Commit {
    /// Number and hash of latest, safe and finalized, 40 bytes each, and the generation.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let heads = [self.heads.latest, self.heads.safe, self.heads.finalized];
        let mut bytes = Vec::with_capacity(128);
        for head in heads {
            bytes.extend_from_slice(&head.number.to_be_bytes());
            bytes.extend_from_slice(head.hash.as_slice());
        }
        bytes.extend_from_slice(&self.generation.to_be_bytes());
        bytes
    }

    /// The reverse of [`Self::encode`].
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        const WHAT: &str = "heads";
        let bytes: [u8; 128] = array(WHAT, bytes)?;
        let head = |at: usize| -> Result<BlockNumHash> {
            let number = decode_number(WHAT, &bytes[at..at + 8])?;
            Ok(BlockNumHash::new(number, B256::from_slice(&bytes[at + 8..at + 40])))
        };
        let heads = Heads { latest: head(0)?, safe: head(40)?, finalized: head(80)? };
        Ok(Self { heads, generation: decode_number(WHAT, &bytes[120..])? })
    }
}

/// What is no longer there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pruned {
    /// The first block whose changeset is there: states are there from the block before it on.
    pub(crate) changes_from: u64,
    /// The first block whose receipts are there.
    pub(crate) receipts_from: u64,
}

impl Pruned {
    /// Nothing is pruned.
    pub(crate) const NOTHING: Self = Self { changes_from: 0, receipts_from: 0 };

    /// Two numbers, big-endian.
    pub(crate) fn encode(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.changes_from.to_be_bytes());
        bytes[8..].copy_from_slice(&self.receipts_from.to_be_bytes());
        bytes
    }

    /// The reverse of [`Self::encode`].
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        const WHAT: &str = "what is pruned";
        let bytes: [u8; 16] = array(WHAT, bytes)?;
        let (changes_from, receipts_from) = bytes.split_at(8);
        Ok(Self {
            changes_from: decode_number(WHAT, changes_from)?,
            receipts_from: decode_number(WHAT, receipts_from)?,
        })
    }
}
