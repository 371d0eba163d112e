//! The chain on disk: opening it, and what its reads and writes share.

use std::{path::Path, sync::Arc};

use alloy_eips::BlockNumHash;
use alloy_primitives::{Address, B256};
use arc_swap::ArcSwap;
use openledger_chainspec::ChainSpec;
use openledger_trie::AccountProof;
use parking_lot::{Mutex, MutexGuard};
use rocksdb::{ColumnFamily, DB, FlushOptions, WriteBatch, properties};
use tracing::{error, info, warn};

use crate::{
    Heads, LostBlocks, Pruning, StateUpdate, StateView, StorageError,
    codec::{Commit, array, decode_number},
    columns,
    durable::DurableMark,
    genesis,
    open::{self, WRITE_BUFFERS_BYTES},
    store::{self, Snapshot, column},
    tries::WarmTries,
};

/// Result of a database call.
pub type Result<T, E = StorageError> = std::result::Result<T, E>;

/// The version of the encodings in this crate's README.
pub const SCHEMA_VERSION: u64 = 3;

pub(crate) const HEADS_KEY: &[u8] = b"heads";
pub(crate) const GENESIS_KEY: &[u8] = b"genesis";
pub(crate) const CHAIN_ID_KEY: &[u8] = b"chain_id";
pub(crate) const SCHEMA_KEY: &[u8] = b"schema";
pub(crate) const PRUNED_KEY: &[u8] = b"pruned";
const LOST_KEY: &[u8] = b"lost";

/// How a database is opened.
#[derive(Debug, Clone, Copy)]
pub struct DatabaseConfig {
    /// What is dropped while blocks are stored.
    pub pruning: Pruning,
    /// Bytes of writes in memory that are not in tables yet, and of the log: the file system sets aside room for
    /// them at opening, so that a small database opens sooner with few. [`WRITE_BUFFERS_BYTES`] by default.
    pub write_buffers_bytes: usize,
}

impl Default for DatabaseConfig {
    fn default() -> Self {
        Self { pruning: Pruning::default(), write_buffers_bytes: WRITE_BUFFERS_BYTES }
    }
}

/// A chain on disk. Cheap to clone; reads take no lock and are never torn by a write.
#[derive(Debug, Clone)]
pub struct Database {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    db: Arc<DB>,
    spec: Arc<ChainSpec>,
    config: DatabaseConfig,
    /// What the database holds under [`HEADS_KEY`], set after each write.
    heads: ArcSwap<Heads>,
    /// Held while writing.
    writer: Mutex<Writer>,
    lost: Option<LostBlocks>,
    tries: Arc<WarmTries>,
}

/// What only the one who writes changes.
#[derive(Debug)]
pub(crate) struct Writer {
    generation: u64,
    durable: DurableMark,
}

/// The right to write, for as long as it is held.
pub(crate) type WriterGuard<'a> = MutexGuard<'a, Writer>;

/// Bytes that are in the log only at which closing writes them to tables: replaying them would take longer.
const CLOSE_FLUSH_BYTES: u64 = 16 << 20;

impl Drop for Inner {
    fn drop(&mut self) {
        let columns: Result<Vec<_>> = columns::ALL.iter().map(|name| column(&self.db, name)).collect();
        let Ok(columns) = columns else { return };
        let in_memory = |column: &&ColumnFamily| {
            let bytes = self.db.property_int_value_cf(*column, properties::CUR_SIZE_ACTIVE_MEM_TABLE);
            bytes.ok().flatten().unwrap_or_default()
        };
        if columns.iter().map(in_memory).sum::<u64>() >= CLOSE_FLUSH_BYTES
            && let Err(error) = self.db.flush_cfs_opt(&columns, &FlushOptions::default())
        {
            warn!(%error, "could not write to tables at closing: the next start takes longer");
        }
    }
}

impl Database {
    /// Opens the chain in the folder `path`, writing genesis where it is empty. Nothing is pruned.
    pub fn open(path: &Path, spec: Arc<ChainSpec>) -> Result<Self> {
        Self::open_with(path, spec, DatabaseConfig::default())
    }

