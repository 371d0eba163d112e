#![doc = include_str!("../README.md")]

mod accounts;
mod anvil;
mod artifacts;
mod child;
mod error;
mod l1_contracts;
mod preinstalls;
mod wallet;

pub use accounts::{Account, Accounts, FIRST_STORY_INDEX, MNEMONIC};
pub use anvil::{Anvil, AnvilOptions, L1_CHAIN_ID};
pub use artifacts::{Artifact, Artifacts};
pub use error::DevnetError;
pub use l1_contracts::{
    L1Contracts, L1Deployment, L1Parameters, OPEN_DECIMALS, OPEN_NAME, OPEN_SUPPLY_WEI, OPEN_SYMBOL,
    deploy as deploy_l1_contracts, interfaces,
};
pub use wallet::{Call, Wallet, connect, view};
