//! The face of L1.

use std::{future::Future, sync::Arc};

use alloy_consensus::{EthereumTxEnvelope, Header, ReceiptEnvelope, Sealed, TxEip4844};
use alloy_eips::eip4844::Blob;
use alloy_primitives::B256;

use crate::L1Error;

/// An L1 transaction; blob transactions without their blobs.
pub type L1Transaction = EthereumTxEnvelope<TxEip4844>;

/// An L1 block with what derivation reads of it, blobs apart.
#[derive(Debug, Clone)]
pub struct L1Block {
    /// Header and hash.
    pub header: Sealed<Header>,
    /// Every transaction, in order.
    pub transactions: Arc<Vec<L1Transaction>>,
    /// A receipt a transaction.
    pub receipts: Arc<Vec<ReceiptEnvelope>>,
}

/// Where L1 is read from.
///
/// `None` means that there is no such block (yet); errors say by [`L1Error::severity`] whether to
/// try again. Methods that take a header return data of exactly that block, or an error.
pub trait L1Source: Send + Sync {
    /// The canonical block at `number`.
    fn block_by_number(
        &self,
        number: u64,
    ) -> impl Future<Output = Result<Option<Sealed<Header>>, L1Error>> + Send;

    /// The block with `hash`, canonical or not, while the node still has it.
    fn block_by_hash(
        &self,
        hash: B256,
    ) -> impl Future<Output = Result<Option<Sealed<Header>>, L1Error>> + Send;

    /// The newest block.
    fn head(&self) -> impl Future<Output = Result<Sealed<Header>, L1Error>> + Send;

    /// The newest block that is unlikely to be reorganised away.
    fn safe(&self) -> impl Future<Output = Result<Option<Sealed<Header>>, L1Error>> + Send;

    /// The newest block that will never be.
    fn finalized(&self) -> impl Future<Output = Result<Option<Sealed<Header>>, L1Error>> + Send;

    /// The transactions of a block, checked against its transactions root.
    fn transactions(
        &self,
        header: &Sealed<Header>,
    ) -> impl Future<Output = Result<Arc<Vec<L1Transaction>>, L1Error>> + Send;

    /// The receipts of a block, checked against its receipts root.
    fn receipts(
        &self,
        header: &Sealed<Header>,
    ) -> impl Future<Output = Result<Arc<Vec<ReceiptEnvelope>>, L1Error>> + Send;

    /// Blobs of a block by versioned hash, in the order asked for, checked against the hashes.
    fn blobs(
        &self,
        header: &Sealed<Header>,
        hashes: &[B256],
    ) -> impl Future<Output = Result<Vec<Arc<Blob>>, L1Error>> + Send;

    /// Header, transactions and receipts of a block.
    fn block(&self, header: Sealed<Header>) -> impl Future<Output = Result<L1Block, L1Error>> + Send {
        async move {
            let transactions = self.transactions(&header).await?;
            let receipts = self.receipts(&header).await?;
            Ok(L1Block { header, transactions, receipts })
        }
    }
}

impl<T: L1Source> L1Source for Arc<T> {
    async fn block_by_number(&self, number: u64) -> Result<Option<Sealed<Header>>, L1Error> {
        (**self).block_by_number(number).await
    }

    async fn block_by_hash(&self, hash: B256) -> Result<Option<Sealed<Header>>, L1Error> {
        (**self).block_by_hash(hash).await
    }

    async fn head(&self) -> Result<Sealed<Header>, L1Error> {
        (**self).head().await
    }

    async fn safe(&self) -> Result<Option<Sealed<Header>>, L1Error> {
        (**self).safe().await
    }

    async fn finalized(&self) -> Result<Option<Sealed<Header>>, L1Error> {
        (**self).finalized().await
    }

    async fn transactions(&self, header: &Sealed<Header>) -> Result<Arc<Vec<L1Transaction>>, L1Error> {
        (**self).transactions(header).await
    }

    async fn receipts(&self, header: &Sealed<Header>) -> Result<Arc<Vec<ReceiptEnvelope>>, L1Error> {
        (**self).receipts(header).await
    }

    async fn blobs(&self, header: &Sealed<Header>, hashes: &[B256]) -> Result<Vec<Arc<Blob>>, L1Error> {
        (**self).blobs(header, hashes).await
    }
}
