//! Blocks, receipts and lookups.

use alloy_consensus::Header;
use alloy_primitives::{Address, B256, keccak256};
use openledger_primitives::OpenReceipt;

use crate::{
    Block, Database, Result, StorageError,
    codec::{decode, decode_addresses, decode_number, decode_receipts},
    columns::{self, number_key, position_of_transaction_key},
    state_view::pruned,
    store::Snapshot,
};

impl Database {
    /// The header of block `number`.
    pub fn header_by_number(&self, number: u64) -> Result<Option<Header>> {
        Ok(header(&self.snapshot(), number)?.map(|(_, header)| header))
    }

    /// The header with this hash.
    pub fn header_by_hash(&self, hash: B256) -> Result<Option<Header>> {
        let snapshot = self.snapshot();
        let Some(number) = number_of(&snapshot, hash)? else { return Ok(None) };
        header_that_is_there(&snapshot, number).map(|(_, header)| Some(header))
    }

    /// Block `number`.
    pub fn block_by_number(&self, number: u64) -> Result<Option<Block>> {
        let snapshot = self.snapshot();
        let Some((_, header)) = header(&snapshot, number)? else { return Ok(None) };
        let body = part_of(&snapshot, columns::BODIES, number)?;
        Ok(Some(Block { header, body: decode(&format!("body {number}"), &body)? }))
    }

    /// The block with this hash.
    pub fn block_by_hash(&self, hash: B256) -> Result<Option<Block>> {
        let snapshot = self.snapshot();
        number_of(&snapshot, hash)?.map(|number| block(&snapshot, number)).transpose()
    }

    /// The hash of block `number`.
    pub fn hash_of(&self, number: u64) -> Result<Option<B256>> {
        let header = self.snapshot().get(columns::HEADERS, &number_key(number))?;
        header.map(|bytes| split_header(number, &bytes).map(|(hash, _)| hash)).transpose()
    }

    /// The number of the block with this hash.
    pub fn number_of(&self, hash: B256) -> Result<Option<u64>> {
        number_of(&self.snapshot(), hash)
    }

    /// The sender of each transaction of block `number`, in order.
    pub fn senders_of(&self, number: u64) -> Result<Option<Vec<Address>>> {
        self.snapshot()
            .get(columns::SENDERS, &number_key(number))?
            .map(|senders| decode_addresses(&format!("senders of block {number}"), &senders))
            .transpose()
    }

    /// The receipt of each transaction of block `number`, in order; an error where they were pruned.
    pub fn receipts_of(&self, number: u64) -> Result<Option<Vec<OpenReceipt>>> {
        let snapshot = self.snapshot();
        if let Some(receipts) = snapshot.get(columns::RECEIPTS, &number_key(number))? {
            return decode_receipts(number, &receipts).map(Some);
        }
        if snapshot.get(columns::HEADERS, &number_key(number))?.is_none() {
            return Ok(None);
        }
        let first = pruned(&snapshot)?.receipts_from;
        if number < first {
            return Err(StorageError::Pruned { what: "receipts", number, first });
        }
        Err(StorageError::corrupt(format!("receipts of block {number}"), "missing"))
    }

    /// Where a transaction is: block number and index in the block.
    pub fn transaction_position(&self, tx_hash: B256) -> Result<Option<(u64, u32)>> {
        let snapshot = self.snapshot();
        let candidates = snapshot.iterate(columns::TRANSACTIONS, &tx_hash[..columns::TX_START])?;
        for item in candidates {
            let (key, _) = item?;
            let (number, index) = position_of_transaction_key(&key)
                .ok_or_else(|| StorageError::corrupt(columns::TRANSACTIONS, "a short key"))?;
            // The key holds but the start of the hash.
            let body = part_of(&snapshot, columns::BODIES, number)?;
            if transaction_hash(number, &body, index)? == tx_hash {
                return Ok(Some((number, index)));
            }
        }
        Ok(None)
    }
}

fn number_of(snapshot: &Snapshot, hash: B256) -> Result<Option<u64>> {
    snapshot
        .get(columns::NUMBERS, hash.as_slice())?
        .map(|number| decode_number("block number", &number))
        .transpose()
}

/// The hash and header of block `number`.
pub(crate) fn header(snapshot: &Snapshot, number: u64) -> Result<Option<(B256, Header)>> {
    let Some(bytes) = snapshot.get(columns::HEADERS, &number_key(number))? else { return Ok(None) };
    let (hash, header) = split_header(number, &bytes)?;
    Ok(Some((hash, decode(&format!("header {number}"), header)?)))
}

pub(crate) fn header_that_is_there(snapshot: &Snapshot, number: u64) -> Result<(B256, Header)> {
    header(snapshot, number)?.ok_or_else(|| StorageError::corrupt(format!("header {number}"), "missing"))
}

fn split_header(number: u64, bytes: &[u8]) -> Result<(B256, &[u8])> {
    let (hash, header) = bytes
        .split_first_chunk::<32>()
        .ok_or_else(|| StorageError::corrupt(format!("header {number}"), "cut short"))?;
    Ok((B256::new(*hash), header))
}

/// A value of a block that is there.
fn part_of(snapshot: &Snapshot, column_name: &str, number: u64) -> Result<Vec<u8>> {
    let missing = || StorageError::corrupt(format!("{column_name} of block {number}"), "missing");
    snapshot.get(column_name, &number_key(number))?.ok_or_else(missing)
}

/// The header and body of a block that is there.
pub(crate) fn block(snapshot: &Snapshot, number: u64) -> Result<Block> {
    let (_, header) = header_that_is_there(snapshot, number)?;
    let body = part_of(snapshot, columns::BODIES, number)?;
    Ok(Block { header, body: decode(&format!("body {number}"), &body)? })
}

/// The hash of one transaction in an encoded body, without decoding the others.
fn transaction_hash(number: u64, body: &[u8], index: u32) -> Result<B256> {
    let what = || format!("body {number}");
    let corrupt = |error| StorageError::corrupt(what(), error);
    let body = alloy_rlp::Header::decode_bytes(&mut &*body, true).map_err(corrupt)?;
    let mut transactions = alloy_rlp::Header::decode_bytes(&mut &*body, true).map_err(corrupt)?;
    for _ in 0..index {
        let item = alloy_rlp::Header::decode(&mut transactions).map_err(corrupt)?;
        let rest = transactions.get(item.payload_length..);
        transactions = rest.ok_or_else(|| StorageError::corrupt(what(), "cut short"))?;
    }
    let from_here = transactions;
    let item = alloy_rlp::Header::decode(&mut transactions).map_err(corrupt)?;
    let payload = transactions.get(..item.payload_length);
    let payload = payload.ok_or_else(|| StorageError::corrupt(what(), "cut short"))?;
    // A transaction without a type is the list itself; one with a type stands in a string.
    let encoded = if item.list {
        &from_here[..from_here.len() - transactions.len() + item.payload_length]
    } else {
        payload
    };
    Ok(keccak256(encoded))
}
