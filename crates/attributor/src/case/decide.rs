//! Decides whether a receipt is wrong, and what its shares should have been.
//!
//! The re-run by libtorch says which clusters differ; whether they do is for the scalar kernel to say. It takes the
//! gradients of the disputed rows and of the answer again in f64, and computes all scores from them.

use super::{Case, rerun::Rerun};
use crate::{AttributorError, ClusterCredit, records::RowRef};
use openledger_attribution::audit::{RowGradient, ScalarLora, Weights, compare, gradient, scalar_scores};
use openledger_shares::PPM;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, thread};

/// A cluster whose share is not what a re-run gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterDifference {
    /// Contribution of the canonical row.
    pub contribution: u64,
    /// The canonical row.
    pub row: u32,
    /// What the receipt gives it, parts per million.
    pub claimed_ppm: u32,
    /// What it should have.
    pub right_ppm: u32,
}

/// What is found of a receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Whether a share differs by more than the band.
    pub wrong: bool,
    /// The largest difference of any share, parts per million.
    pub worst_ppm: u32,
    /// The clusters that differ by more than the band, the largest differences first.
    pub differing: Vec<ClusterDifference>,
    /// How many rows the scalar kernel took again.
    pub exact_rows: usize,
    /// The right shares, ascending; empty where the receipt is right. Where a share is within the band it is the
    /// receipt's, elsewhere a whole number of bands: so that judges on different machines name the same.
    pub corrected: Vec<ClusterCredit>,
}

/// Decides a checked case. The scalar kernel takes at most `exact_rows` rows again, those that differ most.
pub(crate) fn decide(
    case: &Case,
    rerun: &Rerun,
    weights: impl FnOnce() -> Result<Weights, AttributorError>,
    exact_rows: usize,
) -> Result<Decision, AttributorError> {
    let (band, config) = (case.facts.band_ppm, case.settings.shares.config()?);
    let places: BTreeMap<RowRef, usize> = (0..).zip(&rerun.rows).map(|(at, place)| (*place, at)).collect();
    let mut claimed = vec![0; rerun.rows.len()];
    let mut foreign = Vec::new();
    for share in &case.facts.shares {
        match places.get(&RowRef { contribution: share.contribution, row: share.row }) {
            Some(&at) => claimed[at] = share.ppm,
            None => foreign.push(*share),
        }
    }
    let mut found = compare(&rerun.scores, &claimed, config, band)?;
    let mut disputed: Vec<_> = found.differing.clone();
    disputed.sort_by_key(|d| (std::cmp::Reverse(d.claimed_ppm.abs_diff(d.right_ppm)), d.cluster));
    disputed.truncate(exact_rows.max(1));
    if !disputed.is_empty() {
        let exact = exact_gradients(rerun, &weights()?, disputed.iter().map(|d| d.cluster))?;
        let mut rows = Vec::with_capacity(rerun.rows.len());
        for at in 0..rerun.rows.len() {
            rows.push(match exact.get(&Some(at)) {
                Some(values) => RowGradient::Exact(values.clone()),
                None => RowGradient::Single(rerun.gradient(at)?),
            });
        }
        let answer = exact.get(&None).map(Vec::as_slice).unwrap_or_default();
        let scores = scalar_scores(&rows, answer, case.settings.influence.config()?)?;
        found = compare(&scores, &claimed, config, band)?;
    }
    let confirmed = |cluster: usize| disputed.iter().any(|d| d.cluster == cluster);
    let wrong = found.differing.iter().any(|d| confirmed(d.cluster)) || foreign.iter().any(|s| s.ppm > band);
    let at = |index: usize| rerun.rows[index];
    let mut differing: Vec<ClusterDifference> = found
        .differing
        .iter()
        .map(|d| (at(d.cluster), d.claimed_ppm, d.right_ppm))
        .chain(foreign.iter().map(|s| (RowRef { contribution: s.contribution, row: s.row }, s.ppm, 0)))
        .map(|(place, claimed_ppm, right_ppm)| ClusterDifference {
            contribution: place.contribution,
            row: place.row,
            claimed_ppm,
            right_ppm,
        })
        .collect();
    differing
        .sort_by_key(|d| (std::cmp::Reverse(d.claimed_ppm.abs_diff(d.right_ppm)), d.contribution, d.row));
    let worst_ppm = foreign.iter().map(|s| s.ppm).fold(found.worst_ppm, u32::max);
    let corrected = if wrong { corrected(&case.facts.shares, &differing, band) } else { Vec::new() };
    Ok(Decision { wrong, worst_ppm, differing, exact_rows: disputed.len(), corrected })
}

/// The scalar kernel's gradients of some rows and, under `None`, of the answer; as many at a time as there are cores.
fn exact_gradients(
    rerun: &Rerun,
    weights: &Weights,
    rows: impl Iterator<Item = usize>,
) -> Result<BTreeMap<Option<usize>, Vec<f64>>, AttributorError> {
    let lora = ScalarLora::new(&rerun.adapter)?;
    let wanted: Vec<Option<usize>> = rows.map(Some).chain([None]).collect();
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let mut taken = BTreeMap::new();
    for some in wanted.chunks(cores) {
        let results: Vec<_> = thread::scope(|scope| {
            let running: Vec<_> = some
                .iter()
                .map(|which| {
                    let sequence = which.map_or(&rerun.answer, |row| &rerun.sequences[row]);
                    let lora = &lora;
                    scope.spawn(move || gradient(weights, lora, sequence))
                })
                .collect();
            running.into_iter().map(|thread| thread.join().map_err(|_| AttributorError::Panicked)).collect()
        });
        for (which, result) in some.iter().zip(results) {
            taken.insert(*which, result??.values);
        }
    }
    Ok(taken)
}

/// The receipt's shares with those that differ put right.
fn corrected(shares: &[ClusterCredit], differing: &[ClusterDifference], band: u32) -> Vec<ClusterCredit> {
    let step = band.max(1);
    let mut right: BTreeMap<(u64, u32), u32> =
        shares.iter().map(|share| ((share.contribution, share.row), share.ppm)).collect();
    for difference in differing {
        right.insert((difference.contribution, difference.row), difference.right_ppm / step * step);
    }
    // Shares that were left as they are may each be a band too large.
    while let excess @ 1.. = right.values().sum::<u32>().saturating_sub(PPM) {
        let Some(largest) = right.values_mut().max() else { break };
        *largest -= excess.min(*largest);
    }
    let shares = right.into_iter().filter(|(_, ppm)| *ppm > 0);
    shares.map(|((contribution, row), ppm)| ClusterCredit { contribution, row, ppm }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corrected_shares_keep_what_agrees_and_never_exceed_the_whole() {
        let credit = |row, ppm| ClusterCredit { contribution: 1, row, ppm };
        let difference =
            |row, claimed_ppm, right_ppm| ClusterDifference { contribution: 1, row, claimed_ppm, right_ppm };
        let shares = [credit(0, 300_050), credit(2, 650_000)];
        let lies = [difference(2, 650_000, 0), difference(3, 0, 650_123)];
        assert_eq!(corrected(&shares, &lies, 100), [credit(0, 300_050), credit(3, 650_100)]);
        let lies = [difference(3, 0, 120_000)];
        let put_right = corrected(&shares, &lies, 100);
        assert_eq!(put_right.iter().map(|c| c.ppm).sum::<u32>(), PPM);
        assert_eq!(put_right[0], shares[0]);
        assert_eq!(corrected(&[], &[difference(3, 0, 7)], 0), [credit(3, 7)]);
    }
}
