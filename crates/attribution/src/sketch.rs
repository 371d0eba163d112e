//! A sparse random sketch: every number is added, with a random sign, to one of a few buckets. Inner products stay what
//! they were to about one over the root of the buckets.
//!
//! Charikar et al., "Finding frequent items in data streams" (2002).

use crate::splitmix::mix_at;

/// How numbers fall into buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sketch {
    /// How many there are.
    pub(crate) buckets: usize,
    /// Draws bucket and sign of every place.
    pub(crate) seed: u64,
}

impl Sketch {
    /// The buckets' sums, and the squared length of what went in.
    pub(crate) fn of(self, values: impl Iterator<Item = f64>) -> (Vec<f64>, f64) {
        let mut buckets = vec![0.0f64; self.buckets.max(1)];
        let mut square = 0.0;
        for (at, value) in values.enumerate() {
            square += value * value;
            let mixed = mix_at(self.seed, at as u64);
            let bucket = (mixed >> 32) as usize % buckets.len();
            buckets[bucket] += if mixed & 1 == 0 { value } else { -value };
        }
        (buckets, square)
    }
}