    /// Opens the chain in the folder `path`, writing genesis where it is empty.
    ///
    /// After a crash all that was reported as stored is there. Where the log was damaged since, the chain
    /// ends at the last block before the damage, and [`Self::lost`] says so.
    pub fn open_with(path: &Path, spec: Arc<ChainSpec>, config: DatabaseConfig) -> Result<Self> {
        let db = Arc::new(open::open(path, config.write_buffers_bytes)?);
        let meta = column(&db, columns::META)?;
        let commit = match db.get_cf(meta, GENESIS_KEY)? {
            None => genesis::write(&db, &spec)?,
            Some(genesis) => {
                let schema = db.get_cf(meta, SCHEMA_KEY)?;
                let found = decode_number("schema version", &schema.unwrap_or_default())?;
                if found != SCHEMA_VERSION {
                    let (path, expected) = (path.to_owned(), SCHEMA_VERSION);
                    return Err(StorageError::OtherSchema { path, found, expected });
                }
                let found = B256::new(array("genesis hash", &genesis)?);
                let expected = spec.genesis_hash();
                if found != expected {
                    return Err(StorageError::OtherChain { path: path.to_owned(), found, expected });
                }
                let chain_id = db.get_cf(meta, CHAIN_ID_KEY)?.unwrap_or_default();
                let (found, expected) = (decode_number("chain ID", &chain_id)?, spec.chain_id());
                if found != expected {
                    return Err(StorageError::OtherChainId { path: path.to_owned(), found, expected });
                }
                Commit::decode(&db.get_cf(meta, HEADS_KEY)?.unwrap_or_default())?
            }
        };
        let mut durable = DurableMark::open(path)?;
        let mut lost = db.get_cf(meta, LOST_KEY)?.map(|bytes| LostBlocks::decode(&bytes)).transpose()?;
        if let Some(found) = durable.lost_since(&commit) {
            error!(
                reported = found.reported.number,
                last_good = found.last_good.number,
                "the log was damaged: going on from the last good block"
            );
            let mut batch = WriteBatch::default();
            batch.put_cf(meta, LOST_KEY, found.encode());
            store::write_synced(&db, batch)?;
            lost = Some(found);
        }
        durable.set(&commit)?;
        // What is written from here on is counted on from the writes that were lost.
        let generation = commit.generation.max(lost.map_or(0, |lost| lost.generation));
        let writer = Mutex::new(Writer { generation, durable });
        info!(path = %path.display(), latest = commit.heads.latest.number, "opened database");
        let heads = ArcSwap::from_pointee(commit.heads);
        Ok(Self { inner: Arc::new(Inner { db, spec, config, heads, writer, lost, tries: Arc::default() }) })
    }

    /// The chain's specification.
    pub fn spec(&self) -> &Arc<ChainSpec> {
        &self.inner.spec
    }

    /// How the database was opened.
    pub fn config(&self) -> DatabaseConfig {
        self.inner.config
    }

    /// The heads. Safe and finalized start at genesis.
    pub fn heads(&self) -> Heads {
        **self.inner.heads.load()
    }

    /// The last time that blocks which had been reported as stored were lost to a damaged log.
    pub fn lost(&self) -> Option<LostBlocks> {
        self.inner.lost
    }

    /// The state after the latest block.
    pub fn state(&self) -> Result<StateView> {
        StateView::new(self.snapshot(), Arc::clone(&self.inner.tries), None)
    }

    /// The state after block `number`, or [`StorageError::NoSuchBlock`].
    pub fn state_at(&self, number: u64) -> Result<StateView> {
        StateView::new(self.snapshot(), Arc::clone(&self.inner.tries), Some(number))
    }

    /// The state after the newest of `blocks`, which are executed but need not be stored: consecutive,
    /// oldest first, the first a child of a stored block or stored itself. Those that are stored by
    /// now are read from there.
    pub fn state_over<'a>(
        &self,
        blocks: impl IntoIterator<Item = (BlockNumHash, &'a StateUpdate)>,
    ) -> Result<StateView> {
        let mut state = self.state()?;
        for (block, update) in blocks {
            if block.number > state.block().number {
                state = state.after(block, update)?;
            } else if block.number == state.block().number && block.hash != state.block().hash {
                return Err(StorageError::NotOnHead { parent: block.hash, head: state.block() });
            }
        }
        Ok(state)
    }

    /// The account and slots asked for after block `number`, with the proof of each (EIP-1186); see
    /// [`StateView::proof`].
    pub fn proof_at(&self, number: u64, address: Address, slots: &[B256]) -> Result<AccountProof> {
        self.state_at(number)?.proof(address, slots)
    }

    /// Writes to tables what is in memory and in the log only. Never needed for safety.
    pub fn flush(&self) -> Result<()> {
        let columns = columns::ALL.iter().map(|name| column(self.db(), name)).collect::<Result<Vec<_>>>()?;
        Ok(self.db().flush_cfs_opt(&columns, &FlushOptions::default())?)
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot::new(Arc::clone(&self.inner.db))
    }

    pub(crate) fn db(&self) -> &DB {
        &self.inner.db
    }

    /// Excludes other writers for as long as it is held.
    pub(crate) fn writer(&self) -> WriterGuard<'_> {
        self.inner.writer.lock()
    }

    /// Writes `batch` and `heads`, all or nothing, and publishes the heads.
    pub(crate) fn commit(
        &self,
        writer: &mut WriterGuard<'_>,
        mut batch: WriteBatch,
        heads: Heads,
    ) -> Result<()> {
        let commit = Commit { heads, generation: writer.generation + 1 };
        batch.put_cf(column(self.db(), columns::META)?, HEADS_KEY, commit.encode());
        store::write_synced(self.db(), batch)?;
        writer.generation = commit.generation;
        self.inner.heads.store(Arc::new(heads));
        // What it guards against needs two faults; the blocks themselves are safe without it.
        if let Err(error) = writer.durable.set(&commit) {
            error!(%error, "cannot note down what is stored");
        }
        Ok(())
    }
}
