//! Intervals by the percentile bootstrap.

use crate::draw::Draw;

const RESAMPLES: usize = 4000;

/// An estimate with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// On all that was measured.
    pub value: f64,
    /// 2.5th percentile of the resamples.
    pub low: f64,
    /// 97.5th percentile.
    pub high: f64,
}

/// Bootstraps a statistic of paired measurements; pairs are drawn together. Source: Efron and
/// Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13.
pub fn bootstrap<T: Copy>(measured: &[T], seed: u64, statistic: impl Fn(&[T]) -> f64) -> Estimate {
    let value = statistic(measured);
    let mut draw = Draw::new(seed);
    let mut drawn = Vec::with_capacity(measured.len());
    let mut values: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            drawn.clear();
            drawn.extend((0..measured.len()).map(|_| measured[draw.below(measured.len())]));
            statistic(&drawn)
        })
        .collect();
    values.sort_by(f64::total_cmp);
    let at = |quantile: f64| values[((RESAMPLES - 1) as f64 * quantile).round() as usize];
    Estimate { value, low: at(0.025), high: at(0.975) }
}

/// Sum of the first of each pair over the sum of the second; one where nothing was earned either way.
pub fn ratio(pairs: &[(f64, f64)]) -> f64 {
    let (with, without) = pairs.iter().fold((0.0, 0.0), |sum, pair| (sum.0 + pair.0, sum.1 + pair.1));
    if without > 0.0 {
        with / without
    } else if with > 0.0 {
        f64::INFINITY
    } else {
        1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interval_of_a_mean_has_its_known_width() {
        let mut draw = Draw::new(3);
        let measured: Vec<f64> = (0..400).map(|_| draw.normal()).collect();
        let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
        let found = bootstrap(&measured, 1, mean);
        assert!(found.low < found.value && found.value < found.high);
        // 2 · 1.96 / √400
        assert!(((found.high - found.low) / 0.196 - 1.0).abs() < 0.15, "{found:?}");
        assert_eq!(found, bootstrap(&measured, 1, mean));
    }

    #[test]
    fn ratio_of_nothing_to_nothing_is_no_gain() {
        assert_eq!(ratio(&[(0.0, 0.0)]), 1.0);
        assert_eq!(ratio(&[(2.0, 1.0), (0.0, 3.0)]), 0.5);
        assert_eq!(ratio(&[(1.0, 0.0)]), f64::INFINITY);
    }
}
