//! Storing blocks: a range of them in one synced write.

use std::{borrow::Borrow, collections::BTreeMap};

use alloy_eips::BlockNumHash;
use alloy_primitives::{B256, U256};
use openledger_trie::{Nibbles, NodeRows, StateLayer, TrieAccount};
use rocksdb::{DB, WriteBatch};
use tracing::{debug, warn};

use crate::{
    Database, Heads, NewBlock, Result, StorageError,
    codec::{account_chunks, encode_account, encode_receipts, encode_slot, slot_chunks},
    columns::{
        self, NUMBER_LIMIT, account_index_key, number_key, slot_key, storage_index_key, transaction_key,
    },
    store::{Snapshot, column},
    stored_state::{path_key, storage_path_key},
};

impl Database {
    /// Stores consecutive blocks, oldest first, the first on top of the head: all or nothing, and
    /// durably. When this returns, they survive power loss.
    ///
    /// The longer the range, the less is written a block: of an account, a slot or a trie node that several
    /// blocks changed only the last value is.
    pub fn persist<B: Borrow<NewBlock>>(&self, blocks: &[B]) -> Result<()> {
        let mut writer = self.writer();
        let heads = self.heads();
        let mut latest = heads.latest;
        for new in blocks {
            let new = new.borrow();
            check_block(new, latest)?;
            latest = BlockNumHash::new(new.block.header.number, new.hash);
        }
        if latest == heads.latest {
            return Ok(());
        }
        let db = self.db();
        let layers: Vec<&StateLayer> = blocks.iter().map(|new| &**new.borrow().update.layer()).collect();
        // About what the batch will take, so that it is not copied as it grows.
        let bytes = layers.iter().map(|layer| layer.size_bytes()).sum();
        let mut batch = WriteBatch::with_capacity_bytes(bytes);
        for new in blocks {
            write_block(db, &mut batch, new.borrow())?;
        }
        write_lookups(db, &mut batch, blocks)?;
        write_codes(db, &mut batch, blocks)?;
        write_layers(db, &mut batch, &self.snapshot(), &layers)?;
        self.commit(&mut writer, batch, Heads { latest, ..heads })?;
        debug!(number = latest.number, hash = %latest.hash, blocks = blocks.len(), "stored blocks");
        if let Err(error) = self.prune_if_due(&writer) {
            // The blocks are stored; what is too old goes with the next ones.
            warn!(%error, "could not prune");
        }
        Ok(())
    }
}

/// Refuses a block that contradicts the head, itself or its state update.
fn check_block(new: &NewBlock, head: BlockNumHash) -> Result<()> {
    let NewBlock { block, hash, senders, receipts, update } = new;
    let header = &block.header;
    for parent in [header.parent_hash, update.parent()] {
        if parent != head.hash {
            return Err(StorageError::NotOnHead { parent, head });
        }
    }
    let transactions = block.body.transactions.len();
    let reason = if Some(header.number) != head.number.checked_add(1) || header.number >= NUMBER_LIMIT {
        format!("it follows block {}", head.number)
    } else if header.hash_slow() != *hash {
        format!("its header's hash is {}, not {hash}", header.hash_slow())
    } else if header.state_root != update.state_root() {
        format!("its state root is {}, its header says {}", update.state_root(), header.state_root)
    } else if senders.len() != transactions || receipts.len() != transactions {
        let (senders, receipts) = (senders.len(), receipts.len());
        format!("{transactions} transactions have {senders} senders and {receipts} receipts")
    } else {
        return Ok(());
    };
    Err(StorageError::InvalidBlock { number: header.number, reason })
}

