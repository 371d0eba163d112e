#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod changes;
mod check;
mod codec;
mod columns;
mod database;
mod error;
mod heads;
mod leaves;
mod new_block;
mod overlay;
mod reads;
mod state_update;
mod state_view;
mod store;
mod writes;

pub use check::CheckReport;
pub use database::{Database, Result};
pub use error::StorageError;
pub use heads::Heads;
pub use new_block::{Block, NewBlock};
pub use openledger_trie::{AccountProof, StorageProof};
pub use state_update::StateUpdate;
pub use state_view::StateView;
