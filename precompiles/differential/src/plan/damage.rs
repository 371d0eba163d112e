//! Spoils calldata.

use crate::{Rng, Step};
use alloy_primitives::U256;

/// Changes a step's calldata, or what is sent along.
pub(super) fn damage(rng: &mut Rng, step: &mut Step) {
    let mut data = step.data.to_vec();
    let words = data.len().saturating_sub(4) / 32;
    match rng.below(9) {
        0 => data.truncate(rng.below(data.len() as u64 + 1) as usize),
        1 => data.extend(std::iter::repeat_n(rng.next() as u8, rng.below(70) as usize)),
        2 | 3 if words > 0 => {
            let place = 4 + 32 * rng.below(words as u64) as usize;
            let value = *rng.pick(&[
                U256::ZERO,
                U256::ONE,
                U256::MAX,
                U256::from(u64::MAX),
                U256::from(0x20),
                U256::from(0x1_0000_0000_u64),
                U256::from(words * 32),
            ]);
            data[place..place + 32].copy_from_slice(&value.to_be_bytes::<32>());
        }
        4 if words > 0 => {
            // High bits of a word.
            let place = 4 + 32 * rng.below(words as u64) as usize + rng.below(12) as usize;
            data[place] ^= 1 << rng.below(8);
        }
        5 | 6 if !data.is_empty() => {
            let place = rng.below(data.len() as u64) as usize;
            data[place] = *rng.pick(&[0, 0xff, 0x80, rng.clone().next() as u8]);
        }
        7 => step.value = U256::from(rng.below(2_000)),
        _ => {
            data.truncate(4);
            for _ in 0..rng.below(12) {
                let word = if rng.one_in(2) { rng.word().into() } else { U256::from(rng.below(300)) };
                data.extend(word.to_be_bytes::<32>());
            }
        }
    }
    step.data = data.into();
    step.damaged = true;
}
