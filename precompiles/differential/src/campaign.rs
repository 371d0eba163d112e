//! Runs sequence after sequence.

use crate::plan::Planner;
use crate::side::Ending;
use crate::{Difference, Step, Twin};
use alloy_primitives::Address;
use std::collections::BTreeMap;
use std::fmt;

/// Steps of a sequence.
pub const EPISODE: u64 = 400;

/// What a campaign found.
#[derive(Debug)]
pub struct Found {
    /// Gives the sequence again.
    pub seed: u64,
    /// The sequence up to the step that differs.
    pub steps: Vec<Step>,
    /// How it differs.
    pub difference: Box<Difference>,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}, after {} steps: {}", self.seed, self.steps.len(), self.difference)?;
        self.steps.iter().enumerate().try_for_each(|(n, step)| writeln!(f, "  {n}: {step:?}"))
    }
}

/// What was done how often: for each contract and selector, calls that succeeded and calls that did not.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    /// Calls of each function that succeeded, and that did not.
    pub functions: BTreeMap<(Address, [u8; 4]), [u64; 2]>,
    /// How often a function met an error: contract, and the selectors of both.
    pub errors: BTreeMap<(Address, [u8; 4], [u8; 4]), u64>,
}

impl Coverage {
    fn count(&mut self, step: &Step, ending: &Ending) {
        let Some(selector) = step.data.first_chunk::<4>() else { return };
        if let Ending::Revert(data) = ending
            && let Some(error) = data.first_chunk::<4>()
        {
            *self.errors.entry((step.to, *selector, *error)).or_default() += 1;
        }
        if step.damaged {
            return;
        }
        let counts = self.functions.entry((step.to, *selector)).or_default();
        counts[usize::from(!matches!(ending, Ending::Success(_)))] += 1;
    }
}

/// Runs one sequence.
///
/// # Errors
///
/// What it found.
pub fn episode(
    seed: u64,
    steps: u64,
    focus: Option<Address>,
    coverage: &mut Coverage,
) -> Result<(), Box<Found>> {
    let (mut planner, mut twin, mut done) = (Planner::focused(seed, focus), Twin::new(), Vec::new());
    for _ in 0..steps {
        let step = planner.plan();
        done.push(step.clone());
        match twin.step(&step) {
            Ok(outcome) => {
                coverage.count(&step, &outcome.ending);
                planner.learn(&outcome);
            }
            Err(difference) => return Err(Box::new(Found { seed, steps: done, difference })),
        }
    }
    Ok(())
}

/// Runs sequences until `steps` steps are done; the first has `seed`, the next one more, and so on.
///
/// # Errors
///
/// The first difference, in a short sequence.
pub fn campaign(seed: u64, steps: u64, focus: Option<Address>) -> Result<Coverage, Box<Found>> {
    let (mut coverage, mut left, mut seed) = (Coverage::default(), steps, seed);
    while left > 0 {
        let length = left.min(EPISODE);
        if let Err(found) = episode(seed, length, focus, &mut coverage) {
            let steps = crate::shrink(&found.steps);
            return Err(Box::new(Found { steps, ..*found }));
        }
        (left, seed) = (left - length, seed.wrapping_add(1));
    }
    Ok(coverage)
}
