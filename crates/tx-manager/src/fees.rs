//! Fee suggestion and replacement: pure arithmetic.

/// What a transaction offers, wei a gas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fees {
    /// Priority fee.
    pub tip: u128,
    /// Most paid in all.
    pub max_fee: u128,
    /// Most paid for blob gas.
    pub blob_fee: u128,
}

/// Bounds on what is offered, wei a gas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeeLimits {
    /// Lowest priority fee.
    pub min_tip: u128,
    /// Highest total fee.
    pub max_fee: u128,
    /// Highest blob fee.
    pub max_blob_fee: u128,
}

impl Default for FeeLimits {
    fn default() -> Self {
        const GWEI: u128 = 1_000_000_000;
        Self { min_tip: GWEI, max_fee: 1_000 * GWEI, max_blob_fee: 1_000 * GWEI }
    }
}

impl Fees {
    /// A first offer that stays valid while base fees double.
    pub fn suggest(base_fee: u128, blob_base_fee: u128, tip: u128, limits: &FeeLimits) -> Self {
        let tip = tip.max(limits.min_tip);
        Self {
            tip,
            max_fee: base_fee.saturating_mul(2).saturating_add(tip),
            blob_fee: blob_base_fee.max(1).saturating_mul(2),
        }
        .within(limits)
    }

    /// The offer that replaces `self`: at least the pools' minimum bump, and at least today's suggestion.
    ///
    /// `None` when the limits leave no room for a bump that pools would accept.
    pub fn bumped(self, today: Self, with_blobs: bool, limits: &FeeLimits) -> Option<Self> {
        let percent = if with_blobs { 100 } else { 10 };
        // Divided first, so that no fee is large enough to overflow into a smaller bump.
        let share = |fee: u128| (fee / 100) * percent + ((fee % 100) * percent).div_ceil(100);
        let bump = |fee: u128| fee.saturating_add(share(fee).max(1));
        let needed = Self { tip: bump(self.tip), max_fee: bump(self.max_fee), blob_fee: bump(self.blob_fee) };
        let next = Self {
            tip: needed.tip.max(today.tip),
            max_fee: needed.max_fee.max(today.max_fee),
            blob_fee: if with_blobs { needed.blob_fee.max(today.blob_fee) } else { today.blob_fee },
        }
        .within(limits);
        let accepted = next.tip >= needed.tip
            && next.max_fee >= needed.max_fee
            && (!with_blobs || next.blob_fee >= needed.blob_fee);
        accepted.then_some(next)
    }

    fn within(self, limits: &FeeLimits) -> Self {
        let max_fee = self.max_fee.min(limits.max_fee);
        Self { tip: self.tip.min(max_fee), max_fee, blob_fee: self.blob_fee.min(limits.max_blob_fee) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fees() -> impl Strategy<Value = Fees> {
        (1..u128::MAX, 1..u128::MAX, 1..u128::MAX).prop_map(|(tip, max_fee, blob_fee)| Fees {
            tip: tip.min(max_fee),
            max_fee,
            blob_fee,
        })
    }

    fn limits() -> impl Strategy<Value = FeeLimits> {
        (1..1u128 << 40, 1..u128::MAX, 1..u128::MAX).prop_map(|(min_tip, max_fee, max_blob_fee)| FeeLimits {
            min_tip,
            max_fee,
            max_blob_fee,
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn suggestion_keeps_the_limits_and_the_tip_below_the_total(
            base in 0..u128::MAX, blob in 0..u128::MAX, tip in 0..u128::MAX, limits in limits()
        ) {
            let fees = Fees::suggest(base, blob, tip, &limits);
            prop_assert!(fees.max_fee <= limits.max_fee && fees.blob_fee <= limits.max_blob_fee);
            prop_assert!(fees.tip <= fees.max_fee);
        }

        #[test]
        fn replacement_is_one_that_pools_accept_or_none(
            old in fees(), today in fees(), blobs: bool, limits in limits()
        ) {
            if let Some(next) = old.bumped(today, blobs, &limits) {
                let percent = if blobs { 100 } else { 10 };
                let enough = |next: u128, old: u128| next.checked_sub(old).is_some_and(
                    |more| more >= old / 100 * percent);
                prop_assert!(enough(next.tip, old.tip) && enough(next.max_fee, old.max_fee));
                prop_assert!(!blobs || enough(next.blob_fee, old.blob_fee));
                prop_assert!(next.max_fee <= limits.max_fee && next.tip <= next.max_fee);
            }
        }
    }

    #[test]
    fn bumping_ends_at_the_limits() {
        let limits = FeeLimits { min_tip: 1, max_fee: 1_000_000, max_blob_fee: 1_000_000 };
        let mut fees = Fees::suggest(100, 1, 1, &limits);
        let mut bumps = 0;
        while let Some(next) = fees.bumped(fees, true, &limits) {
            fees = next;
            bumps += 1;
        }
        assert!((10..20).contains(&bumps), "{bumps}");
    }
}
