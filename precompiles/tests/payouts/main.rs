//! Every function of Payouts, and every error of its interface.
#![allow(clippy::unwrap_used)]

mod channels;
mod claims;
mod conservation;
mod streams;
mod tails;
#[path = "../world/mod.rs"]
mod world;

use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_sol_types::SolCall;
use openledger_abi::IPayouts::*;
use openledger_abi::PAYOUTS;
use world::signing::{Claim, Voucher, sign, signer};
use world::*;

const PROVIDER: Address = Address::repeat_byte(0x77);

fn wei(amount: u64) -> U256 {
    U256::from(amount)
}

fn view<C: SolCall>(w: &mut World, call: C) -> C::Return {
    w.call(BOB, 0, call).unwrap()
}
