//! The pipeline: L1 blocks in, payload attributes out. Pure and synchronous.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use alloy_consensus::{Header, ReceiptEnvelope, Sealed};
use alloy_eips::{BlockNumHash, eip4844::Blob};
use alloy_primitives::B256;
use op_alloy_rpc_types_engine::OpPayloadAttributes;
use openledger_chainspec::{RollupConfig, SystemConfig};
use openledger_l1::{L1Block, L1Transaction};
use openledger_protocol::{
    ConfigUpdate, L1BlockRef, L1OriginData, L2BlockRef, attributes, read_config_updates,
};
use tracing::warn;

use crate::{
    DerivationError,
    stages::{BatchQueue, NextBatch, Traversal, batcher_blobs, batcher_data},
};

/// Where derivation starts: an L1 block early enough that every channel that may still matter was
/// opened after it, and the system configuration in force there.
#[derive(Debug, Clone, Copy)]
pub struct PipelineStart {
    /// The first L1 block to be pushed.
    pub l1: BlockNumHash,
    /// The configuration of an L2 block with that origin.
    pub system_config: SystemConfig,
}

/// The L2 block that the next one is derived on.
#[derive(Debug, Clone, Copy)]
pub struct SafeHead {
    /// The block.
    pub block: L2BlockRef,
    /// The configuration that it was built with.
    pub system_config: SystemConfig,
}

/// The safe chain up to the safe head, for spans that overlap it.
pub trait SafeChain {
    /// The block at `number`, not above the safe head.
    fn safe_block(&self, number: u64) -> Option<L2BlockRef>;
}

/// An L1 block with the blobs that [`Pipeline::wanted_blobs`] named.
#[derive(Debug, Clone)]
pub struct L1Input {
    /// Header, transactions and receipts.
    pub block: L1Block,
    /// By versioned hash.
    pub blobs: HashMap<B256, Arc<Blob>>,
}

/// What an L2 block must contain.
#[derive(Debug, Clone)]
pub struct Derived {
    /// The block that it follows.
    pub parent: L2BlockRef,
    /// Its contents.
    pub attributes: OpPayloadAttributes,
    /// Its epoch.
    pub l1_origin: BlockNumHash,
    /// The L1 block whose data completed it: once that is final, so is this.
    pub derived_from: L1BlockRef,
    /// Whether a batch said so; otherwise the sequencing window passed.
    pub from_batch: bool,
}

/// One step.
#[derive(Debug)]
pub enum Step {
    /// Build this block, then go on with it as the safe head.
    Attributes(Box<Derived>),
    /// Push the L1 block of this number.
    NeedL1(u64),
}

/// What later L2 blocks need of an L1 block.
#[derive(Debug)]
struct Epoch {
    data: L1OriginData,
    updates: Vec<ConfigUpdate>,
}

/// The stages and the L1 blocks that epochs may still begin with.
#[derive(Debug)]
pub struct Pipeline {
    config: Arc<RollupConfig>,
    traversal: Traversal,
    batches: BatchQueue,
    epochs: VecDeque<Epoch>,
}

impl Pipeline {
    /// An empty pipeline.
    pub fn new(config: Arc<RollupConfig>, start: PipelineStart) -> Self {
        Self {
            config,
            traversal: Traversal::new(start.l1, start.system_config),
            batches: BatchQueue::default(),
            epochs: VecDeque::new(),
        }
    }

    /// The L1 block pushed last.
    pub const fn origin(&self) -> Option<L1BlockRef> {
        self.traversal.origin()
    }

    /// The blobs that must come with an L1 block: those of the batcher of that very block.
    pub fn wanted_blobs(&self, transactions: &[L1Transaction], receipts: &[ReceiptEnvelope]) -> Vec<B256> {
        let contract = self.config.l1_system_config_address;
        let (updates, _) = read_config_updates(receipts, contract);
        let batcher = self.traversal.config_after(&updates).batcher_address;
        batcher_blobs(transactions, self.config.batch_inbox_address, batcher)
    }

    /// Takes the next L1 block. On an error nothing has changed.
    pub fn push_l1(&mut self, input: L1Input, safe_head: &SafeHead) -> Result<(), DerivationError> {
        let L1Input { block: L1Block { header, transactions, receipts }, blobs } = input;
        let block = L1BlockRef::from(&header);
        self.traversal.check(&block)?;
        let (updates, errors) = read_config_updates(&receipts, self.config.l1_system_config_address);
        for error in errors {
            warn!(l1_block = block.number, %error, "passing over a configuration update");
        }
        let system_config = self.traversal.config_after(&updates);
        let epoch = self.epoch(header, &receipts, updates)?;

        let inbox = self.config.batch_inbox_address;
        let data = batcher_data(&transactions, &blobs, inbox, system_config.batcher_address);
        self.batches.reader().channels().frames().push(data);
        self.batches.advance(block, &safe_head.block);
        self.traversal.advance(block, system_config);
        if block.number >= safe_head.block.l1_origin.number {
            self.epochs.push_back(epoch);
        }
        Ok(())
    }

    fn epoch(
        &self,
        header: Sealed<Header>,
        receipts: &[ReceiptEnvelope],
        updates: Vec<ConfigUpdate>,
    ) -> Result<Epoch, DerivationError> {
        let number = header.number;
        let portal = self.config.deposit_contract_address;
        let data = L1OriginData::new(header, receipts, portal)
            .map_err(|source| DerivationError::Deposit { number, source })?;
        Ok(Epoch { data, updates })
    }

    /// The next block after `safe_head`, or the number of the L1 block that is needed to tell.
    pub fn advance(&mut self, safe_head: &SafeHead, chain: &dyn SafeChain) -> Result<Step, DerivationError> {
        let parent = &safe_head.block;
        let Some(origin) = self.traversal.origin() else {
            return Ok(Step::NeedL1(self.traversal.next_number()));
        };
        while self.epochs.front().is_some_and(|e| e.data.header.number < parent.l1_origin.number) {
            self.epochs.pop_front();
        }
        loop {
            match self.batches.next(&self.config, &origin, parent, chain) {
                NextBatch::Again => {}
                NextBatch::OutOfData => return Ok(Step::NeedL1(self.traversal.next_number())),
                NextBatch::Batch(batch, from_batch) => {
                    let l1_origin = batch.epoch();
                    let epoch = self.epochs.iter().find(|e| e.data.header.hash() == l1_origin.hash);
                    let Some(epoch) = epoch else {
                        return Err(DerivationError::L1Reorg { number: l1_origin.number });
                    };
                    let mut system_config = safe_head.system_config;
                    if l1_origin.number != parent.l1_origin.number {
                        epoch.updates.iter().for_each(|update| update.apply(&mut system_config));
                    }
                    let built = attributes::build(&self.config, &system_config, parent, &epoch.data)?;
                    return Ok(Step::Attributes(Box::new(Derived {
                        parent: *parent,
                        attributes: attributes::with_transactions(built, batch.transactions),
                        l1_origin,
                        derived_from: origin,
                        from_batch,
                    })));
                }
            }
        }
    }

    /// Drops the rest of the channel, after a block of it had to be replaced.
    pub fn drop_channel(&mut self) {
        self.batches.flush();
    }
}
