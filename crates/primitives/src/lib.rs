#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod receipt;
mod transaction;

pub use receipt::OpenReceipt;
pub use transaction::{OpenTxEnvelope, OpenTxType, OpenTypedTransaction, OtherChainKind};

/// A block of an OP chain or of a plain Ethereum chain.
pub type Block = alloy_consensus::Block<OpenTxEnvelope>;
