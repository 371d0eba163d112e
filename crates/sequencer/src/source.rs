//! What the sequencer reads from: L1 and the pool.

use std::future::Future;

use alloy_consensus::{Header, ReceiptEnvelope, Sealed, transaction::Recovered};
use alloy_primitives::B256;
use openledger_primitives::OpenTxEnvelope;
use openledger_txpool::TxPool;
use thiserror::Error;
use tracing::{debug, warn};

/// L1 did not give what was asked for. Always worth another try.
#[derive(Debug, Error)]
#[error("L1: {0}")]
pub struct L1SourceError(pub String);

/// The L1 chain as the sequencer reads it. Whoever implements it has checked that header and receipts
/// belong to their hashes.
pub trait L1Source: Send + Sync + 'static {
    /// The header at `number` on L1's canonical chain, confirmed as deep as the operator wants;
    /// `None` where L1 is not there yet.
    fn header(
        &self,
        number: u64,
    ) -> impl Future<Output = Result<Option<Sealed<Header>>, L1SourceError>> + Send;

    /// All receipts of the L1 block with this hash.
    fn receipts(
        &self,
        hash: B256,
    ) -> impl Future<Output = Result<Vec<ReceiptEnvelope>, L1SourceError>> + Send;
}

/// The transactions that may go into a block.
pub trait TransactionSource: Send + Sync + 'static {
    /// The best transactions that pay `base_fee_wei` and fit `gas_limit`, best first.
    fn best(&self, base_fee_wei: u64, gas_limit: u64, max_count: usize) -> Vec<Recovered<OpenTxEnvelope>>;

    /// Takes out a transaction that was found invalid.
    fn remove_invalid(&self, hash: &B256, reason: &str);

    /// These transactions are in a block that is being stored: [`Self::best`] must not give them again.
    fn on_extended(&self, included: &[B256]);

    /// The block that was being stored is not on the chain: what it holds may be given again.
    fn on_lost(&self);

    /// A block is stored: what it holds must be taken out.
    fn on_sealed(&self) -> impl Future<Output = ()> + Send;
}

impl TransactionSource for TxPool {
    fn best(&self, base_fee_wei: u64, gas_limit: u64, max_count: usize) -> Vec<Recovered<OpenTxEnvelope>> {
        Self::best(self, base_fee_wei, gas_limit, max_count)
    }

    fn remove_invalid(&self, hash: &B256, reason: &str) {
        if self.remove(hash) {
            debug!(%hash, reason, "took an invalid transaction out of the pool");
        }
    }

    fn on_extended(&self, included: &[B256]) {
        self.put_in_block(included.iter().copied());
    }

    fn on_lost(&self) {
        self.release();
    }

    async fn on_sealed(&self) {
        if let Err(error) = self.on_new_block().await {
            warn!(%error, "the pool could not follow the head");
        }
    }
}
