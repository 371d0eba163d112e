#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod bad_block;
mod build;
mod cache;
mod command;
mod config;
mod confirm;
mod difference;
mod engine;
mod error;
mod event;
mod execution;
mod forkchoice;
mod handle;
mod import;
mod insert;
mod payload;
mod persistence;
mod quarantine;
mod status;
mod tree;
mod witness;

pub use bad_block::BadBlockRecord;
pub use config::EngineConfig;
pub use engine::{Engine, EngineThread};
pub use error::{EngineError, Handling};
pub use event::{ChainBlock, ChainEvent};
pub use execution::{EvmExecution, Execution, StateRead};
pub use handle::EngineHandle;
pub use import::Imported;
pub use openledger_evm::{Block, Difference, Differences, SkipReason, SkippedTransaction};
pub use payload::BuiltBlock;
pub use status::{Forkchoice, ForkchoiceStatus, PayloadStatus};
pub use witness::{ExecutionWitness, WitnessAccount};
