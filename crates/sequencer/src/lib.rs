#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod config;
mod error;
mod origin;
mod sequencer;
mod source;

pub use config::SequencerConfig;
pub use error::SequencerError;
pub use origin::{OriginChoice, OriginError, choose_origin, is_past_drift};
pub use sequencer::Sequencer;
pub use source::{L1Source, L1SourceError, TransactionSource};
