#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod block_id;
mod blocks;
mod call;
mod config;
mod error;
mod estimate;
mod feed;
mod fees;
mod filters;
mod l1_attributes;
mod logs;
mod methods;
mod node;
mod receipts;
mod rollup;
mod server;
mod state;
mod submit;
mod subscriptions;
mod together;
mod trace;
mod transactions;

pub use config::{RpcConfig, RpcDeps, Submission};
pub use error::{RpcError, RpcStartError};
pub use feed::{BlockNews, ChainChange, HeadFeed};
pub use l1_attributes::L1Attributes;
pub use server::{RpcHandle, RpcServer};
