#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod best;
mod config;
mod decode;
mod error;
mod head;
mod pool;
mod sender_queue;
mod shell;
mod transaction;
mod validate;

pub use config::PoolConfig;
pub use decode::decode_raw_transaction;
pub use error::PoolError;
pub use head::{AccountState, PoolHead};
pub use pool::{Added, Content, Pool};
pub use shell::{ChainReader, PoolSubscription, TxPool};
pub use transaction::PooledTransaction;
