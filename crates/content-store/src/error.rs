//! What can go wrong, without ever quoting a row.

use alloy_primitives::B256;

/// Errors of the content store.
#[derive(Debug, thiserror::Error)]
pub enum ContentStoreError {
    /// The rows do not hash to the root under which they were offered.
    #[error("the rows hash to {actual}, not to the contribution's root {expected}")]
    WrongRoot {
        /// The root named by the caller.
        expected: B256,
        /// The root of the rows given.
        actual: B256,
    },
    /// No rows, too many, or too large.
    #[error("{what} is {given}, allowed are 1 to {maximum}")]
    OutOfBounds {
        /// What was counted.
        what: &'static str,
        /// Its amount.
        given: usize,
        /// The largest amount allowed.
        maximum: usize,
    },
    /// Nothing is stored under that root.
    #[error("no contribution with root {0} is stored here")]
    UnknownContribution(B256),
    /// The contribution has fewer rows.
    #[error("contribution {root} has {rows} rows, there is no row {index}")]
    UnknownRow {
        /// The contribution.
        root: B256,
        /// The row asked for.
        index: u32,
        /// How many there are.
        rows: usize,
    },
    /// The row's key was destroyed.
    #[error("row {index} of contribution {root} was erased")]
    Erased {
        /// The contribution.
        root: B256,
        /// The row.
        index: u32,
    },
    /// The stored bytes are damaged, or the master key is another.
    #[error("contribution {root} cannot be decrypted: the store is damaged or the master key is not its own")]
    Undecryptable {
        /// The contribution.
        root: B256,
    },
    /// A stored object is not of this crate's format.
    #[error("contribution {root} is stored in an unreadable form: {reason}")]
    Corrupt {
        /// The contribution.
        root: B256,
        /// What the parser said.
        reason: String,
    },
    /// The master key's file is unusable.
    #[error("master key file {path}: {reason}")]
    MasterKey {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// The underlying store failed.
    #[error("content store: {0}")]
    Store(#[from] object_store::Error),
}
