//! What can go wrong with the database.

use std::path::PathBuf;

use alloy_eips::BlockNumHash;
use alloy_primitives::B256;
use openledger_trie::{OverlayError, TrieError};
use revm::database_interface::DBErrorMarker;
use thiserror::Error;

/// Why a read or write failed.
///
/// After any error the database is as it was before the call.
#[derive(Debug, Clone, Error)]
pub enum StorageError {
    /// The disk is full.
    #[error("the disk is full, nothing was written: make room, then restart the node ({0})")]
    DiskFull(rocksdb::Error),
    /// RocksDB refused: I/O error, checksum mismatch.
    #[error("database: {0}")]
    RocksDb(rocksdb::Error),
    /// The folder cannot be made.
    #[error("cannot make the folder {path}: {reason}", path = path.display())]
    Folder {
        /// The database folder.
        path: PathBuf,
        /// Why the system refused.
        reason: String,
    },
    /// Another process holds the folder.
    #[error("{path} is in use by another process: stop it or choose another --datadir", path = path.display())]
    Locked {
        /// The database folder.
        path: PathBuf,
    },
    /// The folder holds a chain with the same genesis block whose transactions are signed for another chain ID.
    #[error(
        "{path} holds the chain with ID {found}, not {expected}: choose another --datadir or \
         the genesis.json it was made with", path = path.display()
    )]
    OtherChainId {
        /// The database folder.
        path: PathBuf,
        /// Chain ID stored there.
        found: u64,
        /// Chain ID of the chain specification.
        expected: u64,
    },
    /// The folder holds another chain.
    #[error(
        "{path} holds the chain with genesis {found}, not {expected}: choose another --datadir or \
         the genesis.json it was made with", path = path.display()
    )]
    OtherChain {
        /// The database folder.
        path: PathBuf,
        /// Genesis hash stored there.
        found: B256,
        /// Genesis hash of the chain specification.
        expected: B256,
    },
    /// The folder was written by another version of this software.
    #[error(
        "{path} has schema version {found}, this node needs {expected}: sync again into an empty \
         folder", path = path.display()
    )]
    OtherSchema {
        /// The database folder.
        path: PathBuf,
        /// Version stored there.
        found: u64,
        /// Version this software writes.
        expected: u64,
    },
    /// A stored value does not decode, or one that must be there is missing.
    #[error("database is damaged: {what}: {reason}; restore a backup or sync again")]
    Corrupt {
        /// Which value.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no such block on the chain.
    #[error("block {number} is not on the chain, whose head is {head}")]
    NoSuchBlock {
        /// The number asked for.
        number: u64,
        /// The latest number.
        head: u64,
    },
    /// It was pruned, or never kept.
    #[error(
        "the {what} of block {number} is not kept: the first kept is that of block {first}; ask an \
         archive node"
    )]
    Pruned {
        /// What is not there.
        what: &'static str,
        /// The block asked for.
        number: u64,
        /// The first block of which it is there.
        first: u64,
    },
    /// More changed since a block than may be taken back at once.
    #[error("more than {limit} accounts and slots changed since block {number}: choose a later block")]
    TooDeep {
        /// The block asked for.
        number: u64,
        /// Accounts and slots that may be taken back.
        limit: usize,
    },
    /// A snapshot is not whole, or not what was asked for.
    #[error("snapshot {path}: {reason}", path = path.display())]
    Snapshot {
        /// The snapshot's folder, or a file of it.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A trie was given for another state.
    #[error("a trie with root {found} was given for the state with root {expected}")]
    OtherTrie {
        /// The root of the trie.
        found: B256,
        /// The root of the state.
        expected: B256,
    },
    /// The parent is not the head, so nothing can be built on it here.
    #[error("parent {parent} is not the head {} ({})", head.hash, head.number)]
    NotOnHead {
        /// The parent that was given.
        parent: B256,
        /// The current head.
        head: BlockNumHash,
    },
    /// The block contradicts itself or its state update.
    #[error("block {number} cannot be stored: {reason}")]
    InvalidBlock {
        /// The block's number.
        number: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// The heads would contradict each other: finalized ≤ safe ≤ latest, all on the chain.
    #[error("cannot move the {head} head to {} ({}): {reason}", to.number, to.hash)]
    InvalidHead {
        /// Which head.
        head: &'static str,
        /// Where it was to move.
        to: BlockNumHash,
        /// Why it cannot.
        reason: String,
    },
}

impl DBErrorMarker for StorageError {}

impl From<rocksdb::Error> for StorageError {
    fn from(error: rocksdb::Error) -> Self {
        let text = error.as_ref();
        // RocksDB has no kind of its own for it either.
        if text.contains("No space left") || text.contains("NoSpace") || text.contains("File too large") {
            Self::DiskFull(error)
        } else {
            Self::RocksDb(error)
        }
    }
}

impl From<TrieError<Self>> for StorageError {
    fn from(error: TrieError<Self>) -> Self {
        match error {
            TrieError::Source(error) => error,
            error => Self::corrupt("state trie", error),
        }
    }
}

impl From<TrieError<OverlayError<Self>>> for StorageError {
    fn from(error: TrieError<OverlayError<Self>>) -> Self {
        match error {
            TrieError::Source(OverlayError::Base(error)) => error,
            error => Self::corrupt("state trie", error),
        }
    }
}

impl StorageError {
    /// A damaged value.
    pub(crate) fn corrupt(what: impl Into<String>, reason: impl ToString) -> Self {
        Self::Corrupt { what: what.into(), reason: reason.to_string() }
    }
}
