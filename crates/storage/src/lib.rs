#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod backup;
mod changes;
mod check;
mod codec;
mod columns;
mod database;
mod durable;
mod error;
mod genesis;
mod heads;
mod history;
mod new_block;
mod open;
mod persist;
mod prune;
mod reads;
mod state_update;
mod state_view;
mod stats;
mod store;
mod stored_state;
mod tries;
mod unwind;

pub use backup::{SnapshotFile, SnapshotManifest, restore_snapshot};
pub use changes::{KnownStorageRoots, PreparedChanges};
pub use check::CheckReport;
pub use database::{Database, DatabaseConfig, Result, SCHEMA_VERSION};
pub use durable::LostBlocks;
pub use error::StorageError;
pub use heads::Heads;
pub use new_block::{Block, NewBlock};
pub use open::{BLOCK_CACHE_BYTES, OPEN_FILES, WRITE_BUFFERS_BYTES};
pub use openledger_trie::{AccountProof, StorageProof, TrieAccount};
pub use prune::{PruneReport, Pruning};
pub use state_update::StateUpdate;
pub use state_view::{PROOF_BLOCKS, PROOF_CHANGES, StateView};
pub use stats::{ColumnStats, DatabaseStats};
pub use stored_state::{StoredState, TrieSource};
pub use tries::TRIE_MEMORY_BYTES;
