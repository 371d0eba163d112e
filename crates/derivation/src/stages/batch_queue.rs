//! Batch queue: the next block's batch, or an empty one past the sequencing window.

use std::collections::VecDeque;

use openledger_chainspec::RollupConfig;
use openledger_protocol::{Batch, L1BlockRef, L2BlockRef, SingularBatch, SpanBatch};
use tracing::{debug, warn};

use super::{
    ChannelReader, Pull,
    batch_rules::{Context, Validity},
};
use crate::pipeline::SafeChain;

/// One pull from the queue.
#[derive(Debug)]
pub(crate) enum NextBatch {
    /// The batch of the next block; `true` when the sequencer posted it.
    Batch(SingularBatch, bool),
    /// Pull again.
    Again,
    /// Nothing more without another L1 block.
    OutOfData,
}

/// Holds at most one span, of which it hands out a block at a time.
#[derive(Debug, Default)]
pub(crate) struct BatchQueue {
    reader: ChannelReader,
    span: VecDeque<SingularBatch>,
    /// From the current epoch to the L1 block that is being read.
    l1_blocks: Vec<L1BlockRef>,
}

impl BatchQueue {
    pub(crate) const fn reader(&mut self) -> &mut ChannelReader {
        &mut self.reader
    }

    /// Notes that L1 block `origin` is being read, with `parent` as the safe head.
    pub(crate) fn advance(&mut self, origin: L1BlockRef, parent: &L2BlockRef) {
        if origin.number < parent.l1_origin.number {
            self.l1_blocks.clear();
        } else {
            self.l1_blocks.push(origin);
        }
    }

    /// Drops the rest of the span and of its channel.
    pub(crate) fn flush(&mut self) {
        self.span.clear();
        self.reader.flush();
    }

    pub(crate) fn next(
        &mut self,
        config: &RollupConfig,
        origin: &L1BlockRef,
        parent: &L2BlockRef,
        chain: &dyn SafeChain,
    ) -> NextBatch {
        let passed = self.l1_blocks.iter().take_while(|b| b.number < parent.l1_origin.number);
        self.l1_blocks.drain(..passed.count());

        // Until L1 is past the safe head's origin, every batch is about blocks that are safe.
        if origin.number <= parent.l1_origin.number {
            return match self.reader.next(config, origin) {
                Pull::OutOfData => NextBatch::OutOfData,
                Pull::Ready(_) | Pull::Again => NextBatch::Again,
            };
        }
        let candidate = match self.span.pop_front() {
            // Blocks of a span name no parent: its check vouches for the first, order for the rest.
            Some(batch) => SingularBatch { parent_hash: parent.hash, ..batch },
            None => match self.reader.next(config, origin) {
                Pull::Again => return NextBatch::Again,
                Pull::OutOfData => return self.empty_batch(config, origin, parent),
                Pull::Ready(Batch::Singular(batch)) => batch,
                Pull::Ready(Batch::Span(span)) => {
                    self.open_span(&span, config, origin, parent, chain);
                    return NextBatch::Again;
                }
            },
        };
        let context = Context { config, parent, l1_blocks: &self.l1_blocks, inclusion: origin };
        match context.judge_singular(&candidate) {
            Validity::Accept => NextBatch::Batch(candidate, true),
            Validity::Past => NextBatch::Again,
            Validity::Drop(reason) => {
                warn!(timestamp = candidate.timestamp, reason, "dropping a batch and its channel");
                self.flush();
                NextBatch::Again
            }
        }
    }

    fn open_span(
        &mut self,
        span: &SpanBatch,
        config: &RollupConfig,
        origin: &L1BlockRef,
        parent: &L2BlockRef,
        chain: &dyn SafeChain,
    ) {
        let context = Context { config, parent, l1_blocks: &self.l1_blocks, inclusion: origin };
        let reason = match context.judge_span(span, chain) {
            Validity::Accept => match self.blocks_of(span, config, parent) {
                Some(blocks) => {
                    self.span = blocks;
                    return;
                }
                None => "one of its L1 origins is older than the safe head's",
            },
            Validity::Past => {
                debug!("passing over a span of the past");
                return;
            }
            Validity::Drop(reason) => reason,
        };
        warn!(blocks = span.blocks.len(), reason, "dropping a span and its channel");
        self.flush();
    }

    /// The blocks of a span after the safe head, with their origins looked up.
    fn blocks_of(
        &self,
        span: &SpanBatch,
        config: &RollupConfig,
        parent: &L2BlockRef,
    ) -> Option<VecDeque<SingularBatch>> {
        let mut timestamp = span.first_timestamp(config.genesis.l2_time);
        let mut epoch = span.first_epoch_number();
        let mut blocks = VecDeque::new();
        for (index, block) in span.blocks.iter().enumerate() {
            if index > 0 {
                timestamp = timestamp.checked_add(config.block_time)?;
                epoch = epoch.checked_add(u64::from(block.new_origin))?;
            }
            if timestamp <= parent.timestamp {
                continue;
            }
            let origin = self.l1_blocks.iter().find(|block| block.number == epoch)?;
            blocks.push_back(SingularBatch {
                parent_hash: parent.hash,
                epoch_number: epoch,
                epoch_hash: origin.hash,
                timestamp,
                transactions: block.transactions.clone(),
            });
        }
        Some(blocks)
    }

    /// Past the sequencing window of the current epoch the chain goes on without the sequencer.
    fn empty_batch(&mut self, config: &RollupConfig, origin: &L1BlockRef, parent: &L2BlockRef) -> NextBatch {
        let &[epoch, next_epoch, ..] = self.l1_blocks.as_slice() else {
            return NextBatch::OutOfData;
        };
        // The last block of the window has been read: there is no more data when this is called.
        if epoch.number.saturating_add(config.seq_window_size) > origin.number {
            return NextBatch::OutOfData;
        }
        let timestamp = parent.timestamp.saturating_add(config.block_time);
        let starts_epoch = Some(epoch.number) == parent.l1_origin.number.checked_add(1);
        if timestamp < next_epoch.timestamp || starts_epoch {
            let batch = SingularBatch {
                parent_hash: parent.hash,
                epoch_number: epoch.number,
                epoch_hash: epoch.hash,
                timestamp,
                transactions: Vec::new(),
            };
            return NextBatch::Batch(batch, false);
        }
        // The epoch has all the blocks that it can have; the next one's window may still be open.
        self.l1_blocks.remove(0);
        NextBatch::Again
    }
}
