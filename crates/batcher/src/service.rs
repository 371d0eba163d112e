//! The loop: follow L2, post what is due, start over when something was lost.

use crate::{
    BatcherError, BatcherLimits, Pending, PendingBlock, PostedChannel, build_channel, transactions,
    unconfirmed::{Fate, Unconfirmed},
};
use alloy_consensus::Block;
use alloy_eips::{BlockNumHash, BlockNumberOrTag};
use alloy_primitives::Bytes;
use alloy_provider::{DynProvider, Provider};
use alloy_rlp::Decodable;
use openledger_chainspec::RollupConfig;
use openledger_primitives::OpenTxEnvelope;
use openledger_protocol::SingularBatch;
use openledger_tx_manager::{TxCandidate, TxManager};
use serde::Deserialize;
use std::{sync::Arc, time::Duration};
use tokio::time::sleep;
use tracing::{info, warn};

/// Settings of the loop.
#[derive(Debug, Clone)]
pub struct BatcherConfig {
    /// When channels close.
    pub limits: BatcherLimits,
    /// Blobs of one transaction, at most six.
    pub max_blobs: usize,
    /// How often L1 and L2 are looked at.
    pub poll_interval: Duration,
    /// L1 blocks after which a posted channel that is not safe is posted again.
    pub safe_timeout_blocks: u64,
}

impl Default for BatcherConfig {
    fn default() -> Self {
        Self {
            limits: BatcherLimits::default(),
            max_blobs: 6,
            poll_interval: Duration::from_secs(1),
            safe_timeout_blocks: 30,
        }
    }
}

/// Posts one chain's blocks.
#[derive(Debug)]
pub struct Batcher {
    rollup: Arc<RollupConfig>,
    config: BatcherConfig,
    l1: DynProvider,
    l2: DynProvider,
    transactions: TxManager,
}

/// The part of a block that heads are read from.
#[derive(Deserialize, Debug)]
struct Head {
    hash: alloy_primitives::B256,
    #[serde(with = "alloy_serde::quantity")]
    number: u64,
}

impl Batcher {
    /// A batcher over these endpoints.
    pub fn new(
        rollup: Arc<RollupConfig>,
        config: BatcherConfig,
        l1: DynProvider,
        l2: DynProvider,
        transactions: TxManager,
    ) -> Self {
        Self { rollup, config, l1, l2, transactions }
    }

    /// Runs for ever; every failure is logged and tried again.
    pub async fn run(self) {
        info!(account = %self.transactions.address(), inbox = %self.rollup.batch_inbox_address, "batcher started");
        loop {
            if let Err(error) = self.post_from_safe_head().await {
                warn!(%error, "starting over at the safe head");
                sleep(self.config.poll_interval).await;
            }
        }
    }

    /// Posts from the safe head on, until something makes it start over.
    async fn post_from_safe_head(&self) -> Result<(), BatcherError> {
        let safe = self.head(BlockNumberOrTag::Safe).await?;
        let mut pending = Pending::new(self.config.limits, safe);
        let mut unconfirmed = Unconfirmed::new(safe.number, self.config.safe_timeout_blocks);
        info!(safe = safe.number, "posting from the safe head");
        loop {
            let l1_number =
                self.l1.get_block_number().await.map_err(openledger_tx_manager::TxManagerError::from)?;
            if !self.fetch(&mut pending, l1_number).await? {
                info!("the L2 chain was reorganised");
                return Ok(());
            }
            let safe = self.head(BlockNumberOrTag::Safe).await?.number;
            match unconfirmed.observe(safe, l1_number) {
                Fate::Fine => {}
                fate => {
                    warn!(?fate, safe, "L1 lost a posted channel, posting again");
                    return Ok(());
                }
            }
            if let Some(blocks) = pending.due(l1_number) {
                let channel = build_channel(&blocks, &self.rollup, l1_number)?;
                self.post(&channel).await?;
                let now = self.l1.get_block_number().await.unwrap_or(l1_number);
                unconfirmed.posted(channel.last.number, now);
                pending.posted(channel.last, now);
                continue;
            }
            sleep(self.config.poll_interval).await;
        }
    }

    /// Fetches new blocks; `false` when they do not continue those that wait.
    async fn fetch(&self, pending: &mut Pending, l1_number: u64) -> Result<bool, BatcherError> {
        let latest = self.head(BlockNumberOrTag::Latest).await?;
        while pending.next_number() <= latest.number && pending.has_room() {
            let number = BlockNumberOrTag::Number(pending.next_number());
            let raw: Bytes = self.ask("debug_getRawBlock", (number,)).await?;
            let block = Block::<OpenTxEnvelope>::decode(&mut raw.as_ref())
                .map_err(|e| BatcherError::L2(format!("block {number}: {e}")))?;
            let (batch, block) = SingularBatch::from_block(&block, &self.rollup.genesis)?;
            if pending.push(PendingBlock { block, batch }, l1_number).is_err() {
                return Ok(false);
            }
        }
        Ok(latest.number >= pending.tip().number)
    }

    async fn post(&self, channel: &PostedChannel) -> Result<(), BatcherError> {
        for blobs in transactions(&channel.frames, self.config.max_blobs)? {
            let count = blobs.len();
            let candidate = TxCandidate {
                to: self.rollup.batch_inbox_address,
                // Blobs bring no calldata, and the inbox has no code.
                gas_limit: Some(21_000),
                blobs,
                ..Default::default()
            };
            let receipt = self.transactions.send(&candidate).await?;
            info!(
                l1_tx = %receipt.transaction_hash,
                l1_block = receipt.block_number,
                blobs = count,
                first = channel.first.number,
                last = channel.last.number,
                channel = %channel.id,
                "posted a batch"
            );
        }
        Ok(())
    }

    async fn head(&self, tag: BlockNumberOrTag) -> Result<BlockNumHash, BatcherError> {
        let head: Option<Head> = self.ask("eth_getBlockByNumber", (tag, false)).await?;
        let head = head.ok_or_else(|| BatcherError::L2(format!("it has no {tag} block")))?;
        Ok(BlockNumHash::new(head.number, head.hash))
    }

    async fn ask<P, R>(&self, method: &'static str, parameters: P) -> Result<R, BatcherError>
    where
        P: serde::Serialize + Clone + std::fmt::Debug + Send + Sync + Unpin + 'static,
        R: serde::de::DeserializeOwned + std::fmt::Debug + Send + Sync + Unpin + 'static,
    {
        self.l2.raw_request(method.into(), parameters).await.map_err(|e| BatcherError::L2(e.to_string()))
    }
}
