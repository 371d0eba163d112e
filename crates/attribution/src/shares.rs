//! From scores to shares: what stands out of the noise earns, the rest is unattributed.
//!
//! Most rows have nothing to do with an answer, and their scores scatter about zero. The scatter is
//! measured robustly (median and median absolute deviation, which a few high scores do not move), and
//! a cluster earns only when its score is positive and lies `noise_deviations` standard deviations
//! above the median. An earning cluster's share is its score's part of **all** positive scores, so
//! clusters left out do not make the others richer: their part stays unattributed.

use openledger_shares::{PPM, largest_remainder_ppm};

use crate::{error::AttributionError, scores::Scores};

/// The most clusters that a receipt names one by one.
pub const MAX_SHARES: usize = 64;

/// Below this many clusters there is no scatter to measure, and every positive score earns.
const MIN_CLUSTERS_FOR_NOISE: usize = 8;
/// Standard deviations a median absolute deviation, for a normal distribution.
const DEVIATIONS_PER_MAD: f64 = 1.4826;

/// How shares are made; part of the method that a receipt names.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ShareConfig {
    /// How far above the median a score must lie, standard deviations of the noise.
    pub noise_deviations: f64,
    /// The most clusters that earn, at most [`MAX_SHARES`].
    pub max_shares: usize,
}

impl Default for ShareConfig {
    fn default() -> Self {
        Self { noise_deviations: 2.0, max_shares: MAX_SHARES }
    }
}

/// A cluster's part of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// The cluster, as [`crate::Clusters`] numbers them.
    pub cluster: usize,
    /// Its part, above zero.
    pub ppm: u32,
}

/// An answer divided; the parts and what is unattributed sum to exactly 1,000,000.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shares {
    /// The clusters that earn, ascending.
    pub shares: Vec<Share>,
    /// What no cluster earned.
    pub unattributed_ppm: u32,
}

/// Divides an answer among clusters by their scores.
pub fn attribute(scores: &Scores, config: ShareConfig) -> Result<Shares, AttributionError> {
    let valid = config.noise_deviations.is_finite()
        && config.noise_deviations >= 0.0
        && (1..=MAX_SHARES).contains(&config.max_shares);
    if !valid {
        return Err(AttributionError::Invalid("share configuration is out of range".into()));
    }
    let values = scores.billionths();
    let floor = noise_floor(values, config.noise_deviations);
    let mut earning: Vec<usize> =
        (0..values.len()).filter(|&c| values[c] > 0 && values[c] as f64 > floor).collect();
    // Highest first; of equals the earlier cluster.
    earning.sort_by_key(|&c| (std::cmp::Reverse(values[c]), c));
    earning.truncate(config.max_shares);
    earning.sort_unstable();
    if earning.is_empty() {
        return Ok(Shares { shares: vec![], unattributed_ppm: PPM });
    }

    let positive: i128 = values.iter().filter(|v| **v > 0).map(|v| i128::from(*v)).sum();
    let earned: i128 = earning.iter().map(|&c| i128::from(values[c])).sum();
    let mut weights: Vec<f64> = earning.iter().map(|&c| values[c] as f64).collect();
    weights.push((positive - earned) as f64);
    let parts =
        largest_remainder_ppm(&weights, PPM).map_err(|error| AttributionError::Invalid(error.to_string()))?;
    let shares = earning.iter().zip(&parts).filter(|(_, ppm)| **ppm > 0);
    Ok(Shares {
        shares: shares.map(|(&cluster, &ppm)| Share { cluster, ppm }).collect(),
        unattributed_ppm: parts.last().copied().unwrap_or(PPM),
    })
}

/// Median plus so many standard deviations of the noise, in billionths.
pub(crate) fn noise_floor(values: &[i64], deviations: f64) -> f64 {
    if values.len() < MIN_CLUSTERS_FOR_NOISE {
        return 0.0;
    }
    let median = median(values.to_vec());
    let mad = self::median(values.iter().map(|v| (v - median).abs()).collect());
    median as f64 + deviations * DEVIATIONS_PER_MAD * mad as f64
}

fn median(mut values: Vec<i64>) -> i64 {
    let middle = values.len() / 2;
    *values.select_nth_unstable(middle).1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn divide(scores: &[f64]) -> Shares {
        attribute(&Scores::new(scores).unwrap(), ShareConfig::default()).unwrap()
    }

    proptest! {
        #[test]
        fn parts_sum_to_a_million_and_only_positive_outliers_earn(
            scores in proptest::collection::vec(-5.0f64..5.0, 1..300),
        ) {
            let shares = divide(&scores);
            let sum: u32 = shares.shares.iter().map(|s| s.ppm).sum();
            prop_assert_eq!(sum + shares.unattributed_ppm, PPM);
            prop_assert!(shares.shares.len() <= MAX_SHARES);
            prop_assert!(shares.shares.windows(2).all(|w| w[0].cluster < w[1].cluster));
            prop_assert!(shares.shares.iter().all(|s| s.ppm > 0 && scores[s.cluster] > 0.0));
        }

        #[test]
        fn higher_score_never_earns_less(scores in proptest::collection::vec(-1.0f64..9.0, 8..80)) {
            let shares = divide(&scores).shares;
            for a in &shares {
                for b in &shares {
                    prop_assert!(scores[a.cluster] <= scores[b.cluster] || a.ppm >= b.ppm);
                }
            }
        }
    }

    #[test]
    fn noise_stays_unattributed_and_does_not_enrich_the_rest() {
        let mut scores: Vec<f64> = (0..100).map(|i| f64::from(i % 7 - 3) / 100.0).collect();
        scores[40] = 1.0;
        let shares = divide(&scores);
        assert_eq!(shares.shares.len(), 1);
        let positive: f64 = scores.iter().filter(|s| **s > 0.0).sum();
        assert_eq!(shares.shares[0].ppm, (1e6 / positive).round() as u32);
        assert_eq!(shares.unattributed_ppm, PPM - shares.shares[0].ppm);
    }

    #[test]
    fn answer_that_no_row_helped_is_wholly_unattributed() {
        assert_eq!(divide(&[-1.0, 0.0, -0.5]), Shares { shares: vec![], unattributed_ppm: PPM });
    }

    #[test]
    fn few_clusters_earn_without_a_noise_floor() {
        assert_eq!(divide(&[0.5]).shares, [Share { cluster: 0, ppm: PPM }]);
        assert_eq!(divide(&[0.5, -1.0, 1.5]).shares.len(), 2);
    }

    #[test]
    fn absurd_configuration_is_refused() {
        let scores = Scores::new(&[1.0]).unwrap();
        for (noise_deviations, max_shares) in [(f64::NAN, 1), (-1.0, 1), (2.0, 0), (2.0, 65)] {
            assert!(attribute(&scores, ShareConfig { noise_deviations, max_shares }).is_err());
        }
    }
}
