//! Both lenses together.
//!
//! **Rule.** What the gradients gave stays. Of what they left unattributed, each row takes the part of the
//! answer that it is quoted for: `merged = gradient + ⌊rest · quoted / 1,000,000⌋`. What is neither stays
//! unattributed. So a quote pays nobody at another's cost, and a row that influenced the answer and is
//! quoted too is paid for both.

use serde::Serialize;

use crate::SpansError;

/// The whole, in parts per million.
pub const PPM: u32 = 1_000_000;

/// A row's parts of an answer, by either lens and together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct MergedShare {
    /// The row.
    pub row: usize,
    /// By the influence of its gradient.
    pub gradient_ppm: u32,
    /// Words of the answer quoted from it.
    pub quoted_ppm: u32,
    /// Its part by the rule.
    pub merged_ppm: u32,
}

/// An answer divided by both lenses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Merged {
    /// Rows that either lens sees, ascending.
    pub shares: Vec<MergedShare>,
    /// What the gradients alone left unattributed.
    pub gradient_rest_ppm: u32,
    /// What is quoted from no row.
    pub unquoted_ppm: u32,
    /// What stays unattributed.
    pub rest_ppm: u32,
}

/// Merges shares by gradient and by quotes, each a list of (row, ppm) without repetition.
pub fn merge(gradient: &[(usize, u32)], quoted: &[(usize, u32)]) -> Result<Merged, SpansError> {
    let rest = |shares: &[(usize, u32)], what: &str| {
        let mut rows: Vec<usize> = shares.iter().map(|share| share.0).collect();
        rows.sort_unstable();
        let repeated = rows.windows(2).any(|pair| pair[0] == pair[1]);
        let left = shares.iter().try_fold(PPM, |left, share| left.checked_sub(share.1));
        left.filter(|_| !repeated)
            .ok_or_else(|| SpansError::Invalid(format!("{what} shares exceed a million or name a row twice")))
    };
    let gradient_rest_ppm = rest(gradient, "gradient")?;
    let unquoted_ppm = rest(quoted, "quoted")?;
    let mut shares: Vec<MergedShare> = gradient
        .iter()
        .map(|&(row, ppm)| MergedShare { row, gradient_ppm: ppm, quoted_ppm: 0, merged_ppm: ppm })
        .collect();
    shares.sort_unstable_by_key(|share| share.row);
    for &(row, quoted_ppm) in quoted {
        let added_ppm = (u64::from(gradient_rest_ppm) * u64::from(quoted_ppm) / u64::from(PPM)) as u32;
        let at = match shares.binary_search_by_key(&row, |share| share.row) {
            Ok(at) => at,
            Err(at) => {
                shares.insert(at, MergedShare { row, gradient_ppm: 0, quoted_ppm: 0, merged_ppm: 0 });
                at
            }
        };
        shares[at].quoted_ppm = quoted_ppm;
        shares[at].merged_ppm += added_ppm;
    }
    let rest_ppm = PPM - shares.iter().map(|share| share.merged_ppm).sum::<u32>();
    Ok(Merged { shares, gradient_rest_ppm, unquoted_ppm, rest_ppm })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn merging_lowers_no_share_and_sums_to_a_million(
            gradient in proptest::collection::btree_map(0usize..9, 0u32..110_000, 0..9),
            quoted in proptest::collection::btree_map(0usize..9, 0u32..110_000, 0..9),
        ) {
            let list = |map: &std::collections::BTreeMap<usize, u32>| -> Vec<(usize, u32)> {
                map.iter().map(|(&row, &ppm)| (row, ppm)).collect()
            };
            let merged = merge(&list(&gradient), &list(&quoted)).unwrap();
            prop_assert_eq!(merged.shares.iter().map(|s| s.merged_ppm).sum::<u32>() + merged.rest_ppm, PPM);
            for share in &merged.shares {
                prop_assert_eq!(share.gradient_ppm, gradient.get(&share.row).copied().unwrap_or(0));
                prop_assert!(share.merged_ppm >= share.gradient_ppm);
                prop_assert!(share.quoted_ppm > 0 || share.merged_ppm == share.gradient_ppm);
            }
        }
    }

    #[test]
    fn quotes_take_their_part_of_the_unattributed_rest() {
        let merged = merge(&[(4, 400_000)], &[(4, 500_000), (2, 250_000)]).unwrap();
        let parts: Vec<(usize, u32)> = merged.shares.iter().map(|s| (s.row, s.merged_ppm)).collect();
        assert_eq!(parts, [(2, 150_000), (4, 700_000)]);
        assert_eq!(
            (merged.gradient_rest_ppm, merged.unquoted_ppm, merged.rest_ppm),
            (600_000, 250_000, 150_000)
        );
    }

    #[test]
    fn shares_over_a_million_or_named_twice_are_refused() {
        assert!(merge(&[(0, 600_000), (1, 600_000)], &[]).is_err());
        assert!(merge(&[(0, 1), (0, 1)], &[]).is_err());
    }
}
