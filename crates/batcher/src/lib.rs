#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod channel;
mod error;
mod pending;
mod service;
mod unconfirmed;

pub use channel::{PostedChannel, build_channel, transactions};
pub use error::BatcherError;
pub use pending::{BatcherLimits, Pending, PendingBlock, Refused};
pub use service::{Batcher, BatcherConfig};
