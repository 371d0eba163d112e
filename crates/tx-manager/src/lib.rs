#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod candidate;
mod error;
mod fees;
mod manager;

pub use candidate::TxCandidate;
pub use error::TxManagerError;
pub use fees::{FeeLimits, Fees};
pub use manager::{TxManager, TxManagerConfig};
