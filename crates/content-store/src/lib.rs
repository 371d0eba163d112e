#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod cipher;
mod error;
mod master_key;
mod row;
mod store;

pub use error::ContentStoreError;
pub use master_key::MasterKey;
pub use row::{MAX_CONTRIBUTION_BYTES, MAX_ROW_BYTES, MAX_ROWS, Row, contribution_root};
pub use store::ContentStore;
