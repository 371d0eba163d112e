//! Blocks, receipts and lookups.

use alloy_consensus::{BlockBody, Header};
use alloy_primitives::{Address, B256};
use openledger_primitives::{OpenReceipt, OpenTxEnvelope};

use crate::{
    Block, Database, Result, StorageError,
    codec::{array, decode, decode_addresses, decode_number},
    columns::{self, number_key},
    store::{Snapshot, column},
};

impl Database {
    /// The header of block `number`.
    pub fn header_by_number(&self, number: u64) -> Result<Option<Header>> {
        self.get(columns::HEADERS, &number_key(number))?
            .map(|header| decode(&format!("header {number}"), &header))
            .transpose()
    }

    /// The header with this hash.
    pub fn header_by_hash(&self, hash: B256) -> Result<Option<Header>> {
        let snapshot = self.snapshot();
        number_of(&snapshot, hash)?.map(|number| header(&snapshot, number)).transpose()
    }

    /// Block `number`.
    pub fn block_by_number(&self, number: u64) -> Result<Option<Block>> {
        let snapshot = self.snapshot();
        if snapshot.get(columns::HASHES, &number_key(number))?.is_none() {
            return Ok(None);
        }
        block(&snapshot, number).map(Some)
    }

    /// The block with this hash.
    pub fn block_by_hash(&self, hash: B256) -> Result<Option<Block>> {
        let snapshot = self.snapshot();
        number_of(&snapshot, hash)?.map(|number| block(&snapshot, number)).transpose()
    }

    /// The hash of block `number`.
    pub fn hash_of(&self, number: u64) -> Result<Option<B256>> {
        self.get(columns::HASHES, &number_key(number))?
            .map(|hash| Ok(B256::new(array("block hash", &hash)?)))
            .transpose()
    }

    /// The number of the block with this hash.
    pub fn number_of(&self, hash: B256) -> Result<Option<u64>> {
        self.get(columns::NUMBERS, hash.as_slice())?
            .map(|number| decode_number("block number", &number))
            .transpose()
    }

    /// The sender of each transaction of block `number`, in order.
    pub fn senders_of(&self, number: u64) -> Result<Option<Vec<Address>>> {
        self.get(columns::SENDERS, &number_key(number))?
            .map(|senders| decode_addresses(&format!("senders of block {number}"), &senders))
            .transpose()
    }

    /// The receipt of each transaction of block `number`, in order.
    pub fn receipts_of(&self, number: u64) -> Result<Option<Vec<OpenReceipt>>> {
        self.get(columns::RECEIPTS, &number_key(number))?
            .map(|receipts| decode(&format!("receipts of block {number}"), &receipts))
            .transpose()
    }

    /// Where a transaction is: block number and index in the block.
    pub fn transaction_position(&self, tx_hash: B256) -> Result<Option<(u64, u32)>> {
        let Some(position) = self.get(columns::TRANSACTIONS, tx_hash.as_slice())? else { return Ok(None) };
        let position: [u8; 12] = array("transaction position", &position)?;
        let [.., a, b, c, d] = position;
        Ok(Some((decode_number("block number", &position[..8])?, u32::from_be_bytes([a, b, c, d]))))
    }

    fn get(&self, column_name: &str, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.db().get_cf(column(self.db(), column_name)?, key)?)
    }
}

fn number_of(snapshot: &Snapshot, hash: B256) -> Result<Option<u64>> {
    snapshot
        .get(columns::NUMBERS, hash.as_slice())?
        .map(|number| decode_number("block number", &number))
        .transpose()
}

/// The value of a block that is there.
fn part_of<T: alloy_rlp::Decodable>(snapshot: &Snapshot, column_name: &str, number: u64) -> Result<T> {
    let what = format!("{column_name} of block {number}");
    match snapshot.get(column_name, &number_key(number))? {
        Some(bytes) => decode(&what, &bytes),
        None => Err(StorageError::corrupt(what, "missing")),
    }
}

fn header(snapshot: &Snapshot, number: u64) -> Result<Header> {
    part_of(snapshot, columns::HEADERS, number)
}

/// The header and body of a block that is there.
pub(crate) fn block(snapshot: &Snapshot, number: u64) -> Result<Block> {
    let body: BlockBody<OpenTxEnvelope> = part_of(snapshot, columns::BODIES, number)?;
    Ok(Block { header: header(snapshot, number)?, body })
}
