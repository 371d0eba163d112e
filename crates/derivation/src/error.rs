//! What can go wrong, and how to react.

use openledger_l1::{L1Error, Severity};
use openledger_protocol::{AttributesError, BlockRefError, DepositError};

use crate::EngineFailure;

/// How the driver reacts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reaction {
    /// Try the same again.
    Retry,
    /// Start over from the engine's heads.
    Reset,
    /// An operator must look.
    Stop,
}

/// Why derivation does not go on.
#[derive(Debug, thiserror::Error)]
pub enum DerivationError {
    /// The next L1 block does not follow the last one.
    #[error("L1 block {number} does not follow the one read before it: L1 has reorganised")]
    L1Reorg {
        /// Number of the block that does not fit.
        number: u64,
    },
    /// The attributes of a block cannot be built on this parent.
    #[error(transparent)]
    Attributes(#[from] AttributesError),
    /// The portal's log is not what the portal writes.
    #[error("L1 block {number} has a deposit that cannot be read: {source}")]
    Deposit {
        /// L1 block number.
        number: u64,
        /// What is wrong with it.
        source: DepositError,
    },
    /// An L2 block on disk has no reference.
    #[error(transparent)]
    BlockRef(#[from] BlockRefError),
    /// A block that must be on the chain is not.
    #[error("L2 block {0} is missing: the chain changed while it was read")]
    MissingBlock(u64),
    /// L1 failed.
    #[error(transparent)]
    L1(#[from] L1Error),
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] EngineFailure),
    /// Deposits are always valid, so that this is a bug or a broken database.
    #[error("the engine refuses a block with deposits only: {0}")]
    DepositsRefused(String),
    /// L1 took back what was final.
    #[error(
        "L1 origin {origin} of the finalized L2 block {block} is not on L1 any more: this node \
         follows another L1, or L1 took back a finalized block. Check --l1-rpc-url"
    )]
    FinalizedOriginGone {
        /// L2 block number.
        block: u64,
        /// L1 block number.
        origin: u64,
    },
}

impl DerivationError {
    /// How to react.
    pub const fn reaction(&self) -> Reaction {
        match self {
            Self::L1Reorg { .. } | Self::Attributes(_) | Self::MissingBlock(_) => Reaction::Reset,
            Self::L1(error) => match error.severity() {
                Severity::Retry => Reaction::Retry,
                Severity::Reset => Reaction::Reset,
                Severity::Stop => Reaction::Stop,
            },
            Self::Engine(failure) => failure.reaction,
            Self::Deposit { .. }
            | Self::BlockRef(_)
            | Self::DepositsRefused(_)
            | Self::FinalizedOriginGone { .. } => Reaction::Stop,
        }
    }
}
