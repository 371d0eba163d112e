//! What no row and no cluster may exceed.
//!
//! **Clusters are clipped, rows are not.** The scores of a cluster's rows are summed, and only the sum is
//! clipped at zero: a row that is cut into a helping and a harming part earns what it earned whole.
//!
//! **Rows weigh by their size.** A row cut into pieces trains as many rows, each of which pulls as hard as
//! any other. A score therefore counts by its row's size (distinct word runs of a text, ink of a picture)
//! over that of a large row, at most one: pieces together weigh what the whole did.
//!
//! **Outliers are capped.** A row far from all others pulls the model wherever it likes and scores high for
//! whatever lies there. Its influence on itself tells it apart: where that exceeds the rows' median by
//! many robust deviations, the row's scores are scaled down by as much as it exceeds the cap.

use crate::error::AttributionError;

/// Standard deviations a median absolute deviation, for a normal distribution.
const DEVIATIONS_PER_MAD: f64 = 1.4826;

/// Sums of rows' scores a cluster, negative ones clipped to zero.
pub fn cluster_scores(
    row_scores: &[f64],
    cluster_of: &[usize],
    clusters: usize,
) -> Result<Vec<f64>, AttributionError> {
    if row_scores.len() != cluster_of.len() || cluster_of.iter().any(|&cluster| cluster >= clusters) {
        return Err(AttributionError::Invalid("scores do not fit the clusters".into()));
    }
    let mut sums = vec![0.0; clusters];
    for (score, &cluster) in row_scores.iter().zip(cluster_of) {
        sums[cluster] += score;
    }
    Ok(sums.into_iter().map(|sum: f64| sum.max(0.0)).collect())
}

/// Bounds what an outlier earns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SelfInfluenceCap {
    /// Robust standard deviations above the median at which the cap lies.
    pub deviations: f64,
}

impl Default for SelfInfluenceCap {
    fn default() -> Self {
        Self { deviations: 3.0 }
    }
}

impl SelfInfluenceCap {
    /// What each row's scores are multiplied by: one, or the cap over its self-influence. `None` where a
    /// self-influence is not finite.
    pub fn factors(self, self_influences: &[f64]) -> Option<Vec<f64>> {
        if !self_influences.iter().all(|v| v.is_finite()) {
            return None;
        }
        let median = median(self_influences.to_vec());
        let deviations = self_influences.iter().map(|v| (v - median).abs()).collect();
        let cap = median + self.deviations * DEVIATIONS_PER_MAD * self::median(deviations);
        Some(
            self_influences
                .iter()
                .map(|&v| if v > cap && v > 0.0 { (cap / v).max(0.0) } else { 1.0 })
                .collect(),
        )
    }
}

/// The quantile of sizes from which on a row weighs one.
const FULL_SIZE_QUANTILE: f64 = 0.9;

/// What each row's scores are multiplied by: its size over that of a large row, at most one. `None`
/// where a size is negative or not finite.
pub fn size_factors(sizes: &[f64]) -> Option<Vec<f64>> {
    if !sizes.iter().all(|size| size.is_finite() && *size >= 0.0) {
        return None;
    }
    let mut sorted = sizes.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (sorted.len().saturating_sub(1) as f64 * FULL_SIZE_QUANTILE).round() as usize;
    let full = sorted.get(at).copied().unwrap_or(0.0);
    Some(sizes.iter().map(|size| if *size < full { size / full } else { 1.0 }).collect())
}

fn median(mut values: Vec<f64>) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn splitting_a_row_in_parts_of_any_sign_changes_no_cluster(
            scores in proptest::collection::vec(-3.0f64..3.0, 1..20),
            part in -5.0f64..5.0,
            at in 0usize..20,
        ) {
            let at = at % scores.len();
            let own: Vec<usize> = (0..scores.len()).collect();
            let whole = cluster_scores(&scores, &own, scores.len()).unwrap();
            let (mut split, mut of) = (scores.clone(), own);
            split[at] -= part;
            split.push(part);
            of.push(at);
            let parts = cluster_scores(&split, &of, scores.len()).unwrap();
            prop_assert!(whole.iter().zip(&parts).all(|(a, b)| (a - b).abs() < 1e-12));
        }

        #[test]
        fn no_factor_raises_a_score_and_higher_self_influence_never_counts_more(
            values in proptest::collection::vec(0.0f64..100.0, 1..50),
        ) {
            let factors = SelfInfluenceCap::default().factors(&values).unwrap();
            prop_assert!(factors.iter().all(|f| (0.0..=1.0).contains(f)));
            for (i, a) in values.iter().enumerate() {
                for (j, b) in values.iter().enumerate() {
                    prop_assert!(a > b || factors[i] >= factors[j]);
                }
            }
        }
    }

    #[test]
    fn pieces_weigh_together_what_the_whole_did() {
        let whole = size_factors(&[100.0; 20]).unwrap();
        let mut sizes = vec![100.0; 19];
        sizes.extend([40.0, 30.0, 30.0]);
        let pieces = size_factors(&sizes).unwrap();
        assert!((pieces.iter().sum::<f64>() - whole.iter().sum::<f64>()).abs() < 1e-12);
        assert_eq!(size_factors(&[0.0, 0.0]).unwrap(), [1.0, 1.0]);
        assert!(size_factors(&[-1.0]).is_none());
    }

    #[test]
    fn outlier_is_brought_down_to_the_cap() {
        let mut values: Vec<f64> = (0..99).map(|i| 1.0 + f64::from(i % 5) / 10.0).collect();
        values.push(500.0);
        let factors = SelfInfluenceCap::default().factors(&values).unwrap();
        assert!(factors[..99].iter().all(|f| *f == 1.0));
        assert!(values[99] * factors[99] < 2.0);
        assert!(SelfInfluenceCap::default().factors(&[f64::NAN]).is_none());
        assert!(cluster_scores(&[1.0], &[1], 1).is_err());
    }
}
