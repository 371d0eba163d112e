#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod database;
mod error;
mod heads;
mod new_block;
mod state_update;
mod state_view;

pub use database::{CheckReport, Database, Result};
pub use error::StorageError;
pub use heads::Heads;
pub use new_block::{Block, NewBlock};
pub use openledger_trie::{AccountProof, StorageProof};
pub use state_update::StateUpdate;
pub use state_view::StateView;
