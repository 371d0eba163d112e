//! The errors of the Engine API and their codes.

use alloy_rpc_types_engine::PayloadId;
use jsonrpsee::types::ErrorObjectOwned;
use openledger_engine::EngineError;
use openledger_storage::StorageError;
use serde_json::json;
use thiserror::Error;

/// Why a call is refused. The display is the detail; [`Self::code`] is what clients act on.
#[derive(Debug, Error)]
pub enum EngineApiError {
    /// The parameters do not fit the method.
    #[error("{0}")]
    InvalidParams(String),
    /// No such payload is being built: it was never started, or is too old.
    #[error("payload {0} is not known: start it again with engine_forkchoiceUpdated")]
    UnknownPayload(PayloadId),
    /// Head, safe and finalized contradict each other or the chain.
    #[error("{0}")]
    InvalidForkchoice(String),
    /// The attributes do not fit the parent, the forks or the state.
    #[error("{0}")]
    InvalidAttributes(String),
    /// More was asked for than one answer may hold.
    #[error("{asked} blocks asked for, at most {limit} are answered at once")]
    TooLarge {
        /// Blocks asked for.
        asked: u64,
        /// The most that is answered.
        limit: u64,
    },
    /// Another version of the method goes with the forks active at this time.
    #[error("{0}")]
    UnsupportedFork(String),
    /// A fault of the node.
    #[error("{0}")]
    Internal(String),
}

/// Result of a method.
pub(crate) type ApiResult<T> = Result<T, EngineApiError>;

impl EngineApiError {
    /// The code of the specification.
    pub const fn code(&self) -> i32 {
        match self {
            Self::InvalidParams(_) => -32602,
            Self::UnknownPayload(_) => -38001,
            Self::InvalidForkchoice(_) => -38002,
            Self::InvalidAttributes(_) => -38003,
            Self::TooLarge { .. } => -38004,
            Self::UnsupportedFork(_) => -38005,
            Self::Internal(_) => -32603,
        }
    }

    /// The message of the specification.
    const fn message(&self) -> &'static str {
        match self {
            Self::InvalidParams(_) => "Invalid params",
            Self::UnknownPayload(_) => "Unknown payload",
            Self::InvalidForkchoice(_) => "Invalid forkchoice state",
            Self::InvalidAttributes(_) => "Invalid payload attributes",
            Self::TooLarge { .. } => "Too large request",
            Self::UnsupportedFork(_) => "Unsupported fork",
            Self::Internal(_) => "Internal error",
        }
    }
}

impl From<EngineApiError> for ErrorObjectOwned {
    fn from(error: EngineApiError) -> Self {
        Self::owned(error.code(), error.message(), Some(json!({ "err": error.to_string() })))
    }
}

impl From<EngineError> for EngineApiError {
    fn from(error: EngineError) -> Self {
        let reason = error.to_string();
        match error {
            EngineError::Invalid(error) if error.is_invalid_block() => Self::InvalidAttributes(reason),
            EngineError::InvalidForkchoice { .. } | EngineError::BelowFinalized { .. } => {
                Self::InvalidForkchoice(reason)
            }
            _ => Self::Internal(reason),
        }
    }
}

impl From<StorageError> for EngineApiError {
    fn from(error: StorageError) -> Self {
        Self::Internal(error.to_string())
    }
}
