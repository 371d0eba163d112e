#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod addresses;
mod attribution;
mod court;
mod datanets;
pub mod erc20;
mod json;
pub mod licence;
pub mod op;
mod payouts;

pub use addresses::*;
pub use attribution::IAttribution;
pub use court::ICourt;
pub use datanets::IDatanets;
pub use json::json_abis;
pub use payouts::IPayouts;
