//! Batches: the transactions of L2 blocks as they stand in a channel.

mod bits;
mod reader;
mod singular;
mod span;
mod span_transactions;
mod varint;

pub use reader::{BatchReader, encode_batches};
pub use singular::SingularBatch;
pub use span::{SpanBatch, SpanBlock};

/// The most blocks, and the most transactions, that a span batch may have.
pub const MAX_SPAN_BATCH_ELEMENTS: u64 = 10_000_000;

/// Leading byte of a singular batch.
const SINGULAR_BATCH: u8 = 0;
/// Leading byte of a span batch.
const SPAN_BATCH: u8 = 1;

/// Why bytes are no batch, or blocks make none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// The bytes end inside the batch.
    #[error("batch is cut short in its {0}")]
    Truncated(&'static str),
    /// A kind of batch that this node does not know.
    #[error("batch has version {0}, which is unknown")]
    Version(u8),
    /// RLP that is malformed.
    #[error("{what} of a batch is not valid RLP: {source}")]
    Rlp {
        /// Which part.
        what: &'static str,
        /// What is wrong with it.
        source: alloy_rlp::Error,
    },
    /// A number of more than 64 bits.
    #[error("number in a batch's {0} does not fit 64 bits")]
    Varint(&'static str),
    /// More blocks or transactions than allowed.
    #[error("batch has {0} elements, more than {MAX_SPAN_BATCH_ELEMENTS}")]
    TooMany(u64),
    /// There must be one block at least.
    #[error("span batch has no blocks")]
    Empty,
    /// Bits beyond the last element.
    #[error("bit list of a span batch has bits beyond its end")]
    ExtraBits,
    /// More epochs begin in the span than there are L1 blocks up to its last origin.
    #[error("span batch changes its origin more often than its last origin's number allows")]
    OriginBits,
    /// A transaction of a type that batches do not carry.
    #[error("batch has a transaction of type {0:#04x}, which batches do not carry")]
    TransactionType(u8),
    /// A transaction that cannot be read or written.
    #[error("transaction {index} of a span batch: {reason}")]
    Transaction {
        /// Which one in the span, from 0.
        index: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Blocks that do not follow each other.
    #[error("blocks of a span batch do not follow each other: {0}")]
    NotASpan(&'static str),
}

/// One batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Batch {
    /// One block.
    Singular(SingularBatch),
    /// Consecutive blocks.
    Span(SpanBatch),
}

impl Batch {
    /// Reads a batch: a version byte and content. Bytes after the content are passed over.
    pub fn decode(data: &[u8], l2_chain_id: u64) -> Result<Self, BatchError> {
        let (&version, content) = data.split_first().ok_or(BatchError::Truncated("version"))?;
        match version {
            SINGULAR_BATCH => SingularBatch::decode(content).map(Self::Singular),
            SPAN_BATCH => SpanBatch::decode(content, l2_chain_id).map(Self::Span),
            other => Err(BatchError::Version(other)),
        }
    }

    /// Writes the batch: a version byte and content.
    pub fn encode(&self, l2_chain_id: u64) -> Result<Vec<u8>, BatchError> {
        let mut out = Vec::new();
        match self {
            Self::Singular(batch) => {
                out.push(SINGULAR_BATCH);
                batch.encode(&mut out);
            }
            Self::Span(batch) => {
                out.push(SPAN_BATCH);
                batch.encode(l2_chain_id, &mut out)?;
            }
        }
        Ok(out)
    }
}