/// Writes what is stored under a block's number.
fn write_block(db: &DB, batch: &mut WriteBatch, new: &NewBlock) -> Result<()> {
    let NewBlock { block, hash, senders, receipts, update } = new;
    let number = block.header.number;
    let key = number_key(number);
    let header = [hash.as_slice(), &alloy_rlp::encode(&block.header)].concat();
    batch.put_cf(column(db, columns::HEADERS)?, key, header);
    batch.put_cf(column(db, columns::BODIES)?, key, alloy_rlp::encode(&block.body));
    batch.put_cf(column(db, columns::SENDERS)?, key, senders.iter().flat_map(|s| s.0.0).collect::<Vec<_>>());
    batch.put_cf(column(db, columns::RECEIPTS)?, key, encode_receipts(receipts));
    for (key, chunk) in account_chunks(number, update.old()) {
        batch.put_cf(column(db, columns::ACCOUNT_CHANGES)?, key, chunk);
    }
    for (key, chunk) in slot_chunks(number, update.old()) {
        batch.put_cf(column(db, columns::STORAGE_CHANGES)?, key, chunk);
    }
    Ok(())
}

/// Writes what finds blocks, transactions and changes: small keys, in order.
fn write_lookups<B: Borrow<NewBlock>>(db: &DB, batch: &mut WriteBatch, blocks: &[B]) -> Result<()> {
    let numbers = column(db, columns::NUMBERS)?;
    let (mut transactions, mut accounts, mut slots) = (Vec::new(), Vec::new(), Vec::new());
    for new in blocks {
        let NewBlock { block, hash, update, .. } = new.borrow();
        let number = block.header.number;
        batch.put_cf(numbers, hash, number_key(number));
        for (index, transaction) in (0_u32..).zip(&block.body.transactions) {
            transactions.push(transaction_key(transaction.hash(), number, index));
        }
        for old in update.old() {
            accounts.push(account_index_key(old.hashed_address, number));
            let slot_keys = old.slots.iter();
            slots.extend(slot_keys.map(|(slot, _)| storage_index_key(old.hashed_address, *slot, number)));
        }
    }
    put_keys(batch, column(db, columns::TRANSACTIONS)?, transactions);
    put_keys(batch, column(db, columns::ACCOUNT_INDEX)?, accounts);
    put_keys(batch, column(db, columns::STORAGE_INDEX)?, slots);
    Ok(())
}

/// Puts keys without values, in order: so each is quickly put beside the one before it.
fn put_keys<const N: usize>(batch: &mut WriteBatch, column: &rocksdb::ColumnFamily, mut keys: Vec<[u8; N]>) {
    keys.sort_unstable();
    for key in keys {
        batch.put_cf(column, key, []);
    }
}

fn write_codes<B: Borrow<NewBlock>>(db: &DB, batch: &mut WriteBatch, blocks: &[B]) -> Result<()> {
    let codes = column(db, columns::CODES)?;
    for new in blocks {
        for (hash, code) in new.borrow().update.codes() {
            batch.put_cf(codes, hash, code);
        }
    }
    Ok(())
}

/// Writes the flat state and the trie nodes that `layers`, oldest first, leave on top of the stored state,
/// which `stored` holds. Keys are written in order, each once.
pub(crate) fn write_layers(
    db: &DB,
    batch: &mut WriteBatch,
    stored: &Snapshot,
    layers: &[&StateLayer],
) -> Result<()> {
    let accounts = column(db, columns::ACCOUNTS)?;
    let mut value = Vec::new();
    for (hashed_address, account) in newest(layers.iter().map(|layer| layer.accounts.iter())) {
        match account {
            Some(account) => put_account(batch, accounts, hashed_address, account, &mut value),
            None => batch.delete_cf(accounts, hashed_address),
        }
    }
    write_storages(db, batch, stored, layers)?;
    let nodes = column(db, columns::ACCOUNT_NODES)?;
    for (path, node) in newest_rows(layers.iter().map(|layer| &layer.nodes.accounts)) {
        put_node(batch, nodes, path_key(&path).as_ref(), node);
    }
    write_storage_nodes(db, batch, stored, layers)
}

fn write_storages(db: &DB, batch: &mut WriteBatch, stored: &Snapshot, layers: &[&StateLayer]) -> Result<()> {
    let column = column(db, columns::STORAGE)?;
    for (hashed_address, storages) in by_key(layers.iter().map(|layer| layer.storages.iter())) {
        let wiped = storages.iter().rposition(|storage| storage.wiped);
        if wiped.is_some() {
            delete_all(batch, column, stored, columns::STORAGE, &hashed_address)?;
        }
        let storages = &storages[wiped.unwrap_or_default()..];
        for (hashed_slot, change) in newest(storages.iter().map(|storage| storage.slots.iter())) {
            put_slot(batch, column, &slot_key(hashed_address, hashed_slot), change.value);
        }
    }
    Ok(())
}

