//! A Bloom filter over paths.
//!
//! Reading through the changes of many blocks asks each of them for every node, and nearly all say no: a bit that is
//! not set says so at the price of one access to memory, where a search takes a dozen.

use std::{fmt, hash::BuildHasher};

use alloy_primitives::map::DefaultHashBuilder;
use alloy_trie::Nibbles;

/// Bits a path: with [`PROBES`] one path in some 160 that is not there is taken for one that may be.
const BITS_A_PATH: usize = 16;
const PROBES: u32 = 2;
/// With fewer paths a search is as quick.
const FEW_PATHS: usize = 32;

/// Which paths there may be. The filter of few paths, and the default one, let everything through.
#[derive(Clone, Default)]
pub(crate) struct PathFilter {
    /// Bits, a power of two of words, or none.
    words: Box<[u64]>,
    hasher: DefaultHashBuilder,
}

impl fmt::Debug for PathFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PathFilter").field("bits", &(self.words.len() * 64)).finish_non_exhaustive()
    }
}

impl PathFilter {
    pub(crate) fn of<'a>(paths: impl ExactSizeIterator<Item = &'a Nibbles>) -> Self {
        if paths.len() < FEW_PATHS {
            return Self::default();
        }
        let words = (paths.len() * BITS_A_PATH / 64).next_power_of_two();
        let mut filter =
            Self { words: vec![0; words].into_boxed_slice(), hasher: DefaultHashBuilder::default() };
        for path in paths {
            for bit in filter.bits(path) {
                filter.words[bit / 64] |= 1 << (bit % 64);
            }
        }
        filter
    }

    /// Whether the path may be among those that the filter was made of; never `false` where it is.
    pub(crate) fn may_hold(&self, path: &Nibbles) -> bool {
        self.words.is_empty() || self.bits(path).all(|bit| self.words[bit / 64] & (1 << (bit % 64)) != 0)
    }

    pub(crate) const fn size_bytes(&self) -> usize {
        size_of_val(&*self.words)
    }

    fn bits(&self, path: &Nibbles) -> impl Iterator<Item = usize> + use<> {
        let hash = self.hasher.hash_one(path);
        let mask = self.words.len() * 64 - 1;
        (0..PROBES).map(move |probe| hash.rotate_left(probe * 32) as usize & mask)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn path(number: u32) -> Nibbles {
        Nibbles::unpack(number.wrapping_mul(0x9e37_79b9).to_be_bytes())
    }

    #[test]
    fn every_path_passes_and_few_others_do() {
        for count in [0, 1, 31, 32, 33, 1000, 20_000] {
            let paths: Vec<_> = (0..count).map(path).collect();
            let filter = PathFilter::of(paths.iter());
            assert!(paths.iter().all(|path| filter.may_hold(path)));
            let wrong = (count..count + 10_000).filter(|number| filter.may_hold(&path(*number))).count();
            assert!(count < 32 || wrong < 300, "{wrong} of 10,000 beside {count} paths");
        }
    }
}
