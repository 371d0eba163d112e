//! Inline shares: judged, packed into as few slots as they fit, and divided.

use super::layout::*;
use super::models::Dataset;
use crate::datanets::{copied_in, earners_of, layout as datanets, unknown_contribution};
use crate::frame::{Failure, Frame, Result, entry, revert};
use alloy_primitives::aliases::U40;
use alloy_primitives::{B256, U256};
use openledger_abi::ATTRIBUTION;
use openledger_abi::IAttribution::*;
use openledger_shares::{PPM, divide_wei};

/// The rules that shares keep whatever the state; gives their sum.
pub(super) fn check_shares(shares: &[ClusterShare]) -> Result<u64> {
    let given = shares.len();
    if given > MAX_INLINE_SHARES {
        revert!(TooManyShares { maximum: U256::from(MAX_INLINE_SHARES), given: U256::from(given) });
    }
    let (mut sum, mut previous) = (0, None);
    for (index, share) in shares.iter().enumerate() {
        if share.ppm == 0 {
            revert!(ZeroShare { index: U256::from(index) });
        }
        let place = (share.contribution, share.row);
        if previous.is_some_and(|previous| place <= previous) {
            revert!(SharesNotAscending { index: U256::from(index) });
        }
        previous = Some(place);
        sum += u64::from(share.ppm);
    }
    Ok(sum)
}

/// Whether a contribution is in one of the datasets.
pub(super) fn is_member(earner: &datanets::Earner, datasets: &[Dataset]) -> bool {
    let datanet: u64 = earner.datanet.to();
    let mut datasets = datasets.iter();
    datasets
        .any(|dataset| dataset.datanet == datanet && (1..=dataset.version).contains(&earner.since_version))
}

/// That shares name rows of a model's datasets; `payable` also that the rows are there and canonical. Gives the earner
/// of each contribution once, ascending.
pub(super) fn check_rows(
    frame: &mut Frame<'_>,
    model: u64,
    datasets: &[Dataset],
    shares: &[ClusterShare],
    payable: bool,
) -> Result<Vec<(u64, datanets::Earner)>> {
    // Shares ascend: those of one contribution follow each other.
    let contributions = shares.chunk_by(|a, b| a.contribution == b.contribution).filter_map(<[_]>::first);
    let mut found = earners_of(frame, contributions.map(|share| share.contribution))?.into_iter();
    let mut earners: Vec<(u64, datanets::Earner)> = Vec::with_capacity(found.len());
    for share in shares {
        let &ClusterShare { contribution, row, .. } = share;
        let earner = match earners.last() {
            Some((last, earner)) if *last == contribution => *earner,
            _ => {
                let Some(earner) = found.next().filter(|earner| !earner.rows.is_zero()) else {
                    return unknown_contribution(contribution);
                };
                earners.push((contribution, earner));
                earner
            }
        };
        if !is_member(&earner, datasets) {
            revert!(NotInModel { contribution, model });
        }
        if row >= earner.rows.to::<u32>() {
            revert!(RowOutOfRange { contribution, row });
        }
        if payable && earner.flags & datanets::ERASED != 0 {
            revert!(Erased { contribution });
        }
        if payable && earner.flags & datanets::HAS_COPIES != 0 && copied_in(frame, contribution, row)? != 0 {
            revert!(NotCanonical { contribution, row });
        }
    }
    Ok(earners)
}

/// The amount of each share.
pub(super) fn divide(contributors: U256, shares: &[ClusterShare]) -> Result<Vec<U256>> {
    let ppm: Vec<u32> = shares.iter().map(|share| share.ppm).collect();
    divide_wei(contributors, &ppm).map_err(|_| Failure::because("shares above the whole"))
}

/// What the first shares of `ppm` in all get of the contributors' part: a share gets what it adds to this.
pub(super) fn upto(contributors: U256, ppm: u64) -> U256 {
    // Amounts are below 2^112: the product cannot overflow.
    contributors.saturating_mul(U256::from(ppm)) / U256::from(PPM)
}

/// The sum of the amounts of each contribution, ascending.
pub(super) fn by_contribution(shares: &[ClusterShare], amounts: &[U256]) -> Vec<(u64, U256)> {
    let mut sums: Vec<(u64, U256)> = Vec::new();
    for (share, amount) in shares.iter().zip(amounts) {
        match sums.last_mut() {
            Some((last, sum)) if *last == share.contribution => *sum = sum.saturating_add(*amount),
            _ => sums.push((share.contribution, *amount)),
        }
    }
    sums
}

/// How many bits each field of a packed share has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Widths {
    base: u64,
    contribution: u8,
    row: u8,
    ppm: u8,
}

/// Bits `from` to `from + width` of a word; at most 64, and none beyond its end.
fn field(word: U256, from: usize, width: u8) -> u64 {
    let limbs = word.as_limbs();
    let limb = |index: usize| u128::from(limbs.get(index).copied().unwrap_or_default());
    let pair = limb(from / 64) | limb(from / 64 + 1) << 64;
    let mask = u64::MAX.checked_shr(u32::from(64 - width.min(64))).unwrap_or_default();
    (pair >> (from % 64)) as u64 & mask
}

const fn bits(value: u64) -> u8 {
    (u64::BITS - value.leading_zeros()) as u8
}

