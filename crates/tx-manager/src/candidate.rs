//! What the caller wants on L1.

use alloy_eips::eip4844::Blob;
use alloy_primitives::{Address, Bytes, U256};

/// A transaction without nonce and fees.
#[derive(Clone, Default)]
pub struct TxCandidate {
    /// The account or contract called.
    pub to: Address,
    /// Calldata.
    pub data: Bytes,
    /// Wei sent along.
    pub value: U256,
    /// Gas limit; estimated when `None`.
    pub gas_limit: Option<u64>,
    /// Blobs, at most six; none makes it an EIP-1559 transaction.
    pub blobs: Vec<Blob>,
}

impl std::fmt::Debug for TxCandidate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TxCandidate")
            .field("to", &self.to)
            .field("data_bytes", &self.data.len())
            .field("value", &self.value)
            .field("blobs", &self.blobs.len())
            .finish()
    }
}
