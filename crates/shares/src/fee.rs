//! What an answer costs, and who earns which part.

use alloy_primitives::U256;

/// The whole of a split, in basis points.
pub const BPS: u32 = 10_000;

/// A model's price, in wei.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Price {
    /// For each token of the prompt.
    pub per_token_in_wei: u128,
    /// For each token of the answer.
    pub per_token_out_wei: u128,
    /// For each answer, to the platform.
    pub platform_fee_wei: u128,
}

/// How the fee less the platform fee splits, in basis points that sum to [`BPS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// To the platform.
    pub platform_bps: u16,
    /// To the model's owner.
    pub model_bps: u16,
    /// To the stakers behind the answer.
    pub stakers_bps: u16,
    /// To the contributors of the data.
    pub contributors_bps: u16,
}

impl Split {
    /// The sum of the parts; a valid split has exactly [`BPS`].
    pub fn sum(&self) -> u32 {
        u32::from(self.platform_bps)
            + u32::from(self.model_bps)
            + u32::from(self.stakers_bps)
            + u32::from(self.contributors_bps)
    }
}

/// A fee's parts, in wei; they sum to exactly the fee.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeeParts {
    /// The platform fee and the platform's part of the rest.
    pub platform_wei: U256,
    /// The model owner's.
    pub model_wei: U256,
    /// The stakers'.
    pub stakers_wei: U256,
    /// The contributors', unattributed part included.
    pub contributors_wei: U256,
}

/// `tokens_in * rate + tokens_out * rate + platform fee`. At most 2^161, so it cannot overflow.
pub fn fee_wei(price: &Price, tokens_in: u32, tokens_out: u32) -> U256 {
    U256::from(price.per_token_in_wei) * U256::from(tokens_in)
        + U256::from(price.per_token_out_wei) * U256::from(tokens_out)
        + U256::from(price.platform_fee_wei)
}

/// Splits a fee: the platform fee first, then the rest by basis points, each part rounded down; the contributors take
/// what is left. `None` when the split does not sum to [`BPS`] or the fee is below the platform fee.
pub fn split_fee(price: &Price, split: &Split, fee: U256) -> Option<FeeParts> {
    let platform_fee = U256::from(price.platform_fee_wei);
    let shared = fee.checked_sub(platform_fee)?;
    if split.sum() != BPS {
        return None;
    }
    // Dividing first keeps the product in range: shared = quotient * 10,000 + remainder.
    let (quotient, remainder) = shared.div_rem(U256::from(BPS));
    let part = |bps: u16| quotient * U256::from(bps) + remainder * U256::from(bps) / U256::from(BPS);
    let (platform, model, stakers) =
        (part(split.platform_bps), part(split.model_bps), part(split.stakers_bps));
    Some(FeeParts {
        platform_wei: platform_fee + platform,
        model_wei: model,
        stakers_wei: stakers,
        contributors_wei: shared - platform - model - stakers,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn largest_price_and_answer_do_not_overflow() {
        let price =
            Price { per_token_in_wei: u128::MAX, per_token_out_wei: u128::MAX, platform_fee_wei: u128::MAX };
        let fee = fee_wei(&price, u32::MAX, u32::MAX);
        assert_eq!(fee, U256::from(u128::MAX) * U256::from(2 * u64::from(u32::MAX) + 1));
    }

    #[test]
    fn split_that_is_not_whole_is_refused() {
        let split = Split { platform_bps: 1, model_bps: 2, stakers_bps: 3, contributors_bps: 4 };
        assert_eq!(split_fee(&Price::default(), &split, U256::from(9)), None);
        let price = Price { platform_fee_wei: 2, ..Price::default() };
        let whole = Split { contributors_bps: 10_000, ..Split::default() };
        assert_eq!(split_fee(&price, &whole, U256::ONE), None);
        assert!(split_fee(&price, &whole, U256::from(2)).is_some());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn parts_sum_to_the_fee(
            cuts in [0..=10_000u16, 0..=10_000, 0..=10_000],
            rates in any::<[u128; 3]>(),
            shift in 0..128u32,
            tokens in any::<(u32, u32)>(),
        ) {
            let mut cuts = cuts;
            cuts.sort_unstable();
            let split = Split {
                platform_bps: cuts[0],
                model_bps: cuts[1] - cuts[0],
                stakers_bps: cuts[2] - cuts[1],
                contributors_bps: 10_000 - cuts[2],
            };
            let price = Price {
                per_token_in_wei: rates[0] >> shift,
                per_token_out_wei: rates[1] >> shift,
                platform_fee_wei: rates[2] >> shift,
            };
            let fee = fee_wei(&price, tokens.0, tokens.1);
            let parts = split_fee(&price, &split, fee).unwrap();
            let sum = parts.platform_wei + parts.model_wei + parts.stakers_wei + parts.contributors_wei;
            prop_assert_eq!(sum, fee);
            let shared = fee - U256::from(price.platform_fee_wei);
            prop_assert_eq!(parts.model_wei, shared * U256::from(split.model_bps) / U256::from(BPS));
            prop_assert!(parts.contributors_wei >= shared * U256::from(split.contributors_bps) / U256::from(BPS));
        }
    }
}
