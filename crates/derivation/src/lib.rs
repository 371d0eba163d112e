#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod chain_engine;
mod consolidation;
mod driver;
mod engine_handle;
mod error;
mod finality;
mod pipeline;
mod stages;
mod sync_start;

pub use chain_engine::{BuildOutcome, ChainEngine, ChainHeads, EngineFailure};
pub use consolidation::{Mismatch, attributes_match};
pub use driver::{DerivationStatus, Driver, DriverConfig, Progress};
pub use error::{DerivationError, Reaction};
pub use pipeline::{Derived, L1Input, Pipeline, PipelineStart, SafeChain, SafeHead, Step};
