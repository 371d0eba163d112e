//! What can go wrong while scoring, and what to do about it.

use std::path::PathBuf;

use openledger_tensor_file::TensorFileError;

/// An error of the attribution crate.
#[derive(Debug, thiserror::Error)]
pub enum AttributionError {
    /// A file could not be read or written.
    #[error("cannot access {path}: {source}; check space and permissions")]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The gradient file is damaged or of another version: build it again.
    #[error("gradient store: {0}; build it again from the rows")]
    Store(String),
    /// A shard of a score store is damaged, or of another model or format.
    #[error("shard {file}: {what}")]
    Shard {
        /// The file's name.
        file: String,
        /// What is wrong.
        what: String,
    },
    /// Shards could not be read or written.
    #[error("score store: {0}; check space and permissions")]
    Objects(#[from] object_store::Error),
    /// A file beside a store's shards is damaged, or of another model, rows or format.
    #[error("{path}: {what}")]
    StoreFile {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        what: String,
    },
    /// A NumPy archive is damaged or not of the expected form.
    #[error("{path}: {what}")]
    Archive {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// Arguments that do not fit together.
    #[error("invalid request: {0}")]
    Invalid(String),
    /// The damped Gram matrix has no Cholesky factor.
    #[error("the Gram matrix is not positive definite at row {0}; raise the damping")]
    NotPositiveDefinite(usize),
    /// The caller ended it.
    #[error("cancelled")]
    Cancelled,
    /// The model failed.
    #[error(transparent)]
    Model(#[from] openledger_model::ModelError),
    /// libtorch refused an operation.
    #[error("libtorch: {0}")]
    Torch(#[from] tch::TchError),
}

impl From<TensorFileError> for AttributionError {
    fn from(error: TensorFileError) -> Self {
        match error {
            TensorFileError::Io { path, source } => Self::Io { path, source },
            TensorFileError::Unsound { path, what } => Self::StoreFile { path, what },
        }
    }
}
