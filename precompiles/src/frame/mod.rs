//! What the three precompiles stand on: gas, storage with Solidity's layout, calls, errors.

mod backend;
mod context;
mod dispatch;
mod error;
mod evm;
mod fixed;
mod fork;
mod gas;
mod mapping;
mod memory;
#[macro_use]
mod packed;
mod signature;
#[macro_use]
mod table;
mod text;

pub use backend::{Backend, Loaded, Slots, Work};
pub use context::{Call, Frame};
pub use dispatch::MAX_CALLDATA;
pub(crate) use dispatch::dispatch;
pub(crate) use error::revert;
pub use error::{Failure, IPrecompile, Result};
pub use evm::EvmBackend;
pub(crate) use fixed::{load_elements, store_elements};
pub use fork::{Activations, ActiveForks};
pub use gas::Meter;
pub(crate) use mapping::{entry, entry2};
pub use memory::MemoryBackend;
pub(crate) use packed::{Cursor, Field, Record, load, store, update};
pub use table::{Function, Purity};
pub(crate) use table::{Table, abi_version, does, gives, selectors};
pub(crate) use text::{load_text, store_text};
