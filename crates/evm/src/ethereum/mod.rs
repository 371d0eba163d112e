//! Blocks of plain Ethereum chains, which have no `optimism` part in their configuration.

mod collision;
mod difficulty;
mod execute;
mod header;
mod requests;
mod rules;

pub(crate) use execute::execute;
pub use execute::execute_transaction;
pub(crate) use header::validate_header;
