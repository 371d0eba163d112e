#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod build;
mod difference;
mod env;
mod error;
mod ethereum;
mod execute;
mod factory;
mod header;
mod pending;
mod senders;
mod session;

pub use build::{BuildInput, SkipReason, SkippedTransaction, build_block};
pub use difference::{Difference, Differences};
pub use env::{evm_env, next_evm_env};
pub use error::ExecutionError;
pub use ethereum::execute_transaction;
pub use execute::{ExecutedBlock, execute_block};
pub use factory::{OpenEvm, OpenEvmFactory};
pub use header::validate_header;
pub use pending::{PendingBlock, StateRoots};
pub use senders::recover_senders;

pub use openledger_primitives::{Block, Block as OpBlock};
