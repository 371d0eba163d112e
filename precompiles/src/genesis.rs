//! The precompiles' accounts at genesis.

use crate::{attribution, datanets, payouts};
use alloy_primitives::{Address, B256, U256};
use openledger_abi::{ATTRIBUTION, DATANETS, PAYOUTS};
use std::collections::BTreeMap;

/// Code of each precompile's account. It is never run; without code and with nonce 0 the account would count as empty
/// and lose its storage. The nonce is 1.
pub const CODE: [u8; 1] = [0xef];

/// What genesis sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// Wei that `commit` takes and `reveal` gives back.
    pub commit_deposit: U256,
    /// Blocks within which a commitment is to be revealed.
    pub reveal_window: u64,
    /// Seconds for which a receipt's credits hold its attestor's bond.
    pub challenge_window: u64,
    /// Earns the platform's parts and forfeited deposits.
    pub platform: Address,
    /// Seconds from a request to its deadline, at least.
    pub minimum_deadline: u64,
    /// Seconds from a request to its deadline, at most.
    pub maximum_deadline: u64,
}

/// The address and storage of each precompile's account; its code is [`CODE`], its nonce 1.
pub fn genesis_storage(parameters: &Parameters) -> [(Address, BTreeMap<B256, B256>); 3] {
    [
        (DATANETS, slots(&datanets::genesis(parameters))),
        (ATTRIBUTION, slots(&attribution::genesis(parameters))),
        (PAYOUTS, slots(&payouts::genesis(parameters))),
    ]
}

/// Values of the slots from 0 on, without zeros.
fn slots(words: &[U256]) -> BTreeMap<B256, B256> {
    let numbered = words.iter().enumerate();
    numbered
        .filter(|(_, word)| !word.is_zero())
        .map(|(slot, word)| (U256::from(slot).into(), (*word).into()))
        .collect()
}
