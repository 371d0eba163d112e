#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod error;
mod service;

pub use error::ProposerError;
pub use service::{Proposer, ProposerConfig};
