//! RocksDB as this crate uses it: opening, column families, snapshots.

use std::{fmt, fs, path::Path, sync::Arc};

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB, DBCompressionType, DBRawIterator,
    ErrorKind, IteratorMode, Options, PrefixRange, ReadOptions, WriteBatch, WriteOptions,
};
use self_cell::self_cell;

use crate::{Result, StorageError, columns};

const BLOCK_CACHE_BYTES: usize = 128 << 20;
const WRITE_BUFFERS_BYTES: usize = 128 << 20;
const OPEN_FILES: i32 = 512;

/// Opens the folder, making it where it is not there.
pub(crate) fn open(path: &Path) -> Result<DB> {
    fs::create_dir_all(path)
        .map_err(|error| StorageError::Folder { path: path.to_owned(), reason: error.to_string() })?;
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(&Cache::new_lru_cache(BLOCK_CACHE_BYTES));
    table.set_bloom_filter(10.0, false);
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_db_write_buffer_size(WRITE_BUFFERS_BYTES);
    options.set_max_open_files(OPEN_FILES);
    options.set_keep_log_file_num(4);
    options.set_block_based_table_factory(&table);
    options.set_compression_type(DBCompressionType::Lz4);
    let columns = columns::ALL.map(|name| ColumnFamilyDescriptor::new(name, options.clone()));
    DB::open_cf_descriptors(&options, path, columns).map_err(|error| {
        // RocksDB has no kind of its own for a held lock; the file it names is always `LOCK`.
        if error.kind() == ErrorKind::IOError && error.as_ref().contains("LOCK") {
            StorageError::Locked { path: path.to_owned() }
        } else {
            error.into()
        }
    })
}

/// The column family, which `open` has made.
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

    /// One value.
    pub(crate) fn get(&self, column_name: &str, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let column = column(self.0.borrow_owner(), column_name)?;
        Ok(self.0.borrow_dependent().get_cf(column, key)?)
    }

    /// The pairs whose key starts with `prefix`, in key order.
    pub(crate) fn iterate(
        &self,
        column_name: &str,
        prefix: &[u8],
    ) -> Result<impl Iterator<Item = Result<Pair>> + '_> {
        let column = column(self.0.borrow_owner(), column_name)?;
        let mut options = ReadOptions::default();
        options.set_iterate_range(PrefixRange(prefix));
        let iterator = self.0.borrow_dependent().iterator_cf_opt(column, options, IteratorMode::Start);
        Ok(iterator.map(|item| item.map_err(StorageError::from)))
    }

    /// A cursor over the keys that start with `prefix`.
    pub(crate) fn cursor(&self, column_name: &str, prefix: &[u8]) -> Result<DBRawIterator<'_>> {
        let column = column(self.0.borrow_owner(), column_name)?;
        let mut options = ReadOptions::default();
        options.set_iterate_range(PrefixRange(prefix));
        Ok(self.0.borrow_dependent().raw_iterator_cf_opt(column, options))
    }
}
