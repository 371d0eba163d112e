//! For every function of the precompiles one call that succeeds, and the world in which it does.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

mod attribution;
mod datanets;
mod payouts;

use crate::world::{World, of};
use alloy_primitives::{Address, U256};
use alloy_sol_types::SolCall;
use openledger_precompiles::{Call, Function, Precompile};

/// A call that succeeds.
#[derive(Clone, Debug)]
pub struct Case {
    pub world: World,
    pub to: Precompile,
    pub call: Call,
    pub data: Vec<u8>,
}

impl Case {
    pub fn new<C: SolCall>(world: &World, caller: Address, value: u128, call: &C) -> Self {
        let how = Call { caller, value: U256::from(value), is_static: false, is_direct: true };
        Self { world: world.clone(), to: of::<C>(), call: how, data: call.abi_encode() }
    }

    pub fn function(&self) -> &'static Function {
        let found = self.to.functions().iter().find(|function| self.data.starts_with(&function.selector));
        found.unwrap()
    }
}

/// At least one call of every function.
pub fn all() -> Vec<Case> {
    [datanets::cases(), attribution::cases(), payouts::cases()].concat()
}
