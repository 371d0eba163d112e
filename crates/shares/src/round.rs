//! Largest-remainder rounding: weights to whole parts that sum to exactly the total.

use thiserror::Error;

/// Integer weights are brought to this many bits, so that `weight * total` fits in 128.
const WEIGHT_BITS: u32 = 64;

/// Why weights cannot be rounded to shares.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum RoundError {
    /// A weight is not a number, infinite or negative.
    #[error("weight {index} is not a finite number of at least zero: clip negative influence to zero first")]
    BadWeight {
        /// Its place.
        index: usize,
    },
    /// There is nothing to share by, yet something to share.
    #[error("no weight is above zero, so nothing can be shared out: report the whole as unattributed")]
    NoWeight,
    /// The weights' sum does not fit.
    #[error("the weights sum to more than 2^128: scale them down")]
    TooLarge,
}

/// Rounds floating-point weights to parts per million that sum to exactly `total_ppm`.
///
/// Each weight is first taken relative to the largest and rounded to a 53-bit integer (weights below 2^-53 of the largest
/// count as zero); from there on the arithmetic is whole numbers. `total_ppm == 0` gives zeros.
///
/// # Errors
///
/// A weight that is NaN, infinite or negative; no weight above zero while `total_ppm` is.
pub fn largest_remainder_ppm(weights: &[f64], total_ppm: u32) -> Result<Vec<u32>, RoundError> {
    if let Some(index) = weights.iter().position(|weight| !weight.is_finite() || *weight < 0.0) {
        return Err(RoundError::BadWeight { index });
    }
    let largest = weights.iter().copied().fold(0.0f64, f64::max);
    if largest == 0.0 {
        return largest_remainder(&vec![0; weights.len()], total_ppm);
    }
    // Both are powers of two apart from one division, which IEEE 754 rounds the same everywhere. Subnormal weights
    // are exact too: a quotient of two finite doubles that is at most 1 cannot overflow.
    let scale = (1u64 << 53) as f64;
    let whole: Vec<u128> = weights.iter().map(|weight| (weight / largest * scale).round() as u128).collect();
    largest_remainder(&whole, total_ppm)
}

