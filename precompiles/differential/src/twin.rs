//! The two worlds side by side.

use crate::ledger::Ledger;
use crate::side::{Ending, Outcome, Side};
use crate::{Step, world};
use alloy_primitives::{Address, U256};
use alloy_sol_types::{Panic, SolError};
use openledger_precompiles::IPrecompile::{CalldataTooLong, ValueRefused};
use std::fmt;

/// What the two worlds do not agree on.
#[derive(Clone, Debug)]
pub struct Difference {
    /// Which of the things compared.
    pub what: &'static str,
    /// As the precompiles have it.
    pub precompiles: String,
    /// As the reference has it.
    pub reference: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} differ\n  precompiles: {}\n  reference:   {}",
            self.what, self.precompiles, self.reference
        )
    }
}

/// The two worlds.
#[derive(Debug)]
pub struct Twin {
    /// With the precompiles.
    pub precompiles: Side,
    /// With the reference contracts.
    pub reference: Side,
    ledger: Ledger,
}

impl Default for Twin {
    fn default() -> Self {
        Self::new()
    }
}

impl Twin {
    /// Both at genesis.
    pub fn new() -> Self {
        Self {
            precompiles: Side::new(world::with_precompiles().clone(), true),
            reference: Side::new(world::with_reference().clone(), false),
            ledger: Ledger::default(),
        }
    }

    /// Runs a step in both, compares what it did, and checks that what must always hold does.
    ///
    /// # Errors
    ///
    /// What differs, or which rule is broken.
    pub fn step(&mut self, step: &Step) -> Result<Outcome, Box<Difference>> {
        let (ours, theirs) = (self.precompiles.step(step), self.reference.step(step));
        let outcome = self.compare(step, ours, theirs)?;
        self.ledger.take(step, &outcome, &mut self.precompiles)?;
        Ok(outcome)
    }

    fn compare(
        &mut self,
        step: &Step,
        ours: Result<Outcome, String>,
        theirs: Result<Outcome, String>,
    ) -> Result<Outcome, Box<Difference>> {
        let (ours, theirs) = match (ours, theirs) {
            (Ok(ours), Ok(theirs)) => (ours, theirs),
            (ours, theirs) => return Err(differ("whether the chain is whole", &ours, &theirs)),
        };
        if !same_ending(step, &ours.ending, &theirs.ending) {
            return Err(differ("endings", &world::name(&ours.ending), &world::name(&theirs.ending)));
        }
        if ours.logs != theirs.logs {
            return Err(differ("logs", &ours.logs, &theirs.logs));
        }
        if ours.slots != theirs.slots {
            let only = |a: &Outcome, b: &Outcome| -> Vec<((Address, U256), U256)> {
                let entries = a.slots.iter().filter(|(slot, value)| b.slots.get(slot) != Some(value));
                entries.map(|(slot, value)| (*slot, *value)).collect()
            };
            return Err(differ("changed slots", &only(&ours, &theirs), &only(&theirs, &ours)));
        }
        for account in ours.balances.keys().chain(theirs.balances.keys()) {
            let wei = [
                ours.balances.get(account).copied().unwrap_or_else(|| self.precompiles.balance(*account)),
                theirs.balances.get(account).copied().unwrap_or_else(|| self.reference.balance(*account)),
            ];
            if wei[0] != wei[1] {
                return Err(differ("balances", &(account, wei[0]), &(account, wei[1])));
            }
        }
        Ok(ours)
    }
}

/// Where the frame refuses a call, Solidity's own checks say less.
fn same_ending(step: &Step, ours: &Ending, theirs: &Ending) -> bool {
    match (ours, theirs) {
        (Ending::Revert(ours), Ending::Revert(theirs)) => {
            let by_frame = [ValueRefused::SELECTOR, CalldataTooLong::SELECTOR];
            let silent = theirs.is_empty() || step.damaged && is_allocation_panic(theirs);
            ours == theirs
                || silent && (ours.is_empty() || by_frame.iter().any(|error| ours.starts_with(error)))
        }
        _ => ours == theirs,
    }
}

/// What Solidity does when an array's length cannot be.
fn is_allocation_panic(data: &[u8]) -> bool {
    Panic::abi_decode(data).is_ok_and(|panic| panic.code == U256::from(0x41))
}

fn differ(what: &'static str, ours: &dyn fmt::Debug, theirs: &dyn fmt::Debug) -> Box<Difference> {
    Box::new(Difference { what, precompiles: format!("{ours:?}"), reference: format!("{theirs:?}") })
}
