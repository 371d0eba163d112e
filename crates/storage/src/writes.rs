//! Appending blocks, taking them back, and moving the heads: one synced batch each.

use std::borrow::Borrow;

use alloy_eips::BlockNumHash;
use alloy_primitives::U256;
use alloy_rlp::Decodable;
use openledger_trie::TrieAccount;
use rocksdb::{DB, WriteBatch};
use tracing::{debug, warn};

use crate::{
    Block, Database, Heads, NewBlock, Result, StateUpdate, StorageError,
    codec::{self, encode_changed_keys, encode_old_account, encode_old_slot, encode_slot},
    columns::{self, history_key, number_key, slot_key},
    reads,
    store::{Snapshot, column},
};

impl Database {
    /// Stores one block on top of the head; see [`Self::persist`].
    pub fn append(&self, new: NewBlock) -> Result<()> {
        self.persist(&[new])
    }

    /// Stores consecutive blocks, oldest first, the first on top of the head: all or nothing, and
    /// durably. When this returns, they survive power loss.
    pub fn persist<B: Borrow<NewBlock>>(&self, blocks: &[B]) -> Result<()> {
        let _writer = self.writer();
        let heads = self.heads();
        let mut latest = heads.latest;
        let mut batch = WriteBatch::default();
        for new in blocks {
            let new = new.borrow();
            self.check_block(new, latest)?;
            write_block(self.db(), &mut batch, new)?;
            latest = BlockNumHash::new(new.block.header.number, new.hash);
        }
        if latest != heads.latest {
            self.commit(batch, Heads { latest, ..heads })?;
            debug!(number = latest.number, hash = %latest.hash, blocks = blocks.len(), "stored blocks");
        }
        Ok(())
    }

    /// Takes back the blocks after `number` and returns them, oldest first. The safe head moves
    /// back with them; finalized blocks are never taken back.
    pub fn unwind_to(&self, number: u64) -> Result<Vec<Block>> {
        let _writer = self.writer();
        let heads = self.heads();
        let head = heads.latest.number;
        let to = BlockNumHash::new(
            number,
            self.hash_of(number)?.ok_or(StorageError::NoSuchBlock { number, head })?,
        );
        if number < heads.finalized.number {
            let reason = format!("block {} is finalized", heads.finalized.number);
            return Err(StorageError::InvalidHead { head: "latest", to, reason });
        }
        let snapshot = self.snapshot();
        let mut batch = WriteBatch::default();
        let mut blocks = Vec::new();
        // From the newest down: of a key that several blocks changed, the oldest value is written last.
        for number in (number + 1..=head).rev() {
            let block = reads::block(&snapshot, number)?;
            unwind_block(self.db(), &mut batch, &snapshot, number, &block)?;
            blocks.push(block);
        }
        blocks.reverse();
        let safe = if heads.safe.number > number { to } else { heads.safe };
        self.commit(batch, Heads { latest: to, safe, ..heads })?;
        if !blocks.is_empty() {
            warn!(from = head, to = number, "unwound blocks");
        }
        Ok(blocks)
    }

    /// Moves the safe head, forwards or backwards, to a block between finalized and latest.
    pub fn set_safe(&self, block: BlockNumHash) -> Result<()> {
        let _writer = self.writer();
        let heads = self.heads();
        self.check_head("safe", block)?;
        if block.number < heads.finalized.number {
            let reason = format!("it is before the finalized block {}", heads.finalized.number);
            return Err(StorageError::InvalidHead { head: "safe", to: block, reason });
        }
        self.commit(WriteBatch::default(), Heads { safe: block, ..heads })
    }

    /// Moves the finalized head forwards, to a block that is safe.
    pub fn set_finalized(&self, block: BlockNumHash) -> Result<()> {
        let _writer = self.writer();
        let heads = self.heads();
        self.check_head("finalized", block)?;
        let reason = if block.number > heads.safe.number {
            format!("it is after the safe block {}, move that one first", heads.safe.number)
        } else if block.number < heads.finalized.number {
            format!("it is before the finalized block {}", heads.finalized.number)
        } else {
            return self.commit(WriteBatch::default(), Heads { finalized: block, ..heads });
        };
        Err(StorageError::InvalidHead { head: "finalized", to: block, reason })
    }

    /// Refuses a head that is not on the chain.
    fn check_head(&self, head: &'static str, to: BlockNumHash) -> Result<()> {
        if self.hash_of(to.number)? == Some(to.hash) {
            return Ok(());
        }
        Err(StorageError::InvalidHead { head, to, reason: "it is not on the chain".to_owned() })
    }

