//! Which L1 block the next L2 block stands on.

use alloy_eips::BlockNumHash;
use openledger_chainspec::RollupConfig;
use openledger_protocol::{L1BlockRef, L2BlockRef};
use thiserror::Error;

/// The origin of the next block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OriginChoice {
    /// The parent's origin; one more block of its epoch.
    Current,
    /// The L1 block after it; the first block of a new epoch.
    Next,
}

/// Why there is no origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum OriginError {
    /// The L1 blocks given are not the parent's origin and the one after it.
    #[error(
        "L1 block {} ({}) is no longer on L1, or not followed by the block given: L1 has \
         reorganised", origin.number, origin.hash
    )]
    Reorganised {
        /// The parent's origin.
        origin: BlockNumHash,
    },
    /// The drift is used up and the next L1 block is not known: the block could turn out invalid.
    #[error(
        "the next block at {timestamp} s is more than {drift} s after its L1 origin {origin}, and L1 \
         block {} is not known: check the L1 endpoint", origin + 1
    )]
    NextRequired {
        /// The time of the next L2 block in seconds.
        timestamp: u64,
        /// Number of the current origin.
        origin: u64,
        /// The most that L2 time may be ahead, in seconds.
        drift: u64,
    },
}

/// Whether an L2 block at `timestamp` is so far ahead of its origin that it may hold deposits only.
pub fn is_past_drift(config: &RollupConfig, origin: &L1BlockRef, timestamp: u64) -> bool {
    timestamp > origin.timestamp.saturating_add(config.max_sequencer_drift_at(origin.timestamp))
}

/// Chooses the origin of the block after `parent`, given the parent's origin and the L1 block after
/// that, where it is known.
pub fn choose_origin(
    config: &RollupConfig,
    parent: &L2BlockRef,
    current: &L1BlockRef,
    next: Option<&L1BlockRef>,
) -> Result<OriginChoice, OriginError> {
    let origin = parent.l1_origin;
    let follows = |next: &L1BlockRef| {
        next.parent_hash == current.hash && current.number.checked_add(1) == Some(next.number)
    };
    if current.id() != origin || next.is_some_and(|next| !follows(next)) {
        return Err(OriginError::Reorganised { origin });
    }
    let timestamp = parent.timestamp.saturating_add(config.block_time);
    match next {
        Some(next) if next.timestamp <= timestamp => Ok(OriginChoice::Next),
        None if is_past_drift(config, current, timestamp) => Err(OriginError::NextRequired {
            timestamp,
            origin: origin.number,
            drift: config.max_sequencer_drift_at(current.timestamp),
        }),
        _ => Ok(OriginChoice::Current),
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::B256;
    use proptest::prelude::*;

    use super::*;

    /// Time of the first L1 and L2 block in the tests.
    const START: u64 = 1_700_000_000;
    const DRIFT: u64 = 1800;

    fn config(block_time: u64) -> RollupConfig {
        RollupConfig { block_time, fjord_time: Some(0), ..Default::default() }
    }

    fn hash(number: u64) -> B256 {
        B256::left_padding_from(&(number + 1).to_be_bytes())
    }

    fn l1(number: u64, timestamp: u64) -> L1BlockRef {
        let parent_hash = if number == 0 { B256::ZERO } else { hash(number - 1) };
        L1BlockRef { number, hash: hash(number), parent_hash, timestamp }
    }

    fn l2(timestamp: u64, origin: &L1BlockRef) -> L2BlockRef {
        L2BlockRef { timestamp, l1_origin: origin.id(), ..Default::default() }
    }

    #[test]
    fn a_next_origin_that_is_not_a_child_is_a_reorganisation() {
        let current = l1(5, START);
        let stranger = L1BlockRef { parent_hash: B256::repeat_byte(9), ..l1(6, START) };
        let skipped = L1BlockRef { parent_hash: current.hash, ..l1(7, START) };
        for next in [stranger, skipped] {
            let choice = choose_origin(&config(2), &l2(START, &current), &current, Some(&next));
            assert_eq!(choice, Err(OriginError::Reorganised { origin: current.id() }));
        }
    }

    #[test]
    fn an_origin_other_than_the_parents_is_a_reorganisation() {
        let current = l1(5, START);
        let parent = L2BlockRef {
            l1_origin: BlockNumHash { number: 5, hash: B256::repeat_byte(7) },
            ..l2(START, &current)
        };
        assert!(choose_origin(&config(2), &parent, &current, None).is_err());
    }

    #[test]
    fn past_the_drift_an_unknown_next_origin_stops_and_a_later_one_does_not() {
        let current = l1(5, START);
        let parent = l2(START + DRIFT, &current);
        let unknown = choose_origin(&config(2), &parent, &current, None);
        assert!(matches!(unknown, Err(OriginError::NextRequired { origin: 5, .. })));
        let later = l1(6, START + DRIFT + 100);
        let known = choose_origin(&config(2), &parent, &current, Some(&later));
        assert_eq!(known, Ok(OriginChoice::Current));
        assert!(is_past_drift(&config(2), &current, START + DRIFT + 2));
        assert!(!is_past_drift(&config(2), &current, START + DRIFT));
    }

    proptest! {
        /// L1 blocks at random intervals, which become known with random delays.
        #[test]
        fn origins_never_skip_never_lead_and_never_lag_while_known(
            block_time in 1_u64..=6,
            intervals in prop::collection::vec(1_u64..40, 20..60),
            delays in prop::collection::vec(0_u64..30, 60),
        ) {
            let config = config(block_time);
            let mut time = START;
            let chain: Vec<L1BlockRef> = intervals.iter().enumerate().map(|(number, interval)| {
                let block = l1(number as u64, time);
                time += interval;
                block
            }).collect();
            let mut parent = l2(START, &chain[0]);
            for _ in 0..300 {
                let index = parent.l1_origin.number as usize;
                let timestamp = parent.timestamp + block_time;
                let next = chain.get(index + 1).filter(|next| {
                    next.timestamp + delays[index + 1] <= timestamp
                });
                let choice = match choose_origin(&config, &parent, &chain[index], next) {
                    Ok(choice) => choice,
                    Err(OriginError::NextRequired { .. }) => {
                        prop_assert!(next.is_none() && timestamp > chain[index].timestamp + DRIFT);
                        break;
                    }
                    Err(error) => return Err(TestCaseError::fail(error.to_string())),
                };
                let origin = match choice {
                    OriginChoice::Current => chain[index],
                    OriginChoice::Next => chain[index + 1],
                };
                prop_assert!(origin.timestamp <= timestamp, "older than its origin");
                prop_assert_eq!(choice == OriginChoice::Next, next.is_some());
                parent = L2BlockRef { timestamp, ..l2(timestamp, &origin) };
            }
        }
    }
}
