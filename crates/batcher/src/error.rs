//! What ends or delays the batcher.

use openledger_protocol::{BatchError, BlobError, BlockRefError};
use openledger_tx_manager::TxManagerError;

/// Errors of the batcher.
#[derive(Debug, thiserror::Error)]
pub enum BatcherError {
    /// The L2 node did not answer, or with something unreadable.
    #[error("L2 node: {0}")]
    L2(String),
    /// L1 did not take a transaction.
    #[error(transparent)]
    L1(#[from] TxManagerError),
    /// Blocks that do not form batches.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// A frame that does not fit a blob.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// A block without an L1 origin.
    #[error(transparent)]
    Block(#[from] BlockRefError),
    /// Compression failed or the channel has too many frames.
    #[error("channel: {0}")]
    Channel(String),
}
