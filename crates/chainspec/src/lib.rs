#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod base_fee;
mod error;
mod ethereum_forks;
mod genesis_header;
mod hardfork;
mod op_forks;
mod optimism;
mod rollup_config;
mod spec;
mod system_config;

pub use base_fee::ExtraDataError;
pub use error::ChainSpecError;
pub use hardfork::OpenLedgerHardfork;
pub use optimism::OptimismConfig;
pub use rollup_config::{
    FJORD_MAX_SEQUENCER_DRIFT_SECONDS, GRANITE_CHANNEL_TIMEOUT_BLOCKS, RollupConfig, RollupGenesis,
};
pub use spec::ChainSpec;
pub use system_config::SystemConfig;
