//! Preimages by their hashes.

use alloy_primitives::{B256, Bytes, keccak256, map::B256Map};

use crate::WitnessError;

/// What a block's execution reads: trie nodes, codes, headers, each found by its Keccak hash.
#[derive(Debug, Clone, Default)]
pub struct Witness {
    preimages: B256Map<Bytes>,
}

impl Witness {
    /// The bytes with this hash; `what` names them in the error.
    pub(crate) fn get(&self, what: &'static str, hash: B256) -> Result<&Bytes, WitnessError> {
        self.preimages.get(&hash).ok_or(WitnessError::Missing { what, hash })
    }
}

impl FromIterator<Bytes> for Witness {
    /// Hashes every item, so that nobody else's word for a hash is taken.
    fn from_iter<I: IntoIterator<Item = Bytes>>(preimages: I) -> Self {
        Self { preimages: preimages.into_iter().map(|bytes| (keccak256(&bytes), bytes)).collect() }
    }
}
