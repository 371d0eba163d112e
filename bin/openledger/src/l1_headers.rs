//! The L1 client as the sequencer reads it.

use alloy_consensus::{Header, ReceiptEnvelope, Sealed};
use alloy_primitives::B256;
use openledger_l1::{L1Client, L1Error, L1Source as _};
use openledger_sequencer::{L1Source, L1SourceError};
use std::sync::Arc;

/// The canonical chain up to `confirmations` blocks behind L1's head.
#[derive(Debug)]
pub(crate) struct L1Headers {
    pub(crate) client: Arc<L1Client>,
    pub(crate) confirmations: u64,
}

impl L1Source for L1Headers {
    async fn header(&self, number: u64) -> Result<Option<Sealed<Header>>, L1SourceError> {
        if self.confirmations > 0 {
            let head = self.client.head().await.map_err(away)?;
            if number.saturating_add(self.confirmations) > head.number {
                return Ok(None);
            }
        }
        self.client.block_by_number(number).await.map_err(away)
    }

    async fn receipts(&self, hash: B256) -> Result<Vec<ReceiptEnvelope>, L1SourceError> {
        let header = self.client.block_by_hash(hash).await.map_err(away)?;
        let header = header.ok_or_else(|| L1SourceError(format!("block {hash} is gone")))?;
        Ok(self.client.receipts(&header).await.map_err(away)?.as_ref().clone())
    }
}

fn away(error: L1Error) -> L1SourceError {
    L1SourceError(error.to_string())
}
