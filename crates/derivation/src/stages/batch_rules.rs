//! Which batch may follow the safe head.

use alloy_op_hardforks::OpHardfork;
use op_alloy_consensus::DEPOSIT_TX_TYPE_ID;
use openledger_chainspec::RollupConfig;
use openledger_protocol::{L1BlockRef, L2BlockRef, SingularBatch, SpanBatch};

use crate::pipeline::SafeChain;

const SET_CODE_TX_TYPE: u8 = 4;

/// What becomes of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Validity {
    /// It is the next block.
    Accept,
    /// It is about blocks that are safe already: passed over, what follows counts.
    Past,
    /// It goes, with the rest of its span and channel.
    Drop(&'static str),
}

/// What batches are judged by.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub(super) config: &'a RollupConfig,
    /// The safe head.
    pub(super) parent: &'a L2BlockRef,
    /// L1 blocks from the current epoch to the block that is being read.
    pub(super) l1_blocks: &'a [L1BlockRef],
    /// The L1 block that completed the batch.
    pub(super) inclusion: &'a L1BlockRef,
}

impl Context<'_> {
    const fn next_timestamp(&self) -> u64 {
        self.parent.timestamp.saturating_add(self.config.block_time)
    }

    const fn is_too_late(&self, epoch_number: u64) -> bool {
        epoch_number.saturating_add(self.config.seq_window_size) < self.inclusion.number
    }

    /// The rules for a batch of one block, in the specification's order.
    pub(super) fn judge_singular(&self, batch: &SingularBatch) -> Validity {
        let Some(epoch) = self.l1_blocks.first() else { return Validity::Drop("no epoch is known") };
        let next_epoch = self.l1_blocks.get(1);
        if batch.timestamp > self.next_timestamp() {
            return Validity::Drop("it leaves a gap");
        }
        if batch.timestamp < self.next_timestamp() {
            return Validity::Past;
        }
        if batch.parent_hash != self.parent.hash {
            return Validity::Drop("its parent is another block");
        }
        if self.is_too_late(batch.epoch_number) {
            return Validity::Drop("it came after its sequencing window");
        }
        let origin = if batch.epoch_number == epoch.number {
            Some(epoch)
        } else if Some(batch.epoch_number) == epoch.number.checked_add(1) {
            next_epoch
        } else {
            None
        };
        let Some(origin) = origin else {
            return Validity::Drop("its L1 origin is neither the current nor the next");
        };
        if batch.epoch_hash != origin.hash {
            return Validity::Drop("its L1 origin is on another chain");
        }
        if batch.timestamp < origin.timestamp {
            return Validity::Drop("it is older than its L1 origin");
        }
        if let Some(reason) = self.judge_drift(batch, origin, epoch, next_epoch) {
            return Validity::Drop(reason);
        }
        self.judge_transactions(batch).map_or(Validity::Accept, Validity::Drop)
    }

    /// Too far ahead of L1 a batch must be empty, and must take the next origin as soon as it can.
    fn judge_drift(
        &self,
        batch: &SingularBatch,
        origin: &L1BlockRef,
        epoch: &L1BlockRef,
        next_epoch: Option<&L1BlockRef>,
    ) -> Option<&'static str> {
        let drift = self.config.max_sequencer_drift_at(origin.timestamp);
        if batch.timestamp <= origin.timestamp.saturating_add(drift) {
            return None;
        }
        if !batch.transactions.is_empty() {
            return Some("it has transactions beyond the sequencer drift");
        }
        if batch.epoch_number != epoch.number {
            return None;
        }
        match next_epoch {
            // Inclusion is after the epoch, so that the next L1 block is always known.
            None => Some("its next L1 origin is not known"),
            Some(next) if batch.timestamp >= next.timestamp => Some("it could have taken the next L1 origin"),
            Some(_) => None,
        }
    }

    /// Types beyond these are left to the engine, which refuses the block.
    fn judge_transactions(&self, batch: &SingularBatch) -> Option<&'static str> {
        let isthmus = self.config.is_active(OpHardfork::Isthmus, batch.timestamp);
        batch.transactions.iter().find_map(|tx| match tx.first() {
            None => Some("it has an empty transaction"),
            Some(&DEPOSIT_TX_TYPE_ID) => Some("it has a deposit"),
            Some(&SET_CODE_TX_TYPE) if !isthmus => Some("it sets code before Isthmus"),
            Some(_) => None,
        })
    }

    /// The rules for a span as a whole, before its blocks are looked at one by one.
    pub(super) fn judge_span(&self, batch: &SpanBatch, chain: &dyn SafeChain) -> Validity {
        let genesis = self.config.genesis.l2_time;
        let first_timestamp = batch.first_timestamp(genesis);
        if first_timestamp > self.next_timestamp() {
            return Validity::Drop("it leaves a gap");
        }
        if batch.last_timestamp(genesis, self.config.block_time) < self.next_timestamp() {
            return Validity::Past;
        }
        let Some(parent) = self.parent_of_span(first_timestamp, chain) else {
            return Validity::Drop("its first block has no place in the safe chain");
        };
        if !batch.parent_matches(parent.hash) {
            return Validity::Drop("its parent is another block");
        }
        let first_epoch = batch.first_epoch_number();
        if self.is_too_late(first_epoch) {
            return Validity::Drop("it came after its sequencing window");
        }
        if first_epoch > parent.l1_origin.number.saturating_add(1) {
            return Validity::Drop("it skips an L1 origin");
        }
        let last = self.l1_blocks.iter().find(|block| block.number == batch.last_epoch_number);
        match last {
            Some(last) if batch.last_epoch_matches(last.hash) => {}
            Some(_) => return Validity::Drop("its last L1 origin is on another chain"),
            None => return Validity::Drop("its last L1 origin is not between epoch and inclusion"),
        }
        if first_epoch < parent.l1_origin.number {
            return Validity::Drop("its L1 origin goes back");
        }
        Validity::Accept
    }

    /// The safe block before the span's first.
    fn parent_of_span(&self, first_timestamp: u64, chain: &dyn SafeChain) -> Option<L2BlockRef> {
        if first_timestamp == self.next_timestamp() {
            return Some(*self.parent);
        }
        let behind = self.parent.timestamp.checked_sub(first_timestamp)?;
        if behind % self.config.block_time != 0 {
            return None;
        }
        let blocks = behind.checked_div(self.config.block_time)?.checked_add(1)?;
        let number = self.parent.number.checked_sub(blocks)?;
        chain.safe_block(number)
    }
}
