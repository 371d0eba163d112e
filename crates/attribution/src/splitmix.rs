//! SplitMix64, the one source of hashed and drawn numbers: the same on every machine.
//!
//! Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014).

/// What the state grows by with every draw.
pub(crate) const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// The number drawn at a state; every bit of it depends on every bit of the state.
pub(crate) const fn mix(state: u64) -> u64 {
    let mut z = state.wrapping_add(STEP);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The number drawn at `place` of the sequence that starts at `seed`.
pub(crate) const fn mix_at(seed: u64, place: u64) -> u64 {
    mix(seed.wrapping_add(place.wrapping_mul(STEP)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_those_of_the_published_generator() {
        // Java's `SplittableRandom(1234567)` and every other implementation draw these first.
        let drawn: Vec<u64> = (0..3).map(|place| mix_at(1_234_567, place)).collect();
        assert_eq!(drawn, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }
}
