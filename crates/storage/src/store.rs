//! RocksDB as this crate uses it: reads, synced writes, snapshots.

use std::{fmt, sync::Arc};

use rocksdb::{
    ColumnFamily, DB, DBPinnableSlice, DBRawIterator, IteratorMode, PrefixRange, ReadOptions, WriteBatch,
    WriteOptions,
};
use self_cell::self_cell;

use crate::{Result, StorageError};

/// The column family, which opening has made.
pub(crate) fn column<'a>(db: &'a DB, name: &str) -> Result<&'a ColumnFamily> {
    db.cf_handle(name).ok_or_else(|| StorageError::corrupt("column family", format!("{name} is missing")))
}

/// Writes a batch, all or nothing, and waits until it is on disk.
pub(crate) fn write_synced(db: &DB, batch: WriteBatch) -> Result<()> {
    let mut options = WriteOptions::default();
    options.set_sync(true);
    Ok(db.write_opt(batch, &options)?)
}

/// A key and its value.
pub(crate) type Pair = (Box<[u8]>, Box<[u8]>);

type DbSnapshot<'a> = rocksdb::Snapshot<'a>;

self_cell! {
    struct SnapshotCell {
        owner: Arc<DB>,
        #[covariant]
        dependent: DbSnapshot,
    }
}

/// The whole database at one moment, whatever is written meanwhile.
#[derive(Clone)]
pub(crate) struct Snapshot(Arc<SnapshotCell>);

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").finish_non_exhaustive()
    }
}

impl Snapshot {
    /// The database as it is now.
    pub(crate) fn new(db: Arc<DB>) -> Self {
        Self(Arc::new(SnapshotCell::new(db, |db| db.snapshot())))
    }

    fn column(&self, name: &str) -> Result<&ColumnFamily> {
        column(self.0.borrow_owner(), name)
    }

    /// One value.
    pub(crate) fn get(&self, column_name: &str, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.0.borrow_dependent().get_cf(self.column(column_name)?, key)?)
    }

    /// One value, not copied.
    pub(crate) fn get_pinned(&self, column_name: &str, key: &[u8]) -> Result<Option<DBPinnableSlice<'_>>> {
        Ok(self.0.borrow_dependent().get_pinned_cf(self.column(column_name)?, key)?)
    }

    /// The values of keys in ascending order.
    pub(crate) fn get_many(
        &self,
        column_name: &str,
        keys: &[impl AsRef<[u8]>],
    ) -> Result<Vec<Result<Option<DBPinnableSlice<'_>>>>> {
        let mut options = ReadOptions::default();
        options.set_snapshot(self.0.borrow_dependent());
        let column = self.column(column_name)?;
        let values = self.0.borrow_owner().batched_multi_get_cf_opt(
            column,
            keys.iter().map(AsRef::as_ref),
            true,
            &options,
        );
        Ok(values.into_iter().map(|value| Ok(value?)).collect())
    }

    /// The pairs whose key starts with `prefix`, in key order.
    pub(crate) fn iterate(
        &self,
        column_name: &str,
        prefix: &[u8],
    ) -> Result<impl Iterator<Item = Result<Pair>> + '_> {
        let column = self.column(column_name)?;
        let options = scan_options(prefix);
        let iterator = self.0.borrow_dependent().iterator_cf_opt(column, options, IteratorMode::Start);
        Ok(iterator.map(|item| item.map_err(StorageError::from)))
    }

    /// A cursor over the keys that start with `prefix`.
    pub(crate) fn cursor(&self, column_name: &str, prefix: &[u8]) -> Result<DBRawIterator<'_>> {
        let column = self.column(column_name)?;
        Ok(self.0.borrow_dependent().raw_iterator_cf_opt(column, scan_options(prefix)))
    }
}

fn scan_options(prefix: &[u8]) -> ReadOptions {
    let mut options = ReadOptions::default();
    options.set_iterate_range(PrefixRange(prefix));
    // A long scan must not push out of the cache what execution reads.
    options.fill_cache(!prefix.is_empty());
    options
}
