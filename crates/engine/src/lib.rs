#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod command;
mod engine;
mod error;
mod event;
mod handle;
mod payload;

pub use engine::{Engine, EngineConfig, EngineThread};
pub use error::{EngineError, Handling};
pub use event::{ChainBlock, ChainEvent};
pub use handle::EngineHandle;
pub use openledger_evm::{Block, Difference, Differences, SkipReason, SkippedTransaction};
pub use payload::BuiltBlock;
