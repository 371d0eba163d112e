//! Why a root or a proof could not be had.

use alloy_primitives::B256;
use alloy_trie::Nibbles;
use thiserror::Error;

/// Why a trie could not be walked. Nothing was changed; the trie's handle is lost, its source is not.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TrieError<E> {
    /// The source failed.
    #[error("the trie's source failed: {0}")]
    Source(#[source] E),
    /// A stored node is missing, or a leaf is.
    #[error(
        "{trie}: nothing is stored for path {path:?}: the database is damaged, restore it from a snapshot"
    )]
    Missing {
        /// Which trie.
        trie: TrieName,
        /// Where the node begins.
        path: Nibbles,
    },
    /// A stored node or a leaf is not the one that its parent names.
    #[error(
        "{trie}: what is stored for path {path:?} is not what its parent names: the database is damaged, restore it from a snapshot"
    )]
    Mismatch {
        /// Which trie.
        trie: TrieName,
        /// Where the node begins.
        path: Nibbles,
    },
    /// Storage changes for an account that is not there.
    #[error("storage of account {0} changes, but there is no such account")]
    NoAccount(B256),
}

/// The trie that an error speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrieName {
    /// The account trie.
    Accounts,
    /// The storage trie of an account, by hashed address.
    Storage(B256),
}

impl std::fmt::Display for TrieName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Accounts => f.write_str("account trie"),
            Self::Storage(hashed_address) => write!(f, "storage trie of account {hashed_address}"),
        }
    }
}
