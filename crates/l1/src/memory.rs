//! An L1 chain in memory that can reorganise: for tests of what reads L1.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use alloy_consensus::{
    Header, Receipt, ReceiptEnvelope, ReceiptWithBloom, Sealed,
    proofs::{calculate_receipt_root, calculate_transaction_root},
};
use alloy_eips::eip4844::Blob;
use alloy_primitives::{B256, Log};

use crate::{L1Block, L1Error, L1Source, L1Transaction};

/// A chain in memory. Clones of the `Arc` around it see the same chain.
#[derive(Debug)]
pub struct MemoryL1 {
    chain: Mutex<Chain>,
}

#[derive(Debug)]
struct Chain {
    canonical: Vec<L1Block>,
    /// Every block ever mined.
    by_hash: HashMap<B256, L1Block>,
    blobs: HashMap<B256, Arc<Blob>>,
    finalized: usize,
    block_time: u64,
    /// Makes blocks of different branches differ.
    nonce: u64,
}

impl MemoryL1 {
    /// A chain of one empty block at `timestamp` in seconds.
    pub fn new(timestamp: u64, block_time: u64) -> Self {
        let mut chain = Chain {
            canonical: Vec::new(),
            by_hash: HashMap::new(),
            blobs: HashMap::new(),
            finalized: 0,
            block_time,
            nonce: 0,
        };
        chain.mine(timestamp, Vec::new(), Vec::new());
        Self { chain: Mutex::new(chain) }
    }

    /// Mines a block with transactions and the logs that they emit: one receipt that succeeded with
    /// all `logs`, in front of an empty one for each transaction.
    pub fn mine(&self, transactions: Vec<L1Transaction>, logs: Vec<Log>) -> Sealed<Header> {
        let mut chain = self.lock();
        let timestamp = chain.head().header.timestamp + chain.block_time;
        chain.mine(timestamp, transactions, logs)
    }

    /// Makes a blob available under its versioned hash.
    pub fn add_blob(&self, versioned_hash: B256, blob: Arc<Blob>) {
        self.lock().blobs.insert(versioned_hash, blob);
    }

    /// Makes a blob unavailable.
    pub fn remove_blob(&self, versioned_hash: &B256) {
        self.lock().blobs.remove(versioned_hash);
    }

    /// Drops the newest `depth` blocks; genesis stays. Blocks mined from here on differ from them.
    pub fn reorg(&self, depth: usize) {
        let mut chain = self.lock();
        let keep = chain.canonical.len().saturating_sub(depth).max(1);
        chain.canonical.truncate(keep);
        chain.finalized = chain.finalized.min(keep - 1);
    }

    /// Finalises up to the block at `number`, or the head.
    pub fn finalize(&self, number: u64) {
        let mut chain = self.lock();
        chain.finalized = chain.canonical.len().saturating_sub(1).min(number as usize);
    }

    /// The newest block.
    pub fn tip(&self) -> Sealed<Header> {
        self.lock().head().header.clone()
    }

    /// The canonical block at `number`.
    pub fn canonical(&self, number: u64) -> Option<L1Block> {
        self.lock().canonical.get(number as usize).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Chain> {
        self.chain.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self, header: &Sealed<Header>) -> Result<L1Block, L1Error> {
        let hash = header.hash();
        self.lock().by_hash.get(&hash).cloned().ok_or(L1Error::UnknownBlock(hash))
    }
}

impl Chain {
    fn head(&self) -> &L1Block {
        &self.canonical[self.canonical.len() - 1]
    }

    fn mine(&mut self, timestamp: u64, transactions: Vec<L1Transaction>, logs: Vec<Log>) -> Sealed<Header> {
        self.nonce += 1;
        let mut receipts = Vec::new();
        for logs in std::iter::once(logs).chain(transactions.iter().map(|_| Vec::new())) {
            let receipt = Receipt { status: true.into(), cumulative_gas_used: 0, logs };
            receipts.push(ReceiptEnvelope::Eip1559(ReceiptWithBloom::from(receipt)));
        }
        let header = Header {
            parent_hash: self.canonical.last().map_or(B256::ZERO, |head| head.header.hash()),
            number: self.canonical.len() as u64,
            timestamp,
            mix_hash: B256::left_padding_from(&self.nonce.to_be_bytes()),
            base_fee_per_gas: Some(1_000_000_000 + self.nonce),
            excess_blob_gas: Some(0),
            blob_gas_used: Some(0),
            parent_beacon_block_root: Some(B256::left_padding_from(&[7])),
            transactions_root: calculate_transaction_root(&transactions),
            receipts_root: calculate_receipt_root(&receipts),
            ..Default::default()
        };
        let header = Sealed::new(header);
        let block = L1Block {
            header: header.clone(),
            transactions: Arc::new(transactions),
            receipts: Arc::new(receipts),
        };
        self.by_hash.insert(header.hash(), block.clone());
        self.canonical.push(block);
        header
    }
}

impl L1Source for MemoryL1 {
    async fn block_by_number(&self, number: u64) -> Result<Option<Sealed<Header>>, L1Error> {
        Ok(self.canonical(number).map(|block| block.header))
    }

    async fn block_by_hash(&self, hash: B256) -> Result<Option<Sealed<Header>>, L1Error> {
        Ok(self.lock().by_hash.get(&hash).map(|block| block.header.clone()))
    }

    async fn head(&self) -> Result<Sealed<Header>, L1Error> {
        Ok(self.tip())
    }

    async fn safe(&self) -> Result<Option<Sealed<Header>>, L1Error> {
        self.finalized().await
    }

    async fn finalized(&self) -> Result<Option<Sealed<Header>>, L1Error> {
        let chain = self.lock();
        Ok(chain.canonical.get(chain.finalized).map(|block| block.header.clone()))
    }

    async fn transactions(&self, header: &Sealed<Header>) -> Result<Arc<Vec<L1Transaction>>, L1Error> {
        Ok(self.known(header)?.transactions)
    }

    async fn receipts(&self, header: &Sealed<Header>) -> Result<Arc<Vec<ReceiptEnvelope>>, L1Error> {
        Ok(self.known(header)?.receipts)
    }

    async fn blobs(&self, header: &Sealed<Header>, hashes: &[B256]) -> Result<Vec<Arc<Blob>>, L1Error> {
        let chain = self.lock();
        let blob = |&hash: &B256| {
            let missing = L1Error::MissingBlob { hash, block: header.number };
            chain.blobs.get(&hash).cloned().ok_or(missing)
        };
        hashes.iter().map(blob).collect()
    }
}