impl Widths {
    pub(super) fn of(shares: &[ClusterShare]) -> Self {
        let base = shares.first().map_or(0, |share| share.contribution);
        let widest = |value: fn(&ClusterShare, u64) -> u64| {
            shares.iter().map(|share| bits(value(share, base))).max().unwrap_or_default()
        };
        Self {
            base,
            contribution: widest(|share, base| share.contribution.saturating_sub(base)),
            row: widest(|share, _| share.row.into()),
            ppm: widest(|share, _| share.ppm.into()),
        }
    }

    pub(super) fn write(self, record: &mut ReceiptHead) {
        record.base = U40::saturating_from(self.base);
        record.contribution_bits = self.contribution;
        record.row_bits = self.row;
        record.ppm_bits = self.ppm;
    }

    fn read(record: &ReceiptHead) -> Self {
        Self {
            base: record.base.wrapping_to(),
            contribution: record.contribution_bits,
            row: record.row_bits,
            ppm: record.ppm_bits,
        }
    }

    /// Bits of a share; at least one, as no share is zero.
    fn share(self) -> usize {
        usize::from(self.contribution) + usize::from(self.row) + usize::from(self.ppm.max(1))
    }

    fn per_word(self) -> usize {
        (256 / self.share()).max(1)
    }

    fn pack(self, share: &ClusterShare) -> U256 {
        let (row_at, ppm_at) =
            (usize::from(self.contribution), usize::from(self.contribution) + usize::from(self.row));
        U256::from(share.contribution.saturating_sub(self.base))
            | U256::from(share.row) << row_at
            | U256::from(share.ppm) << ppm_at
    }

    /// The share that begins at a bit of a word.
    fn unpack(self, word: U256, from: usize) -> ClusterShare {
        let row_at = from + usize::from(self.contribution);
        let ppm_at = row_at + usize::from(self.row);
        ClusterShare {
            contribution: self.base.saturating_add(field(word, from, self.contribution)),
            row: field(word, row_at, self.row) as u32,
            ppm: field(word, ppm_at, self.ppm) as u32,
        }
    }
}

/// Stores a receipt's shares.
pub(super) fn store_shares(
    frame: &mut Frame<'_>,
    request: B256,
    widths: Widths,
    shares: &[ClusterShare],
) -> Result<()> {
    frame.charge_unpack(shares.len())?;
    let base = entry(frame, SHARES_SLOT, request)?;
    let words = shares.chunks(widths.per_word()).enumerate().map(|(index, group)| {
        let word =
            group.iter().rev().fold(U256::ZERO, |word, share| (word << widths.share()) | widths.pack(share));
        (base.wrapping_add(U256::from(index)), word)
    });
    frame.sstore_each(ATTRIBUTION, words)
}

/// A receipt's shares from `first` to before `last`, which are not beyond their end.
pub(super) fn load_shares(
    frame: &mut Frame<'_>,
    request: B256,
    record: &ReceiptHead,
    first: usize,
    last: usize,
) -> Result<Vec<ClusterShare>> {
    let widths = Widths::read(record);
    frame.charge_unpack(last.saturating_sub(first))?;
    let (per_word, base) = (widths.per_word(), entry(frame, SHARES_SLOT, request)?);
    let (mut shares, mut loaded) = (Vec::with_capacity(last.saturating_sub(first)), None);
    for index in first..last {
        let at = index / per_word;
        let word = match loaded {
            Some((known, word)) if known == at => word,
            _ => frame.sload(ATTRIBUTION, base.wrapping_add(U256::from(at)))?,
        };
        loaded = Some((at, word));
        shares.push(widths.unpack(word, (index % per_word) * widths.share()));
    }
    Ok(shares)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Call, MemoryBackend, Meter};
    use proptest::prelude::*;
    use revm::context_interface::cfg::GasParams;
    use revm::primitives::hardfork::SpecId;

    fn through_storage(shares: &[ClusterShare]) -> (Vec<ClusterShare>, usize) {
        let mut backend = MemoryBackend::default();
        let meter = Meter::new(u64::MAX, GasParams::new_spec(SpecId::PRAGUE));
        let call = Call { is_direct: true, ..Call::default() };
        let mut frame = Frame::new(call, meter, &mut backend);
        let widths = Widths::of(shares);
        let mut record = ReceiptHead { shares: shares.len() as u16, ..ReceiptHead::default() };
        widths.write(&mut record);
        store_shares(&mut frame, B256::ZERO, widths, shares).unwrap();
        let read = load_shares(&mut frame, B256::ZERO, &record, 0, shares.len()).unwrap();
        (read, backend.storage.len())
    }

    #[test]
    fn sixty_four_shares_of_neighbours_fit_in_ten_slots() {
        let shares: Vec<_> =
            (0..64).map(|n| ClusterShare { contribution: 1_000 + n, row: 100, ppm: 15_625 }).collect();
        // 6 + 7 + 14 bits: nine a slot.
        assert_eq!(through_storage(&shares), (shares, 8));
    }

    proptest! {
        #[test]
        fn shares_read_back_as_they_were_stored(
            base in 0..1u64 << 40,
            spread in 0..41u32,
            rows in 0..25u32,
            parts in prop::collection::vec((any::<u64>(), any::<u32>(), 1..=1_000_000u32), 0..256),
        ) {
            let mut shares: Vec<_> = parts
                .into_iter()
                .map(|(contribution, row, ppm)| ClusterShare {
                    contribution: (base + (contribution & ((1 << spread) - 1))).min((1 << 40) - 1),
                    row: row & ((1 << rows) - 1),
                    ppm,
                })
                .collect();
            shares.sort_by_key(|share| (share.contribution, share.row));
            prop_assert_eq!(through_storage(&shares).0, shares);
        }
    }
}
