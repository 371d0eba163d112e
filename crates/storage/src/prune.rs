//! Dropping what is old: receipts, and the history that past states are read from.

use std::{fmt, str::FromStr};

use rocksdb::WriteBatch;
use tracing::debug;

use crate::{
    Database, Heads, Result,
    codec::Pruned,
    columns::{self, number_key},
    database::{PRUNED_KEY, WriterGuard},
    history::visit_index_keys,
    state_view::pruned,
    store::{column, write_synced},
};

/// Blocks that are pruned together.
const STEP_BLOCKS: u64 = 256;

/// What of the past is kept. Headers, bodies, senders, lookups and the state at the head always are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pruning {
    /// Everything.
    #[default]
    Archive,
    /// Receipts and states of this many blocks before the head, and of all blocks from the finalized one on
    /// once there is one after genesis. At least [`Self::MINIMUM_DISTANCE`].
    Distance(u64),
}

impl Pruning {
    /// What most nodes need: a day and a half of blocks a dozen seconds apart.
    pub const FULL: Self = Self::Distance(10_064);

    /// The fewest blocks before the head that are kept, so that there is room for reorgs.
    pub const MINIMUM_DISTANCE: u64 = 128;

    /// The oldest block whose state and receipts are kept.
    fn keeps_from(self, heads: &Heads) -> u64 {
        let Self::Distance(distance) = self else { return 0 };
        let oldest = heads.latest.number.saturating_sub(distance.max(Self::MINIMUM_DISTANCE));
        match heads.finalized.number {
            0 => oldest,
            finalized => oldest.min(finalized),
        }
    }
}

impl fmt::Display for Pruning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Archive => f.write_str("archive"),
            Self::FULL => f.write_str("full"),
            Self::Distance(distance) => write!(f, "distance={distance}"),
        }
    }
}

impl FromStr for Pruning {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let distance = match text {
            "archive" => return Ok(Self::Archive),
            "full" => return Ok(Self::FULL),
            _ => text.strip_prefix("distance=").and_then(|number| number.parse().ok()),
        };
        match distance {
            Some(distance) if distance >= Self::MINIMUM_DISTANCE => Ok(Self::Distance(distance)),
            Some(_) => Err(format!("keep at least {} blocks", Self::MINIMUM_DISTANCE)),
            None => Err("choose archive, full, or distance=N with a number of blocks".to_owned()),
        }
    }
}

/// What pruning left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PruneReport {
    /// Blocks whose receipts and history were dropped by this call.
    pub blocks: u64,
    /// The oldest block whose state can be read.
    pub state_from: u64,
    /// The oldest block whose receipts are there.
    pub receipts_from: u64,
}

impl Database {
    /// Drops what `pruning` does not keep, some hundred blocks at a time.
    pub fn prune(&self, pruning: Pruning) -> Result<PruneReport> {
        let writer = self.writer();
        let blocks = self.prune_to(&writer, pruning.keeps_from(&self.heads()))?;
        let pruned = pruned(&self.snapshot())?;
        let state_from = pruned.changes_from.saturating_sub(1);
        Ok(PruneReport { blocks, state_from, receipts_from: pruned.receipts_from })
    }

    /// Drops what the database was opened not to keep, where it is worth the while.
    pub(crate) fn prune_if_due(&self, writer: &WriterGuard<'_>) -> Result<()> {
        let keep = self.config().pruning.keeps_from(&self.heads());
        if keep >= STEP_BLOCKS {
            let changes_from = pruned(&self.snapshot())?.changes_from;
            if keep.saturating_sub(changes_from) >= STEP_BLOCKS {
                self.prune_to(writer, keep)?;
            }
        }
        Ok(())
    }

    /// Drops receipts before block `keep` and what is needed for states before it only.
    fn prune_to(&self, _writer: &WriterGuard<'_>, keep: u64) -> Result<u64> {
        let snapshot = self.snapshot();
        let mut pruned = pruned(&snapshot)?;
        let start = pruned.changes_from.max(1);
        while pruned.changes_from <= keep {
            // Genesis has no changes; the state of `keep` needs those of the blocks after it.
            let first = pruned.changes_from.max(1);
            let end = keep.saturating_add(1).min(first + STEP_BLOCKS);
            if first >= end {
                break;
            }
            let mut batch = WriteBatch::default();
            for number in first..end {
                visit_index_keys(&snapshot, number, |name, key| {
                    batch.delete_cf(column(self.db(), name)?, key);
                    Ok(())
                })?;
            }
            for name in [columns::ACCOUNT_CHANGES, columns::STORAGE_CHANGES] {
                let column = column(self.db(), name)?;
                batch.delete_range_cf(column, number_key(pruned.changes_from), number_key(end));
            }
            let receipts_end = end.min(keep);
            let receipts = column(self.db(), columns::RECEIPTS)?;
            batch.delete_range_cf(receipts, number_key(pruned.receipts_from), number_key(receipts_end));
            pruned = Pruned { changes_from: end, receipts_from: receipts_end };
            batch.put_cf(column(self.db(), columns::META)?, PRUNED_KEY, pruned.encode());
            write_synced(self.db(), batch)?;
        }
        let blocks = pruned.changes_from.saturating_sub(start);
        if blocks > 0 {
            debug!(blocks, state_from = pruned.changes_from - 1, "pruned");
        }
        Ok(blocks)
    }
}