fn write_storage_nodes(
    db: &DB,
    batch: &mut WriteBatch,
    stored: &Snapshot,
    layers: &[&StateLayer],
) -> Result<()> {
    let column = column(db, columns::STORAGE_NODES)?;
    for (hashed_address, updates) in by_key(layers.iter().map(|layer| layer.nodes.storages.iter())) {
        let wiped = updates.iter().rposition(|updates| updates.wiped);
        if wiped.is_some() {
            delete_all(batch, column, stored, columns::STORAGE_NODES, &hashed_address)?;
        }
        let updates = &updates[wiped.unwrap_or_default()..];
        for (path, node) in newest_rows(updates.iter().map(|updates| &updates.nodes)) {
            put_node(batch, column, storage_path_key(hashed_address, &path).as_ref(), node);
        }
    }
    Ok(())
}

/// Removes everything that is stored for an account in a column family.
fn delete_all(
    batch: &mut WriteBatch,
    column: &rocksdb::ColumnFamily,
    stored: &Snapshot,
    name: &'static str,
    hashed_address: &B256,
) -> Result<()> {
    for item in stored.iterate(name, hashed_address.as_slice())? {
        batch.delete_cf(column, item?.0);
    }
    Ok(())
}

pub(crate) fn put_account(
    batch: &mut WriteBatch,
    column: &rocksdb::ColumnFamily,
    hashed_address: B256,
    account: &TrieAccount,
    buffer: &mut Vec<u8>,
) {
    buffer.clear();
    encode_account(account, buffer);
    batch.put_cf(column, hashed_address, &buffer);
}

pub(crate) fn put_slot(batch: &mut WriteBatch, column: &rocksdb::ColumnFamily, key: &[u8], value: U256) {
    if value.is_zero() {
        batch.delete_cf(column, key);
    } else {
        batch.put_cf(column, key, encode_slot(value));
    }
}

fn put_node(batch: &mut WriteBatch, column: &rocksdb::ColumnFamily, key: &[u8], node: Option<&[u8]>) {
    match node {
        Some(node) => batch.put_cf(column, key, node),
        None => batch.delete_cf(column, key),
    }
}

/// The entries of sorted maps, oldest map first, as one sorted list; of one key the newest entry counts.
fn newest<'a, K: Copy + Ord + 'a, V>(
    maps: impl Iterator<Item = impl Iterator<Item = (&'a K, V)>>,
) -> Vec<(K, V)> {
    let mut entries: Vec<(K, V)> = maps.flatten().map(|(key, value)| (*key, value)).collect();
    // Stable, and quick on what is made of sorted runs.
    entries.sort_by_key(|entry| entry.0);
    keep_last_of_equals(entries, |a, b| a.0 == b.0)
}

/// [`newest`] of trie nodes.
fn newest_rows<'a>(rows: impl Iterator<Item = &'a NodeRows>) -> Vec<(Nibbles, Option<&'a [u8]>)> {
    let mut entries: Vec<_> = rows.flat_map(NodeRows::iter).collect();
    entries.sort_by_key(|entry| entry.0);
    keep_last_of_equals(entries, |a, b| a.0 == b.0)
}

fn keep_last_of_equals<T>(mut entries: Vec<T>, equal: impl Fn(&T, &T) -> bool) -> Vec<T> {
    entries.reverse();
    entries.dedup_by(|later, kept| equal(later, kept));
    entries.reverse();
    entries
}

/// The entries of maps, oldest map first, by key.
fn by_key<'a, V: 'a>(
    maps: impl Iterator<Item = impl Iterator<Item = (&'a B256, &'a V)>>,
) -> BTreeMap<B256, Vec<&'a V>> {
    let mut entries = BTreeMap::<B256, Vec<&V>>::new();
    for (key, value) in maps.flatten() {
        entries.entry(*key).or_default().push(value);
    }
    entries
}
