//! How long an answer the escrow pays for.

use crate::AttributorError;
use alloy_primitives::U256;
use openledger_abi::IAttribution;
use openledger_shares::fee_wei;

/// What the escrow allows.
pub(super) struct Limits {
    price: openledger_shares::Price,
    max_fee_wei: U256,
    max_answer_tokens: usize,
}

impl Limits {
    pub(super) fn of(price: &IAttribution::Price, max_fee_wei: U256, max_answer_tokens: usize) -> Self {
        let price = openledger_shares::Price {
            per_token_in_wei: price.perTokenIn,
            per_token_out_wei: price.perTokenOut,
            platform_fee_wei: price.platformFee,
        };
        Self { price, max_fee_wei, max_answer_tokens }
    }

    /// How many tokens of answer the maximum fee pays for after this many of prompt.
    pub(super) fn answer_tokens(&self, tokens_in: u32) -> Result<usize, AttributorError> {
        let (mut low, mut high) = (0, self.max_answer_tokens);
        while low < high {
            let middle = (low + high).div_ceil(2);
            let tokens = u32::try_from(middle).unwrap_or(u32::MAX);
            if fee_wei(&self.price, tokens_in, tokens) <= self.max_fee_wei {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        if low == 0 {
            let reason =
                format!("the escrow does not pay for the prompt's {tokens_in} tokens and one of answer");
            return Err(AttributorError::Invalid(reason));
        }
        Ok(low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(max_fee_wei: u64) -> Limits {
        let price = IAttribution::Price { perTokenIn: 5, perTokenOut: 20, platformFee: 100 };
        Limits::of(&price, U256::from(max_fee_wei), 48)
    }

    #[test]
    fn answer_is_as_long_as_the_escrow_pays_for_and_never_longer() {
        for max_fee in 0..1_300 {
            let limits = limits(max_fee);
            let Ok(tokens) = limits.answer_tokens(10) else {
                assert!(fee_wei(&limits.price, 10, 1) > limits.max_fee_wei, "{max_fee} pays for a token");
                continue;
            };
            let fee = |tokens: usize| fee_wei(&limits.price, 10, tokens as u32);
            assert!((1..=48).contains(&tokens) && fee(tokens) <= limits.max_fee_wei);
            assert!(tokens == 48 || fee(tokens + 1) > limits.max_fee_wei, "{max_fee} pays for more");
        }
        assert_eq!(limits(u64::MAX).answer_tokens(10).unwrap(), 48);
        assert!(limits(u64::MAX).answer_tokens(u32::MAX).is_ok());
        let refused = limits(100).answer_tokens(10).unwrap_err();
        assert!(!refused.is_retryable() && refused.to_string().contains("10 tokens"), "{refused}");
    }
}
