//! Wei divided by shares without losing or making one.

use crate::PPM;
use alloy_primitives::{U256, U512};
use thiserror::Error;

/// Why wei cannot be divided by shares.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum DivideError {
    /// The shares exceed the whole.
    #[error("the shares sum to more than 1,000,000 parts per million at index {index}")]
    OverWhole {
        /// The first share that goes over.
        index: usize,
    },
    /// The weights do not fit or are all zero.
    #[error("the weights are all zero, or sum to more than 2^64")]
    BadWeights,
}

/// Divides `total` wei by shares in parts per million, by cumulative floors (see the crate's page).
///
/// The parts sum to `floor(total * sum(ppm) / 1e6)`; the caller owes the rest of `total` as unattributed.
///
/// # Errors
///
/// The shares sum to more than 1,000,000.
pub fn divide_wei(total: U256, ppm: &[u32]) -> Result<Vec<U256>, DivideError> {
    let mut cumulative = 0u64;
    let mut paid = U256::ZERO;
    let mut parts = Vec::with_capacity(ppm.len());
    for (index, share) in ppm.iter().enumerate() {
        cumulative += u64::from(*share);
        if cumulative > u64::from(PPM) {
            return Err(DivideError::OverWhole { index });
        }
        let due = floor_of(total, cumulative, u64::from(PPM));
        parts.push(due - paid);
        paid = due;
    }
    Ok(parts)
}

/// Divides all of `total` wei in proportion to `weights`, by cumulative floors; the last takes what is left.
///
/// # Errors
///
/// No weights, all zero, or a sum above 2^64.
pub fn divide_by_weight(total: U256, weights: &[u64]) -> Result<Vec<U256>, DivideError> {
    let sum = weights
        .iter()
        .try_fold(0u64, |sum, weight| sum.checked_add(*weight))
        .ok_or(DivideError::BadWeights)?;
    if sum == 0 {
        return Err(DivideError::BadWeights);
    }
    let mut cumulative = 0u64;
    let mut paid = U256::ZERO;
    let mut parts = Vec::with_capacity(weights.len());
    for weight in weights {
        cumulative += weight;
        let due = floor_of(total, cumulative, sum);
        parts.push(due - paid);
        paid = due;
    }
    Ok(parts)
}

/// `floor(total * part / whole)` for `part <= whole`, which therefore fits in 256 bits.
fn floor_of(total: U256, part: u64, whole: u64) -> U256 {
    match total.checked_mul(U256::from(part)) {
        Some(product) => product / U256::from(whole),
        None => (total.widening_mul::<256, 4, 512, 8>(U256::from(part)) / U512::from(whole)).wrapping_to(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::largest_remainder;
    use proptest::prelude::*;

    #[test]
    fn one_wei_among_three_goes_to_where_the_floor_steps() {
        let parts = divide_wei(U256::ONE, &[333_334, 333_333, 333_333]).unwrap();
        assert_eq!(parts, [U256::ZERO, U256::ZERO, U256::ONE]);
    }

    #[test]
    fn shares_over_the_whole_are_refused() {
        assert_eq!(divide_wei(U256::MAX, &[PPM, 1]), Err(DivideError::OverWhole { index: 1 }));
        assert_eq!(divide_wei(U256::MAX, &[u32::MAX, u32::MAX]), Err(DivideError::OverWhole { index: 0 }));
        assert_eq!(divide_by_weight(U256::MAX, &[]), Err(DivideError::BadWeights));
        assert_eq!(divide_by_weight(U256::MAX, &[0, 0]), Err(DivideError::BadWeights));
        assert_eq!(divide_by_weight(U256::MAX, &[u64::MAX, 1]), Err(DivideError::BadWeights));
    }

    #[test]
    fn all_of_the_largest_amount_is_divided() {
        assert_eq!(divide_wei(U256::MAX, &[PPM]), Ok(vec![U256::MAX]));
        assert_eq!(divide_by_weight(U256::MAX, &[u64::MAX]), Ok(vec![U256::MAX]));
    }

    fn amount() -> impl Strategy<Value = U256> {
        (any::<[u64; 4]>(), 0..256usize).prop_map(|(limbs, shift)| U256::from_limbs(limbs) >> shift)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn parts_and_rest_sum_to_the_whole(
            total in amount(),
            weights in prop::collection::vec(0..1_000_000u128, 1..400),
            attributed in 0..=PPM,
        ) {
            let Ok(ppm) = largest_remainder(&weights, attributed) else { return Ok(()) };
            let parts = divide_wei(total, &ppm).unwrap();
            let paid = parts.iter().fold(U256::ZERO, |sum, part| sum + part);
            prop_assert_eq!(paid, floor_of(total, u64::from(attributed), u64::from(PPM)));
            prop_assert!(paid <= total);
            for (part, share) in parts.iter().zip(&ppm) {
                let exact = floor_of(total, u64::from(*share), u64::from(PPM));
                prop_assert!(*part == exact || *part == exact + U256::ONE);
            }
        }

        #[test]
        fn weights_divide_everything(total in amount(), weights in prop::collection::vec(0..u64::MAX / 64, 1..64)) {
            if let Ok(parts) = divide_by_weight(total, &weights) {
                prop_assert_eq!(parts.iter().fold(U256::ZERO, |sum, part| sum + part), total);
            }
        }
    }
}
