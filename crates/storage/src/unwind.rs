//! Taking blocks back.

use alloy_eips::BlockNumHash;
use rocksdb::WriteBatch;
use tracing::warn;

use crate::{
    Block, Database, Heads, Result, StorageError, StoredState,
    columns::{self, number_key, transaction_key},
    history::{Reverts, visit_index_keys},
    persist::write_layers,
    reads,
    state_view::{pruned, revert},
    store::column,
};

/// Accounts and slots that may change back in one call.
const UNWIND_CHANGES: usize = 8_000_000;

impl Database {
    /// Takes back the blocks after `number` and returns them, oldest first: all or nothing, and durably.
    /// The safe head moves back with them; finalized blocks are never taken back.
    ///
    /// What the blocks' keys held before them is put back, and the trie is computed anew from there: it must
    /// lead to the root in the header of block `number`, else nothing changes. Memory grows with what the
    /// blocks hold: of many, take back some hundreds at a time.
    pub fn unwind_to(&self, number: u64) -> Result<Vec<Block>> {
        let mut writer = self.writer();
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
        if number == head {
            return Ok(Vec::new());
        }
        let snapshot = self.snapshot();
        let first = pruned(&snapshot)?.changes_from.saturating_sub(1);
        if number < first {
            return Err(StorageError::Pruned { what: "state", number, first });
        }
        let db = self.db();
        let mut batch = WriteBatch::default();
        let reverts = Reverts::to(&snapshot, number, UNWIND_CHANGES)?;
        let layer = revert(&StoredState::new(snapshot.clone()), head, number, &reverts)?;
        write_layers(db, &mut batch, &snapshot, &[&layer])?;
        let mut blocks = Vec::new();
        for number in number + 1..=head {
            let (hash, _) = reads::header_that_is_there(&snapshot, number)?;
            let block = reads::block(&snapshot, number)?;
            let transactions = column(db, columns::TRANSACTIONS)?;
            for (index, transaction) in (0_u32..).zip(&block.body.transactions) {
                batch.delete_cf(transactions, transaction_key(transaction.hash(), number, index));
            }
            batch.delete_cf(column(db, columns::NUMBERS)?, hash);
            for name in [columns::HEADERS, columns::BODIES, columns::SENDERS, columns::RECEIPTS] {
                batch.delete_cf(column(db, name)?, number_key(number));
            }
            visit_index_keys(&snapshot, number, |name, key| {
                batch.delete_cf(column(db, name)?, key);
                Ok(())
            })?;
            for name in [columns::ACCOUNT_CHANGES, columns::STORAGE_CHANGES] {
                for item in snapshot.iterate(name, &number_key(number))? {
                    batch.delete_cf(column(db, name)?, item?.0);
                }
            }
            blocks.push(block);
        }
        let safe = if heads.safe.number > number { to } else { heads.safe };
        self.commit(&mut writer, batch, Heads { latest: to, safe, ..heads })?;
        warn!(from = head, to = number, "unwound blocks");
        Ok(blocks)
    }
}
