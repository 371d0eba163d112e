//! An LDS with its interval over both what it averages (test rows) and what it is measured by (subsets).

use std::ops::Range;

use super::{lds::spearman, task::Truth};
use crate::{draw::Draw, error::AttributionError, gaming::Estimate};

const RESAMPLES: usize = 400;

/// The LDS of row-major scores `[train, test]` on some subsets, with a 95 % interval: test rows and
/// subsets are both drawn anew in every resample.
pub fn lds_interval(
    truth: &Truth,
    scores: &[f32],
    subsets: Range<usize>,
    seed: u64,
) -> Result<Estimate, AttributionError> {
    let (rows, tests) = (truth.rows(), truth.tests());
    if scores.len() != rows * tests || subsets.end > truth.subsets().len() || subsets.len() < 2 {
        return Err(AttributionError::Invalid("scores or subsets do not fit the truth".into()));
    }
    // [test][subset]: what is predicted and what happened.
    let mut pairs: Vec<Vec<(f64, f64)>> = vec![Vec::with_capacity(subsets.len()); tests];
    for subset in subsets {
        let mut sums = vec![0.0f64; tests];
        for &row in &truth.subsets()[subset] {
            for (sum, &score) in sums.iter_mut().zip(&scores[row * tests..][..tests]) {
                *sum += f64::from(score);
            }
        }
        for (test, sum) in sums.into_iter().enumerate() {
            pairs[test].push((sum, -f64::from(truth.loss(subset, test))));
        }
    }
    let count = pairs[0].len();
    let correlation = |test: &[(f64, f64)], drawn: &[usize]| {
        let (a, b): (Vec<f64>, Vec<f64>) = drawn.iter().map(|&at| test[at]).unzip();
        spearman(&a, &b)
    };
    let all: Vec<usize> = (0..count).collect();
    let value = pairs.iter().map(|test| correlation(test, &all)).sum::<f64>() / tests as f64;
    let mut draw = Draw::new(seed);
    let mut values: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let drawn: Vec<usize> = (0..count).map(|_| draw.below(count)).collect();
            let total: f64 = (0..tests).map(|_| correlation(&pairs[draw.below(tests)], &drawn)).sum();
            total / tests as f64
        })
        .collect();
    values.sort_by(f64::total_cmp);
    let at = |quantile: f64| values[((RESAMPLES - 1) as f64 * quantile).round() as usize];
    Ok(Estimate { value, low: at(0.025), high: at(0.975) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retraining::lds;

    #[test]
    fn estimate_is_the_lds_and_lies_in_its_interval() {
        let mut draw = Draw::new(4);
        let (rows, tests, count) = (40, 12, 30);
        let scores: Vec<f32> = (0..rows * tests).map(|_| draw.normal() as f32).collect();
        let subsets: Vec<Vec<usize>> = (0..count).map(|_| draw.sample(rows, rows / 2)).collect();
        let mut losses = vec![];
        for subset in &subsets {
            for test in 0..tests {
                let sum: f32 = subset.iter().map(|&row| scores[row * tests + test]).sum();
                losses.push(-sum + 4.0 * draw.normal() as f32);
            }
        }
        let truth = Truth::new(rows, tests, subsets, losses).unwrap();
        let found = lds_interval(&truth, &scores, 0..count, 0).unwrap();
        assert!((found.value - lds(&truth, &scores, 0..count).unwrap().mean).abs() < 1e-12);
        assert!(found.low < found.value && found.value < found.high + 0.05, "{found:?}");
        assert!(found.value > 0.3 && found.high - found.low < 0.5);
        assert!(lds_interval(&truth, &scores, 0..count + 1, 0).is_err());
    }
}
