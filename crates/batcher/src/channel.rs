//! From blocks to the transactions that carry them: pure.

use crate::{BatcherError, PendingBlock};
use alloy_eips::{BlockNumHash, eip4844::Blob};
use alloy_primitives::{B256, keccak256};
use openledger_chainspec::RollupConfig;
use openledger_protocol::{
    Batch, ChannelId, Compression, FRAME_OVERHEAD_BYTES, Frame, MAX_BLOB_DATA_BYTES, SpanBatch,
    batch::encode_batches, blob, compression::compress, encode_batcher_transaction, split_into_frames,
};

/// A channel that is being posted.
#[derive(Debug, Clone)]
pub struct PostedChannel {
    /// Its identifier.
    pub id: ChannelId,
    /// First L2 block in it.
    pub first: BlockNumHash,
    /// Last L2 block in it.
    pub last: BlockNumHash,
    /// Its frames, in order.
    pub frames: Vec<Frame>,
}

/// Puts consecutive blocks into a channel. `l1_number` makes a channel that is posted again another one.
pub fn build_channel(
    blocks: &[PendingBlock],
    config: &RollupConfig,
    l1_number: u64,
) -> Result<PostedChannel, BatcherError> {
    let (Some(first), Some(last)) = (blocks.first(), blocks.last()) else {
        return Err(BatcherError::Channel("there are no blocks".into()));
    };
    let batches: Vec<_> = blocks.iter().map(|block| block.batch.clone()).collect();
    let span = SpanBatch::new(config.genesis.l2_time, first.block.sequence_number == 0, &batches)?;
    let content = encode_batches([&Batch::Span(span)], config.l2_chain_id)?;
    let compressed =
        compress(&content, Compression::default()).map_err(|e| BatcherError::Channel(e.to_string()))?;
    let id = channel_id(first.block.hash, last.block.hash, l1_number);
    // A blob carries the version byte and one frame.
    let frames = split_into_frames(id, &compressed, MAX_BLOB_DATA_BYTES - 1 - FRAME_OVERHEAD_BYTES)
        .ok_or_else(|| BatcherError::Channel("it has more than 65,536 frames".into()))?;
    Ok(PostedChannel { id, first: first.block.id(), last: last.block.id(), frames })
}

/// The blobs of each transaction that posts `frames`, at most `max_blobs` a transaction.
pub fn transactions(frames: &[Frame], max_blobs: usize) -> Result<Vec<Vec<Blob>>, BatcherError> {
    frames
        .chunks(max_blobs.max(1))
        .map(|chunk| {
            let blobs = chunk.iter().map(|frame| Ok(*blob::encode(&encode_batcher_transaction([frame]))?));
            blobs.collect()
        })
        .collect()
}

fn channel_id(first: B256, last: B256, l1_number: u64) -> ChannelId {
    let digest = keccak256([first.as_slice(), last.as_slice(), &l1_number.to_be_bytes()].concat());
    ChannelId::from_slice(&digest[..16])
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::Bytes;
    use openledger_protocol::{Channel, L1BlockRef, L2BlockRef, SingularBatch, decode_batcher_transaction};

    fn block(number: u64, transactions: Vec<Bytes>) -> PendingBlock {
        let epoch = BlockNumHash::new(number / 6, B256::repeat_byte(number as u8 / 6 + 1));
        let batch = SingularBatch {
            parent_hash: B256::repeat_byte(number as u8 - 1),
            epoch_number: epoch.number,
            epoch_hash: epoch.hash,
            timestamp: 1_000 + number,
            transactions,
        };
        let block = L2BlockRef {
            number,
            hash: B256::repeat_byte(number as u8),
            parent_hash: batch.parent_hash,
            timestamp: batch.timestamp,
            l1_origin: epoch,
            sequence_number: number % 6,
        };
        PendingBlock { block, batch }
    }

    fn config() -> RollupConfig {
        let mut config = RollupConfig { block_time: 1, l2_chain_id: 10, ..Default::default() };
        config.genesis.l2_time = 1_000;
        config
    }

    /// An EIP-1559 transaction from a real chain is not needed: a legacy one with any valid fields serves.
    fn transaction(nonce: u64, data: Vec<u8>) -> Bytes {
        use alloy_consensus::{SignableTransaction, TxEip1559};
        use alloy_eips::Encodable2718;
        use alloy_primitives::{Signature, U256};
        let tx = TxEip1559 { chain_id: 10, nonce, input: data.into(), ..Default::default() };
        let signature = Signature::new(U256::from(1), U256::from(2), nonce.is_multiple_of(2));
        tx.into_signed(signature).encoded_2718().into()
    }

    #[test]
    fn posted_blobs_hold_the_blocks_again() {
        let noise: Vec<u8> = (0..400_000u32).map(|i| keccak256(i.to_be_bytes())[0]).collect();
        let blocks: Vec<_> = (1..20)
            .map(|n| block(n, vec![transaction(n, noise[n as usize * 20_000..][..20_000].to_vec())]))
            .collect();
        let channel = build_channel(&blocks, &config(), 5).unwrap();
        assert!(channel.frames.len() > 2, "several blobs: {}", channel.frames.len());
        let mut read = Channel::new(channel.id, L1BlockRef::default());
        for blobs in transactions(&channel.frames, 2).unwrap() {
            assert!(blobs.len() <= 2);
            for carried in blobs {
                for frame in decode_batcher_transaction(&blob::decode(&carried).unwrap()).unwrap() {
                    read.add(frame).unwrap();
                }
            }
        }
        assert!(read.is_ready());
        let mut reader = openledger_protocol::BatchReader::new(&read.into_data().unwrap());
        let Some(Batch::Span(span)) = reader.next_batch(10).unwrap() else { panic!("no span batch") };
        let carried: Vec<_> = span.blocks.iter().map(|b| b.transactions.clone()).collect();
        let posted: Vec<_> = blocks.iter().map(|b| b.batch.transactions.clone()).collect();
        assert_eq!(carried, posted);
        assert!(span.parent_matches(B256::repeat_byte(0)));
    }

    #[test]
    fn same_blocks_give_the_same_bytes_and_a_new_id_when_posted_again() {
        let blocks: Vec<_> = (1..5).map(|n| block(n, vec![])).collect();
        let (one, two) =
            (build_channel(&blocks, &config(), 5).unwrap(), build_channel(&blocks, &config(), 5).unwrap());
        assert_eq!(one.frames, two.frames);
        assert_ne!(build_channel(&blocks, &config(), 6).unwrap().id, one.id);
    }
}
