//! The stages of the pipeline, from L1 inwards. Each owns the one before it and pulls from it.

mod batch_queue;
mod batch_rules;
mod channel_assembler;
mod channel_reader;
mod frame_queue;
mod retrieval;
mod traversal;

pub(crate) use batch_queue::{BatchQueue, NextBatch};
pub(crate) use channel_assembler::ChannelAssembler;
pub(crate) use channel_reader::{ChannelReader, Pull};
pub(crate) use frame_queue::FrameQueue;
pub(crate) use retrieval::{batcher_blobs, batcher_data};
pub(crate) use traversal::Traversal;
