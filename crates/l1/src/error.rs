//! What can go wrong with L1, and what to do about it.

use alloy_primitives::B256;

/// What the caller should do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The same request may succeed later.
    Retry,
    /// The block is gone: L1 has reorganised. Start again from a block that is still there.
    Reset,
    /// The endpoint serves wrong data, and will.
    Stop,
}

/// A failed request to L1.
#[derive(Debug, thiserror::Error)]
pub enum L1Error {
    /// No connection, no answer in time, or an answer that is no answer.
    #[error("L1 not reachable at {endpoint}: {reason}")]
    Unreachable {
        /// Scheme, host and port.
        endpoint: String,
        /// What the transport says.
        reason: String,
    },
    /// The endpoint has no such block.
    #[error("L1 has no block {0}: it has been reorganised away, or the endpoint is behind")]
    UnknownBlock(B256),
    /// The endpoint has no such blob, or not any more.
    #[error(
        "no blob {hash} of L1 block {block}: blobs are kept for about 18 days; older ones need a \
         beacon endpoint that archives them"
    )]
    MissingBlob {
        /// Versioned hash.
        hash: B256,
        /// L1 block number.
        block: u64,
    },
    /// Data that is not what its hash says.
    #[error("L1 endpoint {endpoint} serves wrong data: {what} of block {block}")]
    Inconsistent {
        /// Scheme, host and port.
        endpoint: String,
        /// What is wrong.
        what: String,
        /// L1 block hash.
        block: B256,
    },
    /// No beacon endpoint is configured, but a blob is needed.
    #[error("blobs are needed but no L1 beacon endpoint is configured: set --l1-beacon-url")]
    NoBeacon,
    /// A URL that cannot be used.
    #[error("L1 endpoint {endpoint} is not usable: {reason}")]
    Endpoint {
        /// As given, without secrets.
        endpoint: String,
        /// What is wrong.
        reason: String,
    },
    /// The trusted setup did not do its work.
    #[error("KZG: {0}")]
    Kzg(String),
}

impl L1Error {
    /// What to do.
    pub const fn severity(&self) -> Severity {
        match self {
            Self::Unreachable { .. } | Self::MissingBlob { .. } | Self::Inconsistent { .. } => {
                Severity::Retry
            }
            Self::UnknownBlock(_) => Severity::Reset,
            Self::NoBeacon | Self::Endpoint { .. } | Self::Kzg(_) => Severity::Stop,
        }
    }
}
