//! Errors, each saying whether trying again can help.

use alloy_primitives::TxHash;
use alloy_transport::TransportError;

/// Why a candidate did not get a receipt.
#[derive(Debug, thiserror::Error)]
pub enum TxManagerError {
    /// L1 did not answer, or answered with an error that trying again may cure.
    #[error("L1 request failed: {0}")]
    Transport(#[from] TransportError),
    /// L1 refuses the transaction for what it is.
    #[error("L1 refuses the transaction: {0}")]
    Refused(String),
    /// The call would revert, or did.
    #[error("the transaction reverted on L1: {0}")]
    Reverted(TxHash),
    /// Another transaction of this account took the nonce.
    #[error("nonce {nonce} was used by another transaction: does another process post with this key?")]
    NonceTaken {
        /// The nonce in question.
        nonce: u64,
    },
    /// A reorganisation took back transactions before this one, which L1 has forgotten.
    #[error("L1 lost transactions before nonce {nonce}: starting over")]
    NonceGap {
        /// The nonce in question.
        nonce: u64,
    },
    /// Not mined at the highest fees allowed.
    #[error(
        "not mined after {attempts} attempts, the last at {max_fee_per_gas} wei a gas: raise the fee limits"
    )]
    NotMined {
        /// How often it was sent.
        attempts: u32,
        /// The last fee offered.
        max_fee_per_gas: u128,
    },
    /// The blobs' commitments or proofs cannot be computed.
    #[error("blob proofs: {0}")]
    Blobs(String),
    /// The signer failed.
    #[error("signing: {0}")]
    Signer(#[from] alloy_signer::Error),
}

impl TxManagerError {
    /// Whether the same candidate may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::Transport(_) | Self::NonceTaken { .. } | Self::NonceGap { .. } | Self::NotMined { .. }
        )
    }
}
