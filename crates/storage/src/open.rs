//! Opening the folder: how RocksDB is set up, and what happens to a log that is damaged.

use std::{fs, path::Path};

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamilyDescriptor, DB, DBCompressionType, DBRecoveryMode,
    DataBlockIndexType, ErrorKind, Options, SliceTransform,
};
use tracing::error;

use crate::{
    Result, StorageError,
    codec::decode_number,
    columns,
    database::{SCHEMA_KEY, SCHEMA_VERSION},
};

/// Bytes of table blocks, their indices and filters in memory, over all column families.
pub const BLOCK_CACHE_BYTES: usize = 256 << 20;

/// Bytes of writes in memory that are not in tables yet, and of the log that they are replayed from after a
/// crash. As many can be on their way to tables.
pub const WRITE_BUFFERS_BYTES: usize = 128 << 20;

/// Table files kept open.
pub const OPEN_FILES: i32 = 1024;

const BLOCK_BYTES: usize = 8 << 10;
/// Blocks of what is read one small entry at a time.
const POINT_BLOCK_BYTES: usize = 4 << 10;
/// Blocks of what is written once, in order, and compresses the better the longer.
const ARCHIVE_BLOCK_BYTES: usize = 32 << 10;

/// Opens the folder, making it where it is not there.
///
/// The log is first replayed so that a record cut short at its very end, which no call had reported as
/// written, is dropped and any other damage is an error. Then that error is reported, and the log is
/// replayed as far as it is whole: the state of some moment before the damage, in all column families.
pub(crate) fn open(path: &Path, write_buffers_bytes: usize) -> Result<DB> {
    fs::create_dir_all(path)
        .map_err(|error| StorageError::Folder { path: path.to_owned(), reason: error.to_string() })?;
    check_schema(path)?;
    match open_with(path, write_buffers_bytes, DBRecoveryMode::TolerateCorruptedTailRecords) {
        Err(StorageError::RocksDb(found)) if found.kind() == ErrorKind::Corruption => {
            error!(path = %path.display(), error = %found, "the log is damaged; using it as far as it is whole");
            open_with(path, write_buffers_bytes, DBRecoveryMode::PointInTime)
        }
        result => result,
    }
}

/// Refuses a folder whose column families are those of another schema, which RocksDB would not open.
fn check_schema(path: &Path) -> Result<()> {
    let options = Options::default();
    // An empty folder has no list; one that is damaged is for opening to report.
    let Ok(names) = DB::list_cf(&options, path) else { return Ok(()) };
    let known = |name: &String| name == "default" || columns::ALL.contains(&name.as_str());
    if names.iter().all(known) {
        return Ok(());
    }
    let db = DB::open_cf_for_read_only(&options, path, names, false)?;
    let schema = match db.cf_handle(columns::META) {
        Some(meta) => db.get_cf(meta, SCHEMA_KEY)?,
        None => None,
    };
    let found = schema.map_or(Ok(0), |bytes| decode_number("schema version", &bytes))?;
    Err(StorageError::OtherSchema { path: path.to_owned(), found, expected: SCHEMA_VERSION })
}

fn open_with(path: &Path, write_buffers_bytes: usize, recovery: DBRecoveryMode) -> Result<DB> {
    let cache = Cache::new_hyper_clock_cache(BLOCK_CACHE_BYTES, BLOCK_BYTES);
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_wal_recovery_mode(recovery);
    // All column families go to tables together, so that any whole part of the log fits to them.
    options.set_atomic_flush(true);
    options.set_db_write_buffer_size(write_buffers_bytes);
    options.set_max_total_wal_size(write_buffers_bytes as u64);
    options.set_max_open_files(OPEN_FILES);
    options.set_max_background_jobs(2);
    options.set_bytes_per_sync(1 << 20);
    options.set_keep_log_file_num(4);
    options.set_max_log_file_size(4 << 20);
    let columns = columns::ALL
        .map(|name| ColumnFamilyDescriptor::new(name, column_options(name, write_buffers_bytes, &cache)));
    DB::open_cf_descriptors(&options, path, columns).map_err(|error| {
        // RocksDB has no kind of its own for a held lock; the file it names is always `LOCK`.
        if error.kind() == ErrorKind::IOError && error.as_ref().contains("LOCK") {
            StorageError::Locked { path: path.to_owned() }
        } else {
            error.into()
        }
    })
}

fn column_options(name: &str, write_buffers_bytes: usize, cache: &Cache) -> Options {
    let mut table = BlockBasedOptions::default();
    table.set_format_version(6);
    table.set_block_cache(cache);
    table.set_cache_index_and_filter_blocks(true);
    table.set_pin_l0_filter_and_index_blocks_in_cache(true);
    table.set_block_size(BLOCK_BYTES);
    let mut options = Options::default();
    options.set_write_buffer_size(write_buffers_bytes / 2);
    options.set_level_compaction_dynamic_level_bytes(true);
    options.set_compression_type(DBCompressionType::Lz4);
    match name {
        // Written in order of their keys: tables only ever move down, as they were first written.
        columns::HEADERS
        | columns::BODIES
        | columns::SENDERS
        | columns::RECEIPTS
        | columns::ACCOUNT_CHANGES
        | columns::STORAGE_CHANGES => {
            table.set_block_size(ARCHIVE_BLOCK_BYTES);
            options.set_compression_type(DBCompressionType::Zstd);
        }
        // Keys alone, sought by how they start.
        columns::TRANSACTIONS | columns::ACCOUNT_INDEX | columns::STORAGE_INDEX => {
            let prefix = match name {
                columns::STORAGE_INDEX => columns::STORAGE_INDEX_PREFIX,
                columns::ACCOUNT_INDEX => columns::ACCOUNT_START,
                _ => columns::TX_START,
            };
            options.set_prefix_extractor(SliceTransform::create_fixed_prefix(prefix));
            table.set_bloom_filter(10.0, false);
            table.set_whole_key_filtering(false);
            options.set_bottommost_compression_type(DBCompressionType::Zstd);
        }
        columns::ACCOUNT_NODES | columns::STORAGE_NODES => {
            table.set_bloom_filter(10.0, false);
            options.set_compression_type(DBCompressionType::None);
        }
        columns::CODES => {
            table.set_bloom_filter(10.0, false);
            options.set_compression_type(DBCompressionType::Zstd);
        }
        // Point reads alone. What is hashed does not compress.
        _ => {
            table.set_bloom_filter(10.0, false);
            table.set_block_size(POINT_BLOCK_BYTES);
            table.set_data_block_index_type(DataBlockIndexType::BinaryAndHash);
            options.set_compression_type(DBCompressionType::None);
        }
    }
    options.set_block_based_table_factory(&table);
    options
}
