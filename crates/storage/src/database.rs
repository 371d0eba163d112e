//! The chain on disk: opening it, and what its reads and writes share.

use std::{path::Path, sync::Arc};

use alloy_consensus::BlockBody;
use alloy_eips::BlockNumHash;
use alloy_primitives::{Address, B256, U256, keccak256};
use arc_swap::ArcSwap;
use openledger_chainspec::ChainSpec;
use openledger_primitives::OpenTxEnvelope;
use openledger_trie::{AccountProof, KECCAK_EMPTY, TrieAccount, state_root, storage_root};
use parking_lot::Mutex;
use revm::database::BundleState;
use rocksdb::{DB, WriteBatch};
use tracing::info;

use crate::{
    Heads, StateUpdate, StateView, StorageError,
    codec::{array, decode_heads, decode_number, encode_heads, encode_slot},
    columns::{self, number_key, slot_key},
    store::{self, Snapshot, column},
};

/// Result of a database call.
pub type Result<T, E = StorageError> = std::result::Result<T, E>;

/// The version of the encodings in this crate's README.
const SCHEMA_VERSION: u64 = 1;

pub(crate) const HEADS_KEY: &[u8] = b"heads";
const GENESIS_KEY: &[u8] = b"genesis";
const SCHEMA_KEY: &[u8] = b"schema";

/// A chain on disk. Cheap to clone; reads take no lock and are never torn by a write.
#[derive(Debug, Clone)]
pub struct Database {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    db: Arc<DB>,
    spec: Arc<ChainSpec>,
    /// What the database holds under [`HEADS_KEY`], set after each write.
    heads: ArcSwap<Heads>,
    /// Held while writing.
    writer: Mutex<()>,
}

impl Database {
    /// Opens the chain in the folder `path`, writing genesis where it is empty.
    pub fn open(path: &Path, spec: Arc<ChainSpec>) -> Result<Self> {
        let db = Arc::new(store::open(path)?);
        let meta = column(&db, columns::META)?;
        let heads = match db.get_cf(meta, GENESIS_KEY)? {
            None => write_genesis(&db, &spec)?,
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
                decode_heads(&db.get_cf(meta, HEADS_KEY)?.unwrap_or_default())?
            }
        };
        info!(path = %path.display(), latest = heads.latest.number, "opened database");
        let heads = ArcSwap::from_pointee(heads);
        Ok(Self { inner: Arc::new(Inner { db, spec, heads, writer: Mutex::new(()) }) })
    }

    /// The chain's specification.
    pub fn spec(&self) -> &Arc<ChainSpec> {
        &self.inner.spec
    }

    /// The heads. Safe and finalized start at genesis.
    pub fn heads(&self) -> Heads {
        **self.inner.heads.load()
    }

    /// The state after the latest block.
    pub fn state(&self) -> Result<StateView> {
        StateView::new(self.snapshot(), None)
    }

    /// The state after block `number`, or [`StorageError::NoSuchBlock`].
    pub fn state_at(&self, number: u64) -> Result<StateView> {
        StateView::new(self.snapshot(), Some(number))
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

    /// The account and slots asked for after block `number`, with the proof of each (EIP-1186).
    pub fn proof_at(&self, number: u64, address: Address, slots: &[B256]) -> Result<AccountProof> {
        self.state_at(number)?.proof(address, slots)
    }

    /// [`StateView::update`] of the state after block `parent`, which must be the head.
    pub fn prepare(&self, parent: B256, changes: &BundleState) -> Result<StateUpdate> {
        let state = self.state()?;
        if state.block().hash != parent {
            return Err(StorageError::NotOnHead { parent, head: state.block() });
        }
        state.update(changes)
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot::new(Arc::clone(&self.inner.db))
    }

    pub(crate) fn db(&self) -> &DB {
        &self.inner.db
    }

    /// Excludes other writers for as long as it is held.
    pub(crate) fn writer(&self) -> parking_lot::MutexGuard<'_, ()> {
        self.inner.writer.lock()
    }

    /// Writes `batch` and `heads`, all or nothing, and publishes the heads.
    pub(crate) fn commit(&self, mut batch: WriteBatch, heads: Heads) -> Result<()> {
        batch.put_cf(column(self.db(), columns::META)?, HEADS_KEY, encode_heads(&heads));
        store::write_synced(self.db(), batch)?;
        self.inner.heads.store(Arc::new(heads));
        Ok(())
    }
}

/// Writes the genesis block and state into an empty database.
fn write_genesis(db: &DB, spec: &ChainSpec) -> Result<Heads> {
    let mut batch = WriteBatch::default();
    let mut accounts = Vec::with_capacity(spec.genesis().alloc.len());
    for (address, account) in &spec.genesis().alloc {
        let hashed_address = keccak256(address);
        let slots: Vec<(B256, U256)> = account
            .storage_slots()
            .filter(|(_, value)| !value.is_zero())
            .map(|(slot, value)| (keccak256(slot), value))
            .collect();
        for (hashed_slot, value) in &slots {
            let key = slot_key(hashed_address, *hashed_slot);
            batch.put_cf(column(db, columns::STORAGE)?, key, encode_slot(*value));
        }
        if let (Some(hash), Some(code)) = (account.code_hash(), &account.code) {
            batch.put_cf(column(db, columns::CODES)?, hash, code);
        }
        let account = TrieAccount::new(
            account.nonce.unwrap_or_default(),
            account.balance,
            storage_root(slots),
            account.code_hash().unwrap_or(KECCAK_EMPTY),
        );
        batch.put_cf(column(db, columns::ACCOUNTS)?, hashed_address, alloy_rlp::encode(account));
        accounts.push((hashed_address, account));
    }

    let header = spec.genesis_header();
    let (number, hash) = (header.number, spec.genesis_hash());
    let root = state_root(accounts);
    if root != header.state_root {
        let reason = format!("its allocation has state root {root}, its header {}", header.state_root);
        return Err(StorageError::InvalidBlock { number, reason });
    }
    let withdrawals = header.withdrawals_root.map(|_| Default::default());
    let body = BlockBody::<OpenTxEnvelope> { withdrawals, ..Default::default() };
    let key = number_key(number);
    batch.put_cf(column(db, columns::HEADERS)?, key, alloy_rlp::encode(header));
    batch.put_cf(column(db, columns::BODIES)?, key, alloy_rlp::encode(body));
    batch.put_cf(column(db, columns::SENDERS)?, key, []);
    batch.put_cf(column(db, columns::RECEIPTS)?, key, [alloy_rlp::EMPTY_LIST_CODE]);
    batch.put_cf(column(db, columns::HASHES)?, key, hash);
    batch.put_cf(column(db, columns::NUMBERS)?, hash, key);

    let genesis = BlockNumHash::new(number, hash);
    let heads = Heads { latest: genesis, safe: genesis, finalized: genesis };
    let meta = column(db, columns::META)?;
    batch.put_cf(meta, GENESIS_KEY, hash);
    batch.put_cf(meta, SCHEMA_KEY, SCHEMA_VERSION.to_be_bytes());
    batch.put_cf(meta, HEADS_KEY, encode_heads(&heads));
    store::write_synced(db, batch)?;
    Ok(heads)
}
