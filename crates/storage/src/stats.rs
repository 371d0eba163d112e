//! What the database takes, on disk and in memory.

use rocksdb::properties;

use crate::{
    Database, Heads, LostBlocks, Result, columns, database::SCHEMA_VERSION, state_view::pruned, store::column,
};

/// What one column family takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnStats {
    /// Its name, as in the README.
    pub name: &'static str,
    /// About how many keys it has.
    pub keys: u64,
    /// Bytes of its tables on disk.
    pub table_bytes: u64,
    /// Bytes in memory that are in the log but not in tables yet.
    pub memory_bytes: u64,
}

/// What the database holds and takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseStats {
    /// The heads.
    pub heads: Heads,
    /// Version of the encodings.
    pub schema: u64,
    /// The oldest block whose state can be read.
    pub state_from: u64,
    /// The oldest block whose receipts are there.
    pub receipts_from: u64,
    /// The last loss to a damaged log.
    pub lost: Option<LostBlocks>,
    /// Each column family.
    pub columns: Vec<ColumnStats>,
    /// Bytes of table blocks, indices and filters in memory.
    pub cache_bytes: u64,
}

impl DatabaseStats {
    /// Bytes of all tables on disk. The log comes on top, about as large as the write buffers at most.
    pub fn table_bytes(&self) -> u64 {
        self.columns.iter().map(|column| column.table_bytes).sum()
    }
}

impl Database {
    /// Counts what the database holds, without reading it.
    pub fn stats(&self) -> Result<DatabaseStats> {
        let db = self.db();
        let pruned = pruned(&self.snapshot())?;
        let mut columns = Vec::with_capacity(columns::ALL.len());
        let mut cache_bytes = 0;
        for name in columns::ALL {
            let column = column(db, name)?;
            let value = |property| -> Result<u64> {
                Ok(db.property_int_value_cf(column, property)?.unwrap_or_default())
            };
            cache_bytes = value(properties::BLOCK_CACHE_USAGE)?;
            columns.push(ColumnStats {
                name,
                keys: value(properties::ESTIMATE_NUM_KEYS)?,
                table_bytes: value(properties::TOTAL_SST_FILES_SIZE)?,
                memory_bytes: value(properties::SIZE_ALL_MEM_TABLES)?,
            });
        }
        Ok(DatabaseStats {
            heads: self.heads(),
            schema: SCHEMA_VERSION,
            state_from: pruned.changes_from.saturating_sub(1),
            receipts_from: pruned.receipts_from,
            lost: self.lost(),
            columns,
            cache_bytes,
        })
    }
}
