//! What callers are told when something fails.

use std::net::SocketAddr;

use alloy_eips::BlockId;
use alloy_primitives::Bytes;
use jsonrpsee::types::{ErrorObjectOwned, error::INVALID_PARAMS_CODE};
use openledger_storage::StorageError;
use openledger_txpool::PoolError;
use thiserror::Error;

/// Result of a method.
pub(crate) type RpcResult<T> = Result<T, RpcError>;

/// Why a method fails.
#[derive(Debug, Error)]
pub enum RpcError {
    /// The parameters do not fit the method.
    #[error("{0}")]
    InvalidParams(String),
    /// No such block.
    #[error("header not found: block {0} is not on this chain")]
    BlockNotFound(BlockId),
    /// The request would exceed a bound.
    #[error("{0}")]
    LimitExceeded(String),
    /// A filter that is not, or no longer, installed.
    #[error("filter not found: it was uninstalled, or expired as nobody polled it; install it again")]
    FilterNotFound,
    /// The call reverted.
    #[error("execution reverted{}", .reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default())]
    Reverted {
        /// Decoded `Error(string)` or `Panic(uint256)`.
        reason: Option<String>,
        /// What the call returned.
        output: Bytes,
    },
    /// The call cannot run, or stopped.
    #[error("{0}")]
    Execution(String),
    /// The pool refused a transaction.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// This node takes no transactions.
    #[error("{0}")]
    Unsupported(String),
    /// Another server's answer, or a decoding error of ours.
    #[error("{}", .0.message())]
    Object(ErrorObjectOwned),
    /// The database failed.
    #[error("internal: {0}")]
    Storage(StorageError),
    /// A fault of the node.
    #[error("internal: {0}")]
    Internal(String),
}

impl From<StorageError> for RpcError {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::NoSuchBlock { number, .. } => Self::BlockNotFound(number.into()),
            error => Self::Storage(error),
        }
    }
}

impl From<ErrorObjectOwned> for RpcError {
    fn from(error: ErrorObjectOwned) -> Self {
        Self::Object(error)
    }
}

impl From<RpcError> for ErrorObjectOwned {
    fn from(error: RpcError) -> Self {
        let message = error.to_string();
        match error {
            RpcError::Object(object) => object,
            RpcError::InvalidParams(_) => Self::owned(INVALID_PARAMS_CODE, message, None::<()>),
            RpcError::Reverted { output, .. } => Self::owned(3, message, Some(output)),
            RpcError::Pool(error) => Self::owned(error.rpc_code(), message, None::<()>),
            RpcError::LimitExceeded(_) => Self::owned(-32005, message, None::<()>),
            RpcError::Unsupported(_) => Self::owned(-32004, message, None::<()>),
            RpcError::Storage(_) | RpcError::Internal(_) => Self::owned(-32603, message, None::<()>),
            RpcError::BlockNotFound(_) | RpcError::FilterNotFound | RpcError::Execution(_) => {
                Self::owned(-32000, message, None::<()>)
            }
        }
    }
}

/// Why the server does not start.
#[derive(Debug, Error)]
pub enum RpcStartError {
    /// The port is taken.
    #[error("{address} is in use: stop what listens there or choose another {flag}")]
    AddressInUse {
        /// The address.
        address: SocketAddr,
        /// The flag that sets it.
        flag: &'static str,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address} ({flag}): {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The flag that sets it.
        flag: &'static str,
        /// What the system says.
        source: std::io::Error,
    },
    /// An origin that is none.
    #[error("--http.corsdomain: {0:?} is not an origin such as https://example.org, nor *")]
    BadOrigin(String),
    /// Two methods of one name: a fault of this crate.
    #[error("method registered twice: {0}")]
    Methods(#[from] jsonrpsee::server::RegisterMethodError),
}
