#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod beacon;
mod cache;
mod client;
mod endpoint;
mod error;
mod kzg;
mod memory;
mod retry;
mod source;

pub use beacon::BeaconClient;
pub use client::{L1Client, L1ClientConfig};
pub use endpoint::redacted;
pub use error::{L1Error, Severity};
pub use kzg::versioned_hash_of;
pub use memory::MemoryL1;
pub use retry::RetryPolicy;
pub use source::{L1Block, L1Source, L1Transaction};
