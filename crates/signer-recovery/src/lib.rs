#![doc = include_str!("../README.md")]

mod recover;
#[cfg(target_arch = "x86_64")]
mod vectors;

pub use recover::{is_accelerated, recover_signers};

use alloy_primitives::{Address, keccak256};

/// The address of a key, given as its coordinates.
fn address(key: &[u8; 64]) -> Address {
    Address::from_slice(&keccak256(key)[12..])
}
