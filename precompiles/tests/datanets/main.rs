//! Every function of Datanets, and every error of its interface.
#![allow(clippy::unwrap_used)]

mod clusters;
mod derivation;
mod invariants;
mod judging;
mod licences;
mod owners;
mod registry;
#[path = "../world/mod.rs"]
mod world;

use alloy_primitives::{Address, B256, U256};
use alloy_sol_types::{SolCall, SolEvent};
use openledger_abi::IDatanets::*;
use openledger_precompiles::Failure;
use world::*;

const NOBODY: Address = Address::repeat_byte(0x99);

/// The events of one kind of the last call, oldest first.
fn events<E: SolEvent>(w: &World) -> Vec<E> {
    w.state.logs.iter().filter_map(|log| E::decode_log(log).ok()).map(|log| log.data).collect()
}

fn rules(change: impl FnOnce(&mut Rules)) -> Rules {
    let mut rules = Rules::default();
    change(&mut rules);
    rules
}

fn open_terms() -> Terms {
    Terms { uses: 15, ..Terms::default() }
}

/// Commits and, a block later, reveals; gives what the reveal gives.
fn reveal_with(
    w: &mut World,
    owner: Address,
    datanet: u64,
    terms: Terms,
    co_owners: Vec<OwnerShare>,
) -> Result<u64, Failure> {
    let root = B256::from(U256::from(w.state.number));
    let commitment = w.commitment(owner, datanet, root);
    w.call(owner, 1_000, commitCall { commitment }).unwrap();
    w.advance(1);
    let call = revealWithCall { datanet, root, salt: B256::ZERO, rows: 4, terms, coOwners: co_owners };
    w.call(owner, 0, call)
}

fn status(w: &mut World, contribution: u64) -> ContributionStatus {
    w.call(NOBODY, 0, contributionOfCall { contribution }).unwrap().status
}

fn view<C: SolCall>(w: &mut World, call: C) -> C::Return {
    w.call(NOBODY, 0, call).unwrap()
}
