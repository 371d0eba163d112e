#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod adamw;
mod adapter_file;
mod checkpoint;
mod config;
mod dequantise;
mod error;
mod generate;
mod gguf;
mod lora;
mod per_sample;
mod prefix;
mod seeded;
mod sequence;
mod tokenizer;
mod train;
mod transformer;

pub use checkpoint::Checkpoint;
pub use config::ModelConfig;
pub use dequantise::Encoding;
pub use error::{GgufError, ModelError};
pub use generate::{Finish, Generation};
pub use gguf::{Gguf, TensorInfo, Value};
pub use lora::{Adapter, Lora, LoraConfig};
pub use per_sample::{PerSample, SampleGradients};
pub use prefix::PrefixCache;
pub use sequence::{MAX_SEQUENCE_TOKENS, Sequence};
pub use tch::{Device, set_num_threads};
pub use tokenizer::Tokenizer;
pub use train::{
    Progress, TrainConfig, Trained, bounded_batches, mean_loss, replay, train, train_checkpointed,
};
pub use transformer::{BaseModel, MAX_CONTEXT_TOKENS};
