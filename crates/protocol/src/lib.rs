#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod attributes;
pub mod batch;
mod batcher_transaction;
pub mod blob;
mod blob_fee;
mod block_ref;
mod channel;
pub mod compression;
pub mod deposits;
mod frame;
mod l1_info;
mod output_root;
mod receipts;
mod system_config;

pub use attributes::{AttributesError, L1OriginData};
pub use batch::{Batch, BatchError, BatchReader, SingularBatch, SpanBatch, SpanBlock};
pub use batcher_transaction::{
    BATCHER_TRANSACTION_VERSION, BatcherTransactionError, decode_batcher_transaction,
    encode_batcher_transaction,
};
pub use blob::{BlobError, MAX_BLOB_DATA_BYTES};
pub use blob_fee::l1_blob_base_fee;
pub use block_ref::{BlockRefError, L1BlockRef, L2BlockRef};
pub use channel::{Channel, ChannelError, MAX_CHANNEL_BANK_BYTES, split_into_frames};
pub use compression::{Compression, CompressionError, MAX_RLP_BYTES_PER_CHANNEL};
pub use deposits::DepositError;
pub use frame::{ChannelId, FRAME_OVERHEAD_BYTES, Frame, FrameError, MAX_FRAME_DATA_BYTES};
pub use l1_info::{L1_ATTRIBUTES_GAS_LIMIT, L1Info, L1InfoError};
pub use output_root::output_root_v0;
pub use receipts::{ReceiptsError, verify_receipts};
pub use system_config::{
    ConfigUpdate, ConfigUpdateError, apply_config_updates, read_config_updates, system_config_of_l2_block,
};
