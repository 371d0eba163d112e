//! What delays a proposal.

use openledger_tx_manager::TxManagerError;

/// Errors of the proposer; all are tried again.
#[derive(Debug, thiserror::Error)]
pub enum ProposerError {
    /// The L2 node did not answer, or with something unusable.
    #[error("L2 node: {0}")]
    L2(String),
    /// L1 did not answer a view.
    #[error("L1: {0}")]
    L1(String),
    /// L1 did not take the transaction.
    #[error(transparent)]
    Transaction(#[from] TxManagerError),
}
