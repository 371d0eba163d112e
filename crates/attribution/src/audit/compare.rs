//! Whether a receipt's shares are what its scores give, within a band.
//!
//! A share is a score's part of all positive scores, and moves as little as the score does, except where the score lies
//! at the noise floor: there a rounding error decides between the whole share and none. Such a cluster agrees with a
//! receipt that has it either way. How near is near is no second choice: a score counts as at the floor when moving it
//! by as much as moves a share by twice the band changes whether it earns.

use openledger_shares::PPM;

use crate::{
    error::AttributionError,
    scores::{SCORE_SCALE, Scores},
    shares::{ShareConfig, Shares, attribute},
};

/// A cluster whose share is not what a re-run gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference {
    /// The cluster.
    pub cluster: usize,
    /// What the receipt gives it, parts per million.
    pub claimed_ppm: u32,
    /// What the re-run gives it.
    pub right_ppm: u32,
}

/// A receipt beside a re-run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// What the re-run gives.
    pub shares: Shares,
    /// The largest difference of any cluster, parts per million.
    pub worst_ppm: u32,
    /// The clusters that differ by more than the band, ascending.
    pub differing: Vec<Difference>,
}

/// Compares a share for every cluster with the re-run's scores. `claimed_ppm` is zero where the receipt names none.
pub fn compare(
    scores: &[f64],
    claimed_ppm: &[u32],
    config: ShareConfig,
    band_ppm: u32,
) -> Result<Comparison, AttributionError> {
    if scores.len() != claimed_ppm.len() {
        return Err(AttributionError::Invalid("a share for every cluster is needed".into()));
    }
    let shares = attribute(&Scores::new(scores)?, config)?;
    let share_of = |shares: &Shares, cluster: usize| {
        let found = shares.shares.binary_search_by_key(&cluster, |share| share.cluster);
        found.map_or(0, |at| shares.shares[at].ppm)
    };
    let positive: f64 = scores.iter().filter(|score| **score > 0.0).sum();
    let nudge = (2.0 * f64::from(band_ppm.max(1)) / f64::from(PPM) * positive).max(1.0 / SCORE_SCALE);
    let (mut worst_ppm, mut differing) = (0, Vec::new());
    for (cluster, &claimed) in claimed_ppm.iter().enumerate() {
        let right_ppm = share_of(&shares, cluster);
        let mut difference = claimed.abs_diff(right_ppm);
        if difference > band_ppm && (claimed == 0) != (right_ppm == 0) {
            // What it would get if it earned, though it does not; or nothing, though it does.
            let other = if claimed == 0 {
                0
            } else {
                (scores[cluster].max(0.0) / positive * f64::from(PPM)).round() as u32
            };
            let mut moved = scores.to_vec();
            moved[cluster] += if claimed == 0 { -nudge } else { nudge };
            let at_the_floor =
                (share_of(&attribute(&Scores::new(&moved)?, config)?, cluster) == 0) == (claimed == 0);
            if at_the_floor {
                difference = difference.min(claimed.abs_diff(other));
            }
        }
        worst_ppm = worst_ppm.max(difference);
        if difference > band_ppm {
            differing.push(Difference { cluster, claimed_ppm: claimed, right_ppm });
        }
    }
    Ok(Comparison { shares, worst_ppm, differing })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BAND: u32 = 100;

    fn claimed(shares: &Shares, clusters: usize) -> Vec<u32> {
        let mut ppm = vec![0; clusters];
        shares.shares.iter().for_each(|share| ppm[share.cluster] = share.ppm);
        ppm
    }

    fn honest(scores: &[f64]) -> Vec<u32> {
        let shares = attribute(&Scores::new(scores).unwrap(), ShareConfig::default()).unwrap();
        claimed(&shares, scores.len())
    }

    fn judged(scores: &[f64], claimed: &[u32]) -> Comparison {
        compare(scores, claimed, ShareConfig::default(), BAND).unwrap()
    }

    proptest! {
        /// Rounding errors of another machine never make an honest receipt wrong, wherever the noise floor lies.
        #[test]
        fn shares_of_slightly_other_scores_agree(
            scores in proptest::collection::vec(-1.0f64..1.0, 8..60),
            errors in proptest::collection::vec(-1.0f64..1.0, 60),
        ) {
            let positive: f64 = scores.iter().filter(|s| **s > 0.0).sum();
            prop_assume!(positive > 0.5);
            let size = f64::from(BAND) / 1e6 * positive / 8.0 / scores.len() as f64;
            let other: Vec<f64> = scores.iter().zip(&errors).map(|(s, e)| s + e * size).collect();
            let found = judged(&other, &honest(&scores));
            prop_assert!(found.differing.is_empty(), "{found:?}");
        }

        #[test]
        fn moving_more_than_the_band_from_one_cluster_to_another_is_found(
            scores in proptest::collection::vec(0.2f64..1.0, 2..7),
            moved in 0.02f64..1.0,
        ) {
            let mut lie = honest(&scores);
            let taken = (f64::from(lie[0]) * moved) as u32;
            lie[0] -= taken;
            lie[1] += taken;
            let found = judged(&scores, &lie);
            prop_assert_eq!(found.worst_ppm, taken);
            let clusters: Vec<usize> = found.differing.iter().map(|d| d.cluster).collect();
            prop_assert_eq!(clusters, vec![0, 1]);
        }
    }

    #[test]
    fn cluster_at_the_noise_floor_agrees_either_way_but_not_with_a_third_share() {
        let mut scores: Vec<f64> = (0..101).map(|i| f64::from(i - 50) / 1000.0).collect();
        // Median 0, median absolute deviation 0.025, floor 2 · 1.4826 · 0.025.
        let floor = 0.07413;
        scores.push(0.5);
        let at = scores.len();
        scores.push(floor);
        // The two more scores move median and deviation by a step.
        let base = scores.clone();
        let earns = |score: f64| {
            let mut scores = base.clone();
            scores[at] = score;
            honest(&scores)[at]
        };
        let (mut low, mut high) = (0.05, 0.12);
        for _ in 0..60 {
            let middle = f64::midpoint(low, high);
            if earns(middle) == 0 { low = middle } else { high = middle }
        }
        scores[at] = low;
        let without = honest(&scores);
        let mut with = without.clone();
        with[at] = earns(high);
        assert!(with[at] > 10_000);
        assert!(judged(&scores, &without).differing.is_empty());
        assert!(judged(&scores, &with).differing.is_empty());
        scores[at] = high;
        assert!(judged(&scores, &without).differing.is_empty());
        with[at] += 2 * BAND;
        assert_eq!(judged(&scores, &with).differing.len(), 1);
        scores[at] = low - 0.01;
        with[at] -= 2 * BAND;
        let found = judged(&scores, &with).differing;
        assert!(
            found.iter().any(|d| d.cluster == at && d.right_ppm == 0),
            "clearly below the floor: {found:?}"
        );
    }

    #[test]
    fn share_that_a_receipt_leaves_out_or_invents_is_found() {
        let scores = [0.5, -1.0, 1.5];
        let mut lie = honest(&scores);
        lie[1] = lie[0];
        lie[0] = 0;
        let found = judged(&scores, &lie);
        assert_eq!(found.differing.len(), 2);
        assert_eq!(found.differing[0], Difference { cluster: 0, claimed_ppm: 0, right_ppm: 250_000 });
        assert!(compare(&scores, &lie[1..], ShareConfig::default(), BAND).is_err());
    }
}