/// Rounds integer weights to parts that sum to exactly `total`, by largest remainder, ties to the earlier.
///
/// # Errors
///
/// [`RoundError::TooLarge`] when the sum exceeds `u128`; [`RoundError::NoWeight`] when all are zero and `total` is not.
pub fn largest_remainder(weights: &[u128], total: u32) -> Result<Vec<u32>, RoundError> {
    if total == 0 {
        return Ok(vec![0; weights.len()]);
    }
    let sum =
        weights.iter().try_fold(0u128, |sum, weight| sum.checked_add(*weight)).ok_or(RoundError::TooLarge)?;
    if sum == 0 {
        return Err(RoundError::NoWeight);
    }
    // Dropping the same low bits of every weight keeps the products within 128 bits.
    let excess = (u128::BITS - sum.leading_zeros()).saturating_sub(WEIGHT_BITS);
    let scaled: Vec<u128> = weights.iter().map(|weight| weight >> excess).collect();
    let sum: u128 = scaled.iter().sum();
    let mut parts = Vec::with_capacity(weights.len());
    let mut remainders = Vec::with_capacity(weights.len());
    let mut given = 0u32;
    for (index, weight) in scaled.iter().enumerate() {
        let product = weight * u128::from(total);
        // At most `total`, because no weight exceeds the sum.
        let part = (product / sum) as u32;
        given += part;
        parts.push(part);
        remainders.push((product % sum, index));
    }
    // The remainders sum to `left * sum` and each is below `sum`: more than `left` of them are above zero, or none is.
    let left = (total - given) as usize;
    remainders.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    for (_, index) in remainders.into_iter().take(left) {
        parts[index] += 1;
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PPM;
    use proptest::prelude::*;

    #[test]
    fn weights_that_are_no_weights_are_refused() {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, -f64::MIN_POSITIVE] {
            assert_eq!(largest_remainder_ppm(&[1.0, bad], PPM), Err(RoundError::BadWeight { index: 1 }));
        }
        assert_eq!(largest_remainder_ppm(&[0.0, -0.0], PPM), Err(RoundError::NoWeight));
        assert_eq!(largest_remainder_ppm(&[], PPM), Err(RoundError::NoWeight));
        assert_eq!(largest_remainder(&[u128::MAX, 1], PPM), Err(RoundError::TooLarge));
    }

    #[test]
    fn nothing_to_share_is_zeros() {
        assert_eq!(largest_remainder_ppm(&[0.0, 3.0], 0), Ok(vec![0, 0]));
        assert_eq!(largest_remainder_ppm(&[], 0), Ok(vec![]));
    }

    #[test]
    fn thirds_give_the_odd_unit_to_the_earlier() {
        assert_eq!(largest_remainder_ppm(&[1.0, 1.0, 1.0], PPM), Ok(vec![333_334, 333_333, 333_333]));
        assert_eq!(largest_remainder(&[1, 1, 1], 2), Ok(vec![1, 1, 0]));
    }

    #[test]
    fn extremes_of_a_double_do_not_overflow() {
        assert_eq!(largest_remainder_ppm(&[f64::MAX, f64::MAX], PPM), Ok(vec![500_000, 500_000]));
        assert_eq!(largest_remainder_ppm(&[f64::MIN_POSITIVE, f64::MAX], PPM), Ok(vec![0, PPM]));
        let tiny = f64::from_bits(1);
        assert_eq!(largest_remainder_ppm(&[tiny, tiny, tiny, tiny], PPM), Ok(vec![250_000; 4]));
    }

    fn check(weights: &[u128], total: u32) {
        let Ok(parts) = largest_remainder(weights, total) else {
            assert!(weights.iter().all(|weight| *weight == 0));
            return;
        };
        assert_eq!(parts.iter().map(|part| u64::from(*part)).sum::<u64>(), u64::from(total));
        let sum: u128 = weights.iter().sum();
        for (part, weight) in parts.iter().zip(weights) {
            assert!(*weight > 0 || *part == 0, "a weight of zero got {part}");
            if sum < 1 << 64 {
                let floor = (weight * u128::from(total) / sum) as u32;
                assert!(*part == floor || *part == floor + 1, "{part} is not next to {floor}");
            }
        }
        for (a, b) in parts.iter().zip(weights).zip(parts.iter().zip(weights).skip(1)) {
            assert!(a.1 <= b.1 || a.0 >= b.0 || sum >= 1 << 64, "a larger weight got less");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        // Each case checks hundreds of weights, so that a run covers over a million of them.
        #[test]
        fn parts_sum_exactly_and_lie_next_to_their_share(
            weights in prop::collection::vec(any::<u64>().prop_map(|w| u128::from(w >> (w % 64)) >> 10), 1..600),
            total in 0..=PPM,
        ) {
            check(&weights, total);
        }

        #[test]
        fn wide_weights_sum_exactly(weights in prop::collection::vec(0..u128::MAX / 600, 1..500), total in 0..=PPM) {
            check(&weights, total);
        }

        #[test]
        fn float_weights_sum_exactly(weights in prop::collection::vec(any::<f64>(), 1..300), total in 0..=PPM) {
            let clipped: Vec<f64> = weights.iter().map(|w| if w.is_finite() { w.abs() } else { 0.0 }).collect();
            match largest_remainder_ppm(&clipped, total) {
                Ok(parts) => prop_assert_eq!(parts.iter().map(|p| u64::from(*p)).sum::<u64>(), u64::from(total)),
                Err(error) => {
                    prop_assert_eq!(error, RoundError::NoWeight);
                    prop_assert!(clipped.iter().all(|w| *w == 0.0));
                }
            }
        }

        #[test]
        fn any_bits_give_parts_or_an_error(bits in prop::collection::vec(any::<u64>(), 0..200)) {
            let weights: Vec<f64> = bits.into_iter().map(f64::from_bits).collect();
            if let Ok(parts) = largest_remainder_ppm(&weights, PPM) {
                prop_assert_eq!(parts.iter().sum::<u32>(), PPM);
            }
        }
    }
}
