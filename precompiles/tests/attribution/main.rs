//! Every function of Attribution: what it does, and everything it refuses.
#![allow(clippy::unwrap_used)]

mod bonds;
mod challenges;
mod registration;
mod settlement;
mod standing;
#[path = "../world/mod.rs"]
mod world;

use alloy_primitives::{Address, B256, U256};
use alloy_sol_types::{SolCall, SolEvent};
use openledger_abi::IAttribution::*;
use openledger_abi::{COURT, IDatanets};
use openledger_precompiles::Failure;
use world::*;

/// What the contributors get of a fee of 100 tokens in and 33 out.
const C: u64 = 1_035;

/// The events of one kind of the last call, oldest first.
fn events<E: SolEvent>(w: &World) -> Vec<E> {
    w.state.logs.iter().filter_map(|log| E::decode_log(log).ok()).map(|log| log.data).collect()
}

fn view<C: SolCall>(w: &mut World, call: C) -> C::Return {
    w.call(Address::repeat_byte(0x99), 0, call).unwrap()
}

fn at(datanet: u64, version: u32) -> DatasetRef {
    DatasetRef { datanet, version }
}

fn on(datasets: Vec<DatasetRef>) -> ModelSpec {
    ModelSpec { datasets, ..spec() }
}

fn register(w: &mut World, spec: ModelSpec, extras: ModelExtras) -> Result<u64, Failure> {
    w.call(MODELLER, 0, registerModelWithCall { spec, extras })
}

/// A Datanet that takes any terms, with one contribution of Alice's under these, in version 1.
fn datanet_under(w: &mut World, terms: IDatanets::Terms) -> (u64, u64) {
    let datanet = w.datanet();
    let rules = IDatanets::Rules { revocableAllowed: true, ..IDatanets::Rules::default() };
    w.call(CURATOR, 0, IDatanets::setRulesCall { datanet, rules }).unwrap();
    let contribution = reveal(w, datanet, terms);
    w.publish(datanet, &[contribution]).unwrap();
    (datanet, contribution)
}

fn reveal(w: &mut World, datanet: u64, terms: IDatanets::Terms) -> u64 {
    let root = B256::from(U256::from(w.state.number));
    let commitment = w.commitment(ALICE, datanet, root);
    w.call(ALICE, 1_000, IDatanets::commitCall { commitment }).unwrap();
    w.advance(1);
    let call =
        IDatanets::revealWithCall { datanet, root, salt: B256::ZERO, rows: 4, terms, coOwners: vec![] };
    w.call(ALICE, 0, call).unwrap()
}

fn revocable() -> IDatanets::Terms {
    IDatanets::Terms { uses: 15, revocable: true, ..IDatanets::Terms::default() }
}

fn withdraw(w: &mut World, contribution: u64, last: u64) {
    w.call(ALICE, 0, IDatanets::withdrawLicenceCall { contribution, lastValid: last }).unwrap();
}

fn grant(w: &mut World, contribution: u64, uses: u16, until: u64) {
    let terms = IDatanets::Grant { uses, until, ..IDatanets::Grant::default() };
    w.call(ALICE, 0, IDatanets::grantCall { contribution, grantee: MODELLER, terms }).unwrap();
}

/// A world in which the usual receipt was settled.
fn settled() -> (World, B256) {
    let mut w = World::with_model();
    w.state.balances.insert(COURT, U256::from(RICH));
    let id = w.request(1_000_000, 1).unwrap();
    w.settle(good(id)).unwrap();
    (w, id)
}
