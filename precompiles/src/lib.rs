#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

#[macro_use]
mod frame;
mod attribution;
mod datanets;
mod genesis;
mod install;
#[cfg(test)]
mod layouts;
mod payouts;

pub use frame::{
    Activations, ActiveForks, Backend, Call, EvmBackend, Failure, Frame, Function, IPrecompile, Loaded,
    MAX_CALLDATA, MemoryBackend, Meter, Purity, Result, Slots, Work,
};
pub use genesis::{CODE, Parameters, genesis_storage};
pub use install::{Precompile, execute, install, install_scheduled};
