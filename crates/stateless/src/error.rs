//! What a witness can lack, and why a block cannot be executed on it.

use alloy_primitives::B256;
use openledger_evm::ExecutionError;
use revm::database_interface::DBErrorMarker;
use thiserror::Error;

/// Why a witness could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WitnessError {
    /// It does not hold what is to be read.
    #[error("the witness lacks the {what} {hash}: take it with all that the block reads")]
    Missing {
        /// What it is.
        what: &'static str,
        /// By what it is looked up.
        hash: B256,
    },
    /// What it holds is not what it must be.
    #[error("the witness holds a {what} that does not decode: {reason}")]
    Malformed {
        /// What it should be.
        what: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// A block hash of a block that is not before the one in execution.
    #[error("block {0} is no ancestor")]
    NoAncestor(u64),
}

impl DBErrorMarker for WitnessError {}

/// Why a block could not be executed on a witness.
#[derive(Debug, Error)]
pub enum StatelessError {
    /// The block cannot be executed.
    #[error(transparent)]
    Execution(#[from] ExecutionError),
    /// The witness lacks something.
    #[error(transparent)]
    Witness(#[from] WitnessError),
}
