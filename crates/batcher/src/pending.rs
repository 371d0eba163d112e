//! Blocks that wait to be posted: a pure queue with bounds.

use alloy_eips::BlockNumHash;
use openledger_protocol::{L2BlockRef, SingularBatch};
use std::collections::VecDeque;

/// When a channel closes, and what may wait.
#[derive(Debug, Clone, Copy)]
pub struct BatcherLimits {
    /// Bytes of transactions, not compressed, after which a channel closes.
    pub channel_bytes: usize,
    /// L1 blocks that the oldest waiting block waits at most.
    pub channel_age_blocks: u64,
    /// Blocks that may wait; further ones are fetched once there is room.
    pub waiting_blocks: usize,
}

impl Default for BatcherLimits {
    fn default() -> Self {
        Self { channel_bytes: 1 << 20, channel_age_blocks: 1, waiting_blocks: 2_000 }
    }
}

/// A block's part of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingBlock {
    /// Which block.
    pub block: L2BlockRef,
    /// What is posted of it.
    pub batch: SingularBatch,
}

impl PendingBlock {
    fn bytes(&self) -> usize {
        // The other fields of a batch take about a hundred bytes.
        100 + self.batch.transactions.iter().map(|tx| tx.len()).sum::<usize>()
    }
}

/// The blocks after the last one that was posted.
#[derive(Debug)]
pub struct Pending {
    limits: BatcherLimits,
    /// The block before the first that waits.
    base: BlockNumHash,
    blocks: VecDeque<PendingBlock>,
    bytes: usize,
    /// L1 block at which the oldest waiting block was added.
    since_l1: u64,
}

/// Why a block was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// It does not continue what waits: the L2 chain was reorganised.
    NotNext,
    /// There is no room.
    Full,
}

impl Pending {
    /// Waits for the blocks after `base`.
    pub fn new(limits: BatcherLimits, base: BlockNumHash) -> Self {
        Self { limits, base, blocks: VecDeque::new(), bytes: 0, since_l1: 0 }
    }

    /// Number of the block that comes next.
    pub fn next_number(&self) -> u64 {
        self.tip().number + 1
    }

    /// The last block that waits, or the one before the first.
    pub fn tip(&self) -> BlockNumHash {
        self.blocks.back().map_or(self.base, |last| last.block.id())
    }

    /// Whether another block may be added.
    pub fn has_room(&self) -> bool {
        self.blocks.len() < self.limits.waiting_blocks
    }

    /// Adds the next block, seen at L1 block `l1_number`.
    pub fn push(&mut self, block: PendingBlock, l1_number: u64) -> Result<(), Refused> {
        let tip = self.tip();
        if block.block.number != tip.number + 1 || block.block.parent_hash != tip.hash {
            return Err(Refused::NotNext);
        }
        if !self.has_room() {
            return Err(Refused::Full);
        }
        if self.blocks.is_empty() {
            self.since_l1 = l1_number;
        }
        self.bytes += block.bytes();
        self.blocks.push_back(block);
        Ok(())
    }

    /// The blocks of the next channel, if it is time to close one.
    pub fn due(&self, l1_number: u64) -> Option<Vec<PendingBlock>> {
        let full = self.bytes >= self.limits.channel_bytes || !self.has_room();
        let old = l1_number.saturating_sub(self.since_l1) >= self.limits.channel_age_blocks;
        if self.blocks.is_empty() || !(full || old) {
            return None;
        }
        let mut bytes = 0;
        let fits = |block: &&PendingBlock| {
            let before = bytes;
            bytes += block.bytes();
            // The first always goes, however large it is.
            before == 0 || bytes <= self.limits.channel_bytes
        };
        Some(self.blocks.iter().take_while(fits).cloned().collect())
    }

    /// Forgets blocks up to and including `posted`, which is one of those that wait.
    pub fn posted(&mut self, posted: BlockNumHash, l1_number: u64) {
        while let Some(first) = self.blocks.front() {
            if first.block.number > posted.number {
                break;
            }
            self.bytes -= first.bytes();
            self.base = first.block.id();
            self.blocks.pop_front();
        }
        self.since_l1 = l1_number;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{B256, Bytes, keccak256};
    use proptest::prelude::*;

    fn hash(number: u64, fork: u64) -> B256 {
        keccak256([number.to_be_bytes(), fork.to_be_bytes()].concat())
    }

    fn block(number: u64, bytes: usize) -> PendingBlock {
        let block = L2BlockRef {
            number,
            hash: hash(number, 0),
            parent_hash: hash(number - 1, 0),
            timestamp: number,
            l1_origin: BlockNumHash::default(),
            sequence_number: 0,
        };
        let batch = SingularBatch {
            parent_hash: block.parent_hash,
            epoch_number: 0,
            epoch_hash: B256::ZERO,
            timestamp: number,
            transactions: vec![Bytes::from(vec![0; bytes])],
        };
        PendingBlock { block, batch }
    }

    fn pending(limits: BatcherLimits) -> Pending {
        Pending::new(limits, BlockNumHash::new(0, hash(0, 0)))
    }

    #[test]
    fn block_of_another_fork_is_refused_and_changes_nothing() {
        let mut pending = pending(BatcherLimits::default());
        pending.push(block(1, 5), 7).unwrap();
        let mut other = block(2, 5);
        other.block.parent_hash = hash(1, 9);
        assert_eq!(pending.push(other, 7), Err(Refused::NotNext));
        assert_eq!(pending.push(block(3, 5), 7), Err(Refused::NotNext));
        assert_eq!(pending.next_number(), 2);
    }

    #[test]
    fn oldest_block_waits_no_longer_than_allowed() {
        let limits = BatcherLimits { channel_age_blocks: 3, ..Default::default() };
        let mut pending = pending(limits);
        pending.push(block(1, 5), 10).unwrap();
        pending.push(block(2, 5), 12).unwrap();
        assert!(pending.due(12).is_none());
        assert_eq!(pending.due(13).unwrap().len(), 2);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5_000))]

        #[test]
        fn every_block_is_posted_once_in_order_and_channels_keep_their_size(
            sizes in prop::collection::vec(0usize..5_000, 1..60), room in 1usize..20, channel_bytes in 1usize..8_000
        ) {
            let limits = BatcherLimits { channel_bytes, channel_age_blocks: 2, waiting_blocks: room };
            let mut pending = pending(limits);
            let (mut next, mut posted, mut l1) = (1u64, 0u64, 0u64);
            while posted < sizes.len() as u64 {
                while next <= sizes.len() as u64 {
                    match pending.push(block(next, sizes[next as usize - 1]), l1) {
                        Ok(()) => next += 1,
                        Err(refused) => { prop_assert_eq!(refused, Refused::Full); break; }
                    }
                }
                l1 += 1;
                if let Some(channel) = pending.due(l1) {
                    let bytes: usize = channel.iter().map(PendingBlock::bytes).sum();
                    prop_assert!(bytes <= channel_bytes || channel.len() == 1);
                    for block in &channel {
                        posted += 1;
                        prop_assert_eq!(block.block.number, posted);
                    }
                    pending.posted(channel.last().unwrap().block.id(), l1);
                }
                prop_assert!(l1 < 1_000, "blocks are never posted");
            }
            prop_assert_eq!(pending.bytes, 0);
        }
    }
}
