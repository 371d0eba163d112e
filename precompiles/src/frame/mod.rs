//! What the three precompiles stand on: gas, storage with Solidity's layout, calls, errors.

mod backend;
mod context;
mod dispatch;
mod error;
mod evm;
mod gas;
mod mapping;
mod memory;
#[macro_use]
mod packed;
mod text;

pub use backend::{Backend, Loaded};
pub use context::{Call, Frame};
pub(crate) use dispatch::{Purity, enter, reply};
pub(crate) use error::revert;
pub use error::{Failure, Result};
pub use evm::EvmBackend;
pub use gas::Meter;
pub(crate) use mapping::{entry, entry2};
pub use memory::MemoryBackend;
pub(crate) use packed::{Cursor, Field, Record, load, store, update};
pub(crate) use text::{load_text, store_text};
