#![doc = include_str!("../README.md")]

#[cfg(target_arch = "x86_64")]
mod eight;
#[cfg(target_arch = "x86_64")]
pub mod lanes;

use alloy_primitives::{B256, keccak256};

/// Bytes that a permutation takes in.
const RATE: usize = 136;

/// Hashes below which one after the other is as fast.
#[cfg(target_arch = "x86_64")]
const WORTH_VECTORS: usize = 3;

/// Keccak-256 of each message, in order.
///
/// Uses one thread. On processors with AVX-512 eight messages of as many blocks of 136 bytes are hashed side by
/// side.
pub fn keccak256_many<M: AsRef<[u8]>>(messages: &[M]) -> Vec<B256> {
    #[cfg(target_arch = "x86_64")]
    if messages.len() >= WORTH_VECTORS && std::arch::is_x86_feature_detected!("avx512f") {
        return side_by_side(messages);
    }
    messages.iter().map(keccak256).collect()
}

/// Sorts by permutations, of which messages side by side must have the same number.
#[cfg(target_arch = "x86_64")]
fn side_by_side<M: AsRef<[u8]>>(messages: &[M]) -> Vec<B256> {
    let permutations = |index: usize| messages[index].as_ref().len() / RATE;
    let mut order: Vec<usize> = (0..messages.len()).collect();
    order.sort_unstable_by_key(|&index| permutations(index));
    let mut hashes = vec![B256::ZERO; messages.len()];
    for alike in order.chunk_by(|&a, &b| permutations(a) == permutations(b)) {
        for group in alike.chunks(lanes::LANES) {
            if group.len() < WORTH_VECTORS {
                for &index in group {
                    hashes[index] = keccak256(&messages[index]);
                }
                continue;
            }
            let lanes = std::array::from_fn(|lane| messages[group[lane.min(group.len() - 1)]].as_ref());
            // SAFETY: the processor has AVX-512, the caller looked.
            #[allow(unsafe_code)]
            let eight = unsafe { eight::keccak256(lanes) };
            for (&index, hash) in group.iter().zip(eight) {
                hashes[index] = hash;
            }
        }
    }
    hashes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn as_one_by_one(messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..700), 0..40)) {
            let expected: Vec<_> = messages.iter().map(keccak256).collect();
            prop_assert_eq!(keccak256_many(&messages), expected);
        }
    }

    #[test]
    fn every_length() {
        let messages: Vec<_> =
            (0..1200_usize).flat_map(|length| std::iter::repeat_n(vec![length as u8; length], 3)).collect();
        let expected: Vec<_> = messages.iter().map(keccak256).collect();
        assert_eq!(keccak256_many(&messages), expected);
    }
}
