#![doc = include_str!("../README.md")]

mod accounts;
mod anvil;
mod artifacts;
mod child;
mod devnet_json;
mod error;
mod funding;
mod l1_contracts;
mod l2_genesis;
mod layout;
mod network;
mod preinstalls;
mod processes;
pub mod story;
mod wallet;
mod withdrawal;

pub use accounts::{Account, Accounts, FIRST_STORY_INDEX, MNEMONIC};
pub use anvil::{Anvil, AnvilOptions, L1_CHAIN_ID};
pub use artifacts::{Artifact, Artifacts};
pub use devnet_json::{AccountJson, DevnetJson};
pub use error::DevnetError;
pub use funding::{Deposit, deposit, deposit_and_wait};
pub use l1_contracts::{
    L1Contracts, L1Deployment, L1Parameters, OPEN_DECIMALS, OPEN_NAME, OPEN_SUPPLY_WEI, OPEN_SYMBOL,
    deploy as deploy_l1_contracts,
};
pub use l2_genesis::{CourtParameters, L2_CHAIN_ID, L2Genesis, L2Parameters, build_l2_genesis};
pub use layout::Layout;
pub use network::{Devnet, DevnetOptions};
pub use processes::{
    CommandLine, NodePorts, Ports, ProcessSpec, ProcessStatus, Programs, Readiness, Roles, Supervisor, names,
};
pub use wallet::{Call, Wallet, connect, view};
pub use withdrawal::{
    Withdrawal, WithdrawalProof, build_withdrawal_proof, finalize_withdrawal, prove_withdrawal,
    start_withdrawal,
};
