//! The batcher's moves: channels of the sequencer's blocks, and their way onto L1.

use std::sync::Arc;

use alloy_consensus::{SignableTransaction, TxEip1559, TxEip4844};
use alloy_primitives::{Bytes, TxKind, keccak256};
use alloy_signer::SignerSync;
use alloy_signer_local::PrivateKeySigner;
use openledger_derivation::ChainEngine;
use openledger_l1::L1Transaction;
use openledger_protocol::{
    Batch, ChannelId, Compression, Frame, SingularBatch, SpanBatch, batch::encode_batches, blob, compression,
    encode_batcher_transaction, split_into_frames,
};

use super::{INBOX, L2_CHAIN_ID, World};

/// More than any channel here takes, so that it is one frame.
const ONE_FRAME_BYTES: usize = 10_000;

impl World {
    /// The batches of the sequencer's blocks `from..=to`.
    pub fn batches(&self, from: u64, to: u64) -> (Vec<SingularBatch>, bool) {
        let mut batches = Vec::new();
        let mut starts_epoch = false;
        for number in from..=to {
            let (_, block) = self.sequencer.block(number).unwrap().unwrap();
            let (batch, block_ref) = SingularBatch::from_block(&block, &self.config.genesis).unwrap();
            if number == from {
                starts_epoch = block_ref.sequence_number == 0;
            }
            batches.push(batch);
        }
        (batches, starts_epoch)
    }

    pub fn span(&self, from: u64, to: u64) -> Vec<Batch> {
        let (batches, starts_epoch) = self.batches(from, to);
        let genesis = self.config.genesis.l2_time;
        vec![Batch::Span(SpanBatch::new(genesis, starts_epoch, &batches).unwrap())]
    }

    pub fn singulars(&self, from: u64, to: u64) -> Vec<Batch> {
        self.batches(from, to).0.into_iter().map(Batch::Singular).collect()
    }

    pub fn channel(&mut self, batches: &[Batch], frame_bytes: usize) -> Vec<Frame> {
        let rlp = encode_batches(batches, L2_CHAIN_ID).unwrap();
        self.raw_channel(&compression::compress(&rlp, Compression::default()).unwrap(), frame_bytes)
    }

    pub fn raw_channel(&mut self, data: &[u8], frame_bytes: usize) -> Vec<Frame> {
        self.channels += 1;
        split_into_frames(ChannelId::repeat_byte(self.channels), data, frame_bytes).unwrap()
    }

    /// A channel in as many frames as given, as nearly as may be.
    pub fn channel_in(&mut self, batches: &[Batch], frames: usize) -> Vec<Frame> {
        let rlp = encode_batches(batches, L2_CHAIN_ID).unwrap();
        let data = compression::compress(&rlp, Compression::Zlib { level: 9 }).unwrap();
        self.raw_channel(&data, data.len().div_ceil(frames))
    }

    pub fn calldata(&mut self, frames: &[Frame]) -> L1Transaction {
        let batcher = self.batcher.clone();
        self.calldata_by(&batcher, encode_batcher_transaction(frames))
    }

    pub fn calldata_by(&mut self, sender: &PrivateKeySigner, data: Vec<u8>) -> L1Transaction {
        self.nonce += 1;
        let tx = TxEip1559 {
            chain_id: 900,
            nonce: self.nonce,
            to: TxKind::Call(INBOX),
            input: data.into(),
            ..Default::default()
        };
        let signature = sender.sign_hash_sync(&tx.signature_hash()).unwrap();
        L1Transaction::Eip1559(tx.into_signed(signature))
    }

    /// A blob transaction, a blob an item; `true` damages the blob.
    pub fn blobs(&mut self, items: &[(&[Frame], bool)]) -> L1Transaction {
        self.nonce += 1;
        let mut blob_versioned_hashes = Vec::new();
        for (frames, damaged) in items {
            let mut blob = blob::encode(&encode_batcher_transaction(*frames)).unwrap();
            if *damaged {
                blob[32 * 5] |= 0x80;
            }
            let hash = keccak256(blob.as_slice());
            self.l1.add_blob(hash, Arc::new(*blob));
            blob_versioned_hashes.push(hash);
        }
        let tx = TxEip4844 {
            chain_id: 900,
            nonce: self.nonce,
            to: INBOX,
            blob_versioned_hashes,
            input: vec![0, 1, 2].into(),
            ..Default::default()
        };
        let signature = self.batcher.sign_hash_sync(&tx.signature_hash()).unwrap();
        L1Transaction::Eip4844(tx.into_signed(signature))
    }

    /// The sequencer's blocks `from..=to` as a span in a channel of one frame.
    pub fn span_channel(&mut self, from: u64, to: u64) -> Vec<Frame> {
        self.channel(&self.span(from, to), ONE_FRAME_BYTES)
    }

    /// An L1 block with these frames in calldata.
    pub fn post(&mut self, frames: &[Frame]) {
        let tx = self.calldata(frames);
        self.mine(vec![tx]);
    }

    /// An L1 block with these batches in a channel of one frame.
    pub fn post_batches(&mut self, batches: &[Batch]) {
        let frames = self.channel(batches, ONE_FRAME_BYTES);
        self.post(&frames);
    }

    /// An L1 block with the sequencer's blocks `from..=to` as a span.
    pub fn post_span(&mut self, from: u64, to: u64) {
        self.post_batches(&self.span(from, to));
    }

    /// An L1 block with all of the sequencer's blocks, where block `number` has only `transaction`.
    pub fn post_singulars_with(&mut self, number: usize, transaction: Bytes) {
        let mut batches = self.batches(1, self.last()).0;
        batches[number - 1].transactions = vec![transaction];
        let batches: Vec<Batch> = batches.into_iter().map(Batch::Singular).collect();
        self.post_batches(&batches);
    }
}
