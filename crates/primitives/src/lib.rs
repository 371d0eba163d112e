#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod receipt;
mod senders;
mod transaction;

pub use receipt::OpenReceipt;
pub use senders::recover_senders;
pub use transaction::{OpenTxEnvelope, OpenTxType, OpenTypedTransaction, OtherChainKind};

/// A block of an OP chain or of a plain Ethereum chain.
pub type Block = alloy_consensus::Block<OpenTxEnvelope>;
