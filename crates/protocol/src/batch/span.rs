//! Span batches: consecutive L2 blocks, column by column.
//!
//! ```text
//! time since genesis · number of the last origin · 20 bytes of the parent's hash · 20 of the last origin's
//! · number of blocks · a bit a block: new origin · transactions a block · transactions
//! ```

use alloy_primitives::{B256, Bytes};

use super::{BatchError, MAX_SPAN_BATCH_ELEMENTS, SingularBatch, bits, span_transactions, varint};

const CHECK_BYTES: usize = 20;

/// Consecutive L2 blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpanBatch {
    /// Seconds from L2 genesis to the first block.
    pub relative_timestamp: u64,
    /// Number of the last block's L1 origin.
    pub last_epoch_number: u64,
    /// The first bytes of the hash of the block before the first.
    pub parent_check: [u8; CHECK_BYTES],
    /// The first bytes of the hash of the last block's L1 origin.
    pub last_epoch_check: [u8; CHECK_BYTES],
    /// The blocks, never none in a decoded batch.
    pub blocks: Vec<SpanBlock>,
}

/// One block of a span batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpanBlock {
    /// Whether its L1 origin is the one after its parent's.
    pub new_origin: bool,
    /// EIP-2718 transactions, no deposits.
    pub transactions: Vec<Bytes>,
}

impl SpanBatch {
    /// Joins the batches of consecutive blocks. `first_starts_epoch` says whether the first block's
    /// origin differs from its parent's: whether its sequence number is 0.
    pub fn new(
        genesis_timestamp: u64,
        first_starts_epoch: bool,
        blocks: &[SingularBatch],
    ) -> Result<Self, BatchError> {
        let (Some(first), Some(last)) = (blocks.first(), blocks.last()) else {
            return Err(BatchError::Empty);
        };
        let relative_timestamp = first
            .timestamp
            .checked_sub(genesis_timestamp)
            .ok_or(BatchError::NotASpan("the first is older than genesis"))?;
        let mut new_origin = first_starts_epoch;
        let mut span_blocks = Vec::with_capacity(blocks.len());
        for (index, block) in blocks.iter().enumerate() {
            if let Some(before) = index.checked_sub(1).and_then(|before| blocks.get(before)) {
                if block.timestamp <= before.timestamp {
                    return Err(BatchError::NotASpan("timestamps do not grow"));
                }
                new_origin = match block.epoch_number.checked_sub(before.epoch_number) {
                    Some(0) => false,
                    Some(1) => true,
                    _ => return Err(BatchError::NotASpan("an origin is skipped")),
                };
            }
            span_blocks.push(SpanBlock { new_origin, transactions: block.transactions.clone() });
        }
        Ok(Self {
            relative_timestamp,
            last_epoch_number: last.epoch_number,
            parent_check: check_of(first.parent_hash),
            last_epoch_check: check_of(last.epoch_hash),
            blocks: span_blocks,
        })
    }

    /// Number of the first block's L1 origin.
    pub fn first_epoch_number(&self) -> u64 {
        let changes = self.blocks.iter().skip(1).filter(|block| block.new_origin).count();
        self.last_epoch_number.saturating_sub(changes as u64)
    }

    /// The timestamp of the first block in seconds.
    pub const fn first_timestamp(&self, genesis_timestamp: u64) -> u64 {
        genesis_timestamp.saturating_add(self.relative_timestamp)
    }

    /// The timestamp of the last block in seconds.
    pub const fn last_timestamp(&self, genesis_timestamp: u64, block_time: u64) -> u64 {
        let blocks = self.blocks.len().saturating_sub(1) as u64;
        self.first_timestamp(genesis_timestamp).saturating_add(blocks.saturating_mul(block_time))
    }

    /// Whether `hash` is the hash of the block before the first, as far as the batch says.
    pub fn parent_matches(&self, hash: B256) -> bool {
        check_of(hash) == self.parent_check
    }

    /// Whether `hash` is the hash of the last origin, as far as the batch says.
    pub fn last_epoch_matches(&self, hash: B256) -> bool {
        check_of(hash) == self.last_epoch_check
    }

    pub(super) fn encode(&self, l2_chain_id: u64, out: &mut Vec<u8>) -> Result<(), BatchError> {
        if self.blocks.is_empty() {
            return Err(BatchError::Empty);
        }
        varint::write(self.relative_timestamp, out);
        varint::write(self.last_epoch_number, out);
        out.extend(self.parent_check);
        out.extend(self.last_epoch_check);
        varint::write(self.blocks.len() as u64, out);
        let origin_bits: Vec<bool> = self.blocks.iter().map(|block| block.new_origin).collect();
        bits::write(&origin_bits, out);
        for block in &self.blocks {
            varint::write(block.transactions.len() as u64, out);
        }
        let transactions = self.blocks.iter().flat_map(|block| &block.transactions);
        span_transactions::encode(transactions, l2_chain_id, out)
    }

    pub(super) fn decode(mut input: &[u8], l2_chain_id: u64) -> Result<Self, BatchError> {
        let input = &mut input;
        let relative_timestamp = varint::read(input, "timestamp")?;
        let last_epoch_number = varint::read(input, "origin number")?;
        let parent_check = take_check(input, "parent check")?;
        let last_epoch_check = take_check(input, "origin check")?;
        let block_count = at_most(varint::read(input, "block count")?)?;
        if block_count == 0 {
            return Err(BatchError::Empty);
        }
        let origin_bits = bits::read(input, block_count, "origin bits")?;
        // Each count takes a byte at least, so that what is reserved is bounded by what is there.
        if input.len() < block_count {
            return Err(BatchError::Truncated("transaction counts"));
        }
        let mut counts = Vec::with_capacity(block_count);
        let mut total = 0u64;
        for _ in 0..block_count {
            let count = at_most(varint::read(input, "transaction counts")?)?;
            total = total.saturating_add(count as u64);
            counts.push(count);
        }
        let mut transactions = span_transactions::decode(input, at_most(total)?, l2_chain_id)?.into_iter();
        let blocks: Vec<SpanBlock> = origin_bits
            .into_iter()
            .zip(counts)
            .map(|(new_origin, count)| SpanBlock {
                new_origin,
                transactions: transactions.by_ref().take(count).collect(),
            })
            .collect();
        let changes = blocks.iter().filter(|block| block.new_origin).count() as u64;
        if changes > last_epoch_number {
            return Err(BatchError::OriginBits);
        }
        Ok(Self { relative_timestamp, last_epoch_number, parent_check, last_epoch_check, blocks })
    }
}

fn at_most(count: u64) -> Result<usize, BatchError> {
    if count > MAX_SPAN_BATCH_ELEMENTS {
        return Err(BatchError::TooMany(count));
    }
    Ok(count as usize)
}

fn check_of(hash: B256) -> [u8; CHECK_BYTES] {
    let mut check = [0; CHECK_BYTES];
    check.copy_from_slice(&hash[..CHECK_BYTES]);
    check
}

fn take_check(input: &mut &[u8], what: &'static str) -> Result<[u8; CHECK_BYTES], BatchError> {
    let (check, rest) = input.split_first_chunk().ok_or(BatchError::Truncated(what))?;
    *input = rest;
    Ok(*check)
}
