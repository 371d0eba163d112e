//! The linear datamodeling score: how well scores predict what retraining does.
//!
//! For each test row, the Spearman correlation over random subsets of the training rows between the
//! sum of the subset's scores and the negative loss after retraining on that subset; the mean of
//! that over test rows. Source: Park et al., "TRAK: Attributing Model Behavior at Scale" (2023).

use std::ops::Range;

use crate::{error::AttributionError, retraining::task::Truth};

/// Subsets that scalars may be chosen on; the others judge.
pub const CHOOSING_SUBSETS: usize = 25;

/// The mean of a score over test rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lds {
    /// The mean.
    pub mean: f64,
    /// Standard error of that mean over test rows.
    pub standard_error: f64,
}

/// The LDS of row-major scores `[train, test]` over some of the subsets.
pub fn lds(truth: &Truth, scores: &[f32], subsets: Range<usize>) -> Result<Lds, AttributionError> {
    let tests = truth.tests();
    let rows = truth.rows();
    let range = subsets;
    if scores.len() != rows * tests {
        return Err(AttributionError::Invalid(format!("{} scores for {rows}×{tests} rows", scores.len())));
    }
    if range.end > truth.subsets().len() || range.len() < 2 {
        let there = truth.subsets().len();
        return Err(AttributionError::Invalid(format!("subsets {range:?}: the file has {there}")));
    }
    let mut sums = Vec::with_capacity(range.len());
    for subset in &truth.subsets()[range.clone()] {
        let mut sum = vec![0.0f64; tests];
        for &row in subset {
            for (s, &v) in sum.iter_mut().zip(&scores[row * tests..][..tests]) {
                *s += f64::from(v);
            }
        }
        sums.push(sum);
    }
    let mut correlations = Vec::with_capacity(tests);
    for test in 0..tests {
        let predicted: Vec<f64> = sums.iter().map(|sum| sum[test]).collect();
        let helped: Vec<f64> = range.clone().map(|s| -f64::from(truth.loss(s, test))).collect();
        correlations.push(spearman(&predicted, &helped));
    }
    let n = tests as f64;
    let mean = correlations.iter().sum::<f64>() / n;
    let variance = correlations.iter().map(|c| (c - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    Ok(Lds { mean, standard_error: (variance / n).sqrt() })
}

/// Spearman's rank correlation, ties sharing their mean rank; zero where one side is constant.
pub fn spearman(a: &[f64], b: &[f64]) -> f64 {
    let (a, b) = (ranks(a), ranks(b));
    let middle = (a.len() as f64 - 1.0) / 2.0;
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(&b) {
        let (x, y) = (x - middle, y - middle);
        ab += x * y;
        aa += x * x;
        bb += y * y;
    }
    if aa > 0.0 && bb > 0.0 { ab / (aa * bb).sqrt() } else { 0.0 }
}

fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&i, &j| values[i].total_cmp(&values[j]));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    while start < order.len() {
        let mut end = start + 1;
        while end < order.len() && values[order[end]] == values[order[start]] {
            end += 1;
        }
        for &i in &order[start..end] {
            ranks[i] = (start + end - 1) as f64 / 2.0;
        }
        start = end;
    }
    ranks
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn monotone_transforms_leave_the_correlation_as_it_is(
            pairs in proptest::collection::vec((-5.0f64..5.0, -5.0f64..5.0), 3..40),
        ) {
            let (a, b): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
            let stretched: Vec<f64> = a.iter().map(|v| v.exp()).collect();
            let turned: Vec<f64> = b.iter().map(|v| -v).collect();
            prop_assert!((spearman(&a, &b) - spearman(&stretched, &b)).abs() < 1e-12);
            prop_assert!((spearman(&a, &b) + spearman(&a, &turned)).abs() < 1e-12);
            prop_assert!(spearman(&a, &b).abs() <= 1.0 + 1e-12);
        }
    }

    #[test]
    fn ties_share_their_mean_rank() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0, 2.0]), [2.5, 0.0, 2.5, 1.0]);
        // Pearson's correlation of the ranks (0.5, 0.5, 2, 3) and (0, 1, 2, 3), by hand.
        assert!((spearman(&[1.0, 1.0, 2.0, 3.0], &[1.0, 2.0, 3.0, 4.0]) - 0.948_683_298).abs() < 1e-8);
        assert_eq!(spearman(&[1.0, 1.0], &[1.0, 2.0]), 0.0);
    }

    #[test]
    fn scores_that_cause_the_losses_reach_one() {
        // Three rows, two tests; each loss is minus the subset's own sum.
        let scores = [1.0f32, -1.0, 2.0, 5.0, 4.0, 0.5];
        let subsets = vec![vec![0], vec![1], vec![2], vec![0, 1], vec![1, 2]];
        let losses: Vec<f32> = subsets
            .iter()
            .flat_map(|s| (0..2).map(move |t| -s.iter().map(|&i: &usize| scores[i * 2 + t]).sum::<f32>()))
            .collect();
        let truth = Truth::new(3, 2, subsets, losses).unwrap();
        let score = lds(&truth, &scores, 0..5).unwrap();
        assert!((score.mean - 1.0).abs() < 1e-12 && score.standard_error < 1e-9);
        assert!(lds(&truth, &scores[1..], 0..5).is_err());
        assert!(lds(&truth, &scores, 0..6).is_err());
        assert!(lds(&truth, &scores, 4..5).is_err());
    }
}