    /// Refuses a block that contradicts the head, itself or its state update.
    fn check_block(&self, new: &NewBlock, head: BlockNumHash) -> Result<()> {
        let NewBlock { block, hash, senders, receipts, update } = new;
        let header = &block.header;
        for parent in [header.parent_hash, update.parent()] {
            if parent != head.hash {
                return Err(StorageError::NotOnHead { parent, head });
            }
        }
        let transactions = block.body.transactions.len();
        let reason = if Some(header.number) != head.number.checked_add(1) {
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
}

/// Writes all that is stored of a block.
fn write_block(db: &DB, batch: &mut WriteBatch, new: &NewBlock) -> Result<()> {
    let NewBlock { block, hash, senders, receipts, update } = new;
    let number = block.header.number;
    let key = number_key(number);
    batch.put_cf(column(db, columns::HEADERS)?, key, alloy_rlp::encode(&block.header));
    batch.put_cf(column(db, columns::BODIES)?, key, alloy_rlp::encode(&block.body));
    batch.put_cf(column(db, columns::SENDERS)?, key, senders.iter().flat_map(|s| s.0.0).collect::<Vec<_>>());
    batch.put_cf(column(db, columns::RECEIPTS)?, key, alloy_rlp::encode(receipts));
    batch.put_cf(column(db, columns::HASHES)?, key, hash);
    batch.put_cf(column(db, columns::NUMBERS)?, hash, key);
    let transactions = column(db, columns::TRANSACTIONS)?;
    for (index, transaction) in (0_u32..).zip(&block.body.transactions) {
        let position = [&key[..], &index.to_be_bytes()].concat();
        batch.put_cf(transactions, transaction.tx_hash(), position);
    }
    write_state(db, batch, number, update)
}

/// Writes the new flat state, and the old one as history.
fn write_state(db: &DB, batch: &mut WriteBatch, number: u64, update: &StateUpdate) -> Result<()> {
    let accounts = column(db, columns::ACCOUNTS)?;
    let account_history = column(db, columns::ACCOUNT_HISTORY)?;
    let storage = column(db, columns::STORAGE)?;
    let storage_history = column(db, columns::STORAGE_HISTORY)?;
    for (hashed_address, change) in update.accounts() {
        match &change.new {
            Some(account) => batch.put_cf(accounts, hashed_address, alloy_rlp::encode(account)),
            None => batch.delete_cf(accounts, hashed_address),
        }
        let key = history_key(hashed_address.as_slice(), number);
        batch.put_cf(account_history, key, encode_old_account(change.old.as_ref()));
        for slot in &change.slots {
            let key = slot_key(*hashed_address, slot.hashed_slot);
            put_slot(batch, storage, &key, slot.new);
            batch.put_cf(storage_history, history_key(&key, number), encode_old_slot(slot.old));
        }
    }
    let codes = column(db, columns::CODES)?;
    for (hash, code) in update.codes() {
        batch.put_cf(codes, hash, code);
    }
    let changed = update.accounts().iter().map(|(address, change)| (*address, &change.slots[..]));
    batch.put_cf(column(db, columns::CHANGESETS)?, number_key(number), encode_changed_keys(changed));
    Ok(())
}

fn put_slot(batch: &mut WriteBatch, storage: &rocksdb::ColumnFamily, key: &[u8], value: U256) {
    if value.is_zero() {
        batch.delete_cf(storage, key);
    } else {
        batch.put_cf(storage, key, encode_slot(value));
    }
}

/// Takes back one block. Code stays: it is named by its hash and harms nobody.
fn unwind_block(
    db: &DB,
    batch: &mut WriteBatch,
    snapshot: &Snapshot,
    number: u64,
    block: &Block,
) -> Result<()> {
    let key = number_key(number);
    let missing = |what: &str| StorageError::corrupt(format!("{what} of block {number}"), "missing");
    let hash = snapshot.get(columns::HASHES, &key)?.ok_or_else(|| missing("hash"))?;
    let changed = snapshot.get(columns::CHANGESETS, &key)?.ok_or_else(|| missing("changeset"))?;
    for (hashed_address, slots) in codec::decode_changed_keys(&changed)? {
        let account = Restore { flat: columns::ACCOUNTS, history: columns::ACCOUNT_HISTORY, number };
        account.run::<TrieAccount>(db, batch, snapshot, hashed_address.as_slice())?;
        for hashed_slot in slots {
            let flat_key = slot_key(hashed_address, hashed_slot);
            let slot = Restore { flat: columns::STORAGE, history: columns::STORAGE_HISTORY, number };
            slot.run::<U256>(db, batch, snapshot, &flat_key)?;
        }
    }
    for transaction in &block.body.transactions {
        batch.delete_cf(column(db, columns::TRANSACTIONS)?, transaction.tx_hash());
    }
    batch.delete_cf(column(db, columns::NUMBERS)?, hash);
    let by_number = [
        columns::HEADERS,
        columns::BODIES,
        columns::SENDERS,
        columns::RECEIPTS,
        columns::HASHES,
        columns::CHANGESETS,
    ];
    for name in by_number {
        batch.delete_cf(column(db, name)?, key);
    }
    Ok(())
}

/// Putting back what flat keys held before block `number`.
struct Restore {
    flat: &'static str,
    history: &'static str,
    number: u64,
}

impl Restore {
    /// Puts back the value of one key, a `T`, and forgets its history.
    fn run<T: Decodable>(
        &self,
        db: &DB,
        batch: &mut WriteBatch,
        snapshot: &Snapshot,
        flat_key: &[u8],
    ) -> Result<()> {
        let what = || format!("{} of block {}", self.history, self.number);
        let history_key = history_key(flat_key, self.number);
        let old = snapshot
            .get(self.history, &history_key)?
            .ok_or_else(|| StorageError::corrupt(what(), "missing"))?;
        let flat = column(db, self.flat)?;
        if old == codec::NOTHING {
            batch.delete_cf(flat, flat_key);
        } else {
            // A damaged value must not come back as the state.
            codec::decode::<T>(&what(), &old)?;
            batch.put_cf(flat, flat_key, old);
        }
        batch.delete_cf(column(db, self.history)?, history_key);
        Ok(())
    }
}
