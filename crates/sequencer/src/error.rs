//! Why no block was sealed, and how the loop reacts.

use openledger_engine::{EngineError, Handling};
use openledger_protocol::{AttributesError, BlockRefError, DepositError};
use openledger_storage::StorageError;
use thiserror::Error;

use crate::{L1SourceError, OriginError};

/// Why no block was sealed.
#[derive(Debug, Error)]
pub enum SequencerError {
    /// There is no origin for the next block.
    #[error(transparent)]
    Origin(#[from] OriginError),
    /// L1 did not answer.
    #[error(transparent)]
    L1(#[from] L1SourceError),
    /// The next block cannot stand on its origin.
    #[error(transparent)]
    Attributes(#[from] AttributesError),
    /// The portal's logs are not what this node knows.
    #[error("L1 block {number} has a deposit that this node cannot read: {source}; update the node")]
    Deposit {
        /// Number of the L1 block.
        number: u64,
        /// What is wrong with the log.
        source: DepositError,
    },
    /// The head has no readable L1 attributes.
    #[error(transparent)]
    Head(#[from] BlockRefError),
    /// The engine refused.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The database could not be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// No block of the chain that is not finalized stands on today's L1.
    #[error(
        "L1 has reorganised below the origin of the finalized block {finalized}: check that the L1 \
         endpoint is on the right chain"
    )]
    FinalizedReorganised {
        /// Number of the finalized L2 block.
        finalized: u64,
    },
}

impl SequencerError {
    /// How to react: try again, go back to where L1 agrees, or stop.
    pub const fn handling(&self) -> Handling {
        match self {
            Self::L1(_) | Self::Origin(OriginError::NextRequired { .. }) => Handling::Retry,
            Self::Origin(OriginError::Reorganised { .. })
            | Self::Attributes(AttributesError::Origin { .. }) => Handling::Reset,
            // The head moved between reading and building: look again.
            Self::Engine(EngineError::NotOnHead { .. }) => Handling::Retry,
            Self::Engine(error) => match error.handling() {
                // An invalid block of our own making comes out the same again.
                Handling::Reset => Handling::Stop,
                handling => handling,
            },
            Self::Attributes(AttributesError::OlderThanOrigin { .. })
            | Self::Deposit { .. }
            | Self::Head(_)
            | Self::Storage(_)
            | Self::FinalizedReorganised { .. } => Handling::Stop,
        }
    }
}
