//! What must always hold, told from events alone: who is owed what, who owns what, and that nothing is paid twice or for
//! what is forbidden. It knows neither of the two implementations' storage beyond the slots that it compares with.

mod money;
mod rights;
mod tokens;

use crate::side::{Outcome, Side};
use crate::world::CONTRACTS;
use crate::{Difference, Step};
use alloy_primitives::{Address, B256, Log, U256, keccak256};
use alloy_sol_types::SolEventInterface;
use money::Money;
use openledger_abi::IAttribution::IAttributionEvents as A;
use openledger_abi::IDatanets::IDatanetsEvents as D;
use openledger_abi::IPayouts::IPayoutsEvents as P;
use openledger_abi::{ATTRIBUTION, DATANETS, PAYOUTS};
use rights::Rights;
use std::fmt;
use tokens::Tokens;

/// A rule that a step broke.
pub(crate) type Broken = String;

/// Compares, and says what was expected where it is not so.
pub(crate) fn expect<T: PartialEq + fmt::Debug>(what: &str, found: T, expected: T) -> Result<(), Broken> {
    if found == expected { Ok(()) } else { Err(format!("{what}: {found:?}, expected {expected:?}")) }
}

/// An event of one of the three.
pub(crate) enum Event {
    Datanets(D),
    Attribution(A),
    Payouts(P),
}

fn read(log: &Log) -> Option<Event> {
    match log.address {
        DATANETS => D::decode_log(log).ok().map(|log| Event::Datanets(log.data)),
        ATTRIBUTION => A::decode_log(log).ok().map(|log| Event::Attribution(log.data)),
        PAYOUTS => P::decode_log(log).ok().map(|log| Event::Payouts(log.data)),
        _ => None,
    }
}

/// All that was told by the events of a sequence.
#[derive(Debug, Default)]
pub struct Ledger {
    money: Money,
    rights: Rights,
    tokens: Tokens,
}

impl Ledger {
    /// Takes in what a step did and checks every rule.
    ///
    /// # Errors
    ///
    /// The rule that is broken.
    pub fn take(&mut self, step: &Step, outcome: &Outcome, side: &mut Side) -> Result<(), Box<Difference>> {
        self.check(step, outcome, side).map_err(|rule| {
            let reference = "the rule that is to hold".to_owned();
            Box::new(Difference { what: "invariants", precompiles: rule, reference })
        })
    }

    fn check(&mut self, step: &Step, outcome: &Outcome, side: &mut Side) -> Result<(), Broken> {
        let (now, mut events) = (side.now(), Vec::new());
        self.tokens.begin();
        for log in &outcome.logs {
            self.tokens.take(step, log)?;
            if !CONTRACTS.contains(&log.address) {
                continue;
            }
            let Some(event) = read(log) else { return Err("an event that no interface declares".to_owned()) };
            self.tokens.moved(step, &event)?;
            self.rights.take(step, now, &event)?;
            self.money.take(now, &event)?;
            events.push(event);
        }
        self.rights.settle(now, &events)?;
        self.tokens.check(side)?;
        self.money.check(now, side)
    }
}

/// Where Solidity puts `mapping[key]` of the mapping at `slot`.
fn entry(key: B256, slot: U256) -> U256 {
    let bytes = [key.0, slot.to_be_bytes::<32>()].concat();
    keccak256(bytes).into()
}

/// Part of `whole` by the first `weight` of `all`.
pub(crate) fn part(whole: U256, weight: u64, all: u64) -> U256 {
    whole * U256::from(weight) / U256::from(all)
}

/// A number of a contribution, model, … with an account.
pub(crate) type Held = (u64, Address);
