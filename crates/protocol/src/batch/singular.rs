//! Singular batches: one L2 block's transactions.

use alloy_consensus::Block;
use alloy_eips::{BlockNumHash, Encodable2718};
use alloy_primitives::{B256, Bytes};
use alloy_rlp::{Decodable, Encodable, RlpDecodable, RlpEncodable};
use openledger_chainspec::RollupGenesis;
use openledger_primitives::OpenTxEnvelope;

use super::BatchError;
use crate::{BlockRefError, L2BlockRef};

/// One L2 block: where it stands and what the sequencer put into it.
#[derive(Debug, Clone, Default, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct SingularBatch {
    /// Hash of the L2 block before.
    pub parent_hash: B256,
    /// Number of the L1 origin.
    pub epoch_number: u64,
    /// Hash of the L1 origin.
    pub epoch_hash: B256,
    /// Seconds since 1970.
    pub timestamp: u64,
    /// EIP-2718 transactions, no deposits.
    pub transactions: Vec<Bytes>,
}

impl SingularBatch {
    /// The batch of an L2 block, and the block's reference. Hashes the header.
    pub fn from_block(
        block: &Block<OpenTxEnvelope>,
        genesis: &RollupGenesis,
    ) -> Result<(Self, L2BlockRef), BlockRefError> {
        let block_ref = L2BlockRef::from_block(block, genesis)?;
        let transactions = block.body.transactions.iter().filter(|tx| !tx.is_deposit());
        let batch = Self {
            parent_hash: block_ref.parent_hash,
            epoch_number: block_ref.l1_origin.number,
            epoch_hash: block_ref.l1_origin.hash,
            timestamp: block_ref.timestamp,
            transactions: transactions.map(|tx| tx.encoded_2718().into()).collect(),
        };
        Ok((batch, block_ref))
    }

    /// Number and hash of the L1 origin.
    pub const fn epoch(&self) -> BlockNumHash {
        BlockNumHash { number: self.epoch_number, hash: self.epoch_hash }
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        Encodable::encode(self, out);
    }

    pub(super) fn decode(mut content: &[u8]) -> Result<Self, BatchError> {
        Decodable::decode(&mut content).map_err(|source| BatchError::Rlp { what: "singular content", source })
    }
}
