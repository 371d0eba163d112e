//! Errors of the service, with the HTTP status that each answers with.

use alloy_primitives::B256;
use axum::http::{Method, StatusCode};
use openledger_content_store::ContentStoreError;
use std::time::Duration;

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum AttributorError {
    /// The caller's input is at fault.
    #[error("{0}")]
    Invalid(String),
    /// The caller may not do this.
    #[error("{0}")]
    Forbidden(String),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// It was done already, with other content.
    #[error("{0}")]
    Conflict(String),
    /// The route does not take this method.
    #[error("this route does not take {0}")]
    WrongMethod(Method),
    /// Too much is waiting.
    #[error("busy: {0}, try again later")]
    Busy(&'static str),
    /// What this token has unfinished fills its quota.
    #[error("{0}")]
    QuotaFull(String),
    /// More than this token's quota by itself.
    #[error("{0}")]
    AboveQuota(String),
    /// It does not fit into memory.
    #[error(
        "{what} needs up to {needed_mib} MiB of {place}; {free_mib} MiB of {total_mib} MiB can be had: make room, or \
         order less at a time"
    )]
    NoMemory {
        /// The work.
        what: &'static str,
        /// Which memory.
        place: &'static str,
        /// What it takes at most, with a margin.
        needed_mib: u64,
        /// What can be had now; of an order, at best.
        free_mib: u64,
        /// What there is in all.
        total_mib: u64,
    },
    /// A call or transaction reverted on chain.
    #[error("the chain refuses: {0}")]
    Reverted(String),
    /// The chain does not take it now, and may later.
    #[error("the chain does not take it now: {0}")]
    NotNow(String),
    /// The L2 node did not answer.
    #[error("the L2 node did not answer: {0}")]
    Chain(String),
    /// The request can no longer be settled.
    #[error("request {0} was refunded or its deadline has passed")]
    Expired(B256),
    /// Model or adapter.
    #[error(transparent)]
    Model(#[from] openledger_model::ModelError),
    /// Gradients, clusters or shares.
    #[error(transparent)]
    Attribution(#[from] openledger_attribution::AttributionError),
    /// Rows.
    #[error(transparent)]
    Content(#[from] ContentStoreError),
    /// The journal.
    #[error("journal: {0}")]
    Journal(String),
    /// A file of the data folder.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The request is larger than the route takes.
    #[error("the body is larger than this route takes")]
    TooLarge,
    /// The request did not come in whole.
    #[error("the body did not come in whole, or too slowly: send it again")]
    Unread,
    /// Work on the model panicked; the thread goes on.
    #[error("the model's thread panicked on this; standard error has the place")]
    Panicked,
    /// The operator ended it.
    #[error("cancelled by the operator")]
    Cancelled,
    /// The model's thread has ended.
    #[error("the model's thread has stopped: restart the attributor")]
    LabStopped,
}

impl AttributorError {
    /// Whether the same work may succeed later without anyone changing anything.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Chain(_) | Self::NotNow(_) | Self::Busy(_) | Self::LabStopped => true,
            // Other work may end and give its memory back.
            Self::NoMemory { needed_mib, total_mib, .. } => needed_mib <= total_mib,
            // A full or unreachable store; every other fault of the store is one of its content.
            Self::Content(error) => matches!(error, ContentStoreError::Store(_)),
            _ => false,
        }
    }

    /// How long to wait before work that may succeed later is tried again. Memory comes back when other work ends, and
    /// every try reads the rows again.
    pub(crate) const fn pause(&self) -> Duration {
        match self {
            Self::NoMemory { .. } => Duration::from_secs(20),
            _ => Duration::from_secs(1),
        }
    }

    /// What work that may succeed later waits for, as its progress says.
    pub(crate) const fn waits_for(&self) -> &'static str {
        match self {
            Self::NoMemory { .. } => "waiting for memory",
            Self::Chain(_) | Self::NotNow(_) => "waiting for the chain",
            Self::Content(_) => "waiting for the store of rows",
            _ => "waiting",
        }
    }

    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Content(ContentStoreError::Store(_)) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Content(
                ContentStoreError::WrongRoot { .. }
                | ContentStoreError::OutOfBounds { .. }
                | ContentStoreError::UnknownContribution(_)
                | ContentStoreError::UnknownRow { .. },
            )
            | Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::WrongMethod(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLarge | Self::AboveQuota(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unread => StatusCode::REQUEST_TIMEOUT,
            Self::NoMemory { .. } => StatusCode::INSUFFICIENT_STORAGE,
            Self::NotNow(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Conflict(_) | Self::Reverted(_) | Self::Expired(_) => StatusCode::CONFLICT,
            Self::Busy(_) | Self::QuotaFull(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Chain(_) => StatusCode::BAD_GATEWAY,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    pub(crate) fn journal(error: impl std::fmt::Display) -> Self {
        Self::Journal(error.to_string())
    }
}
