//! Recovery of eight keys at a time with AVX-512's 52-bit multiplier.
//!
//! The key of a signature `(r, s)` of the hash `z` is `(s / r) * R - (z / r) * G`, where R is the point with x
//! of `r`. Divisions share one inversion. R's multiples come from a table of its own, by the curve's
//! endomorphism in halves of some 128 bits; G's from a table that is computed once.

mod field;
mod generator;
mod point;
mod scalar;
mod sums;

use std::{arch::is_x86_feature_detected, sync::LazyLock};

use alloy_consensus::crypto::secp256k1;
use alloy_primitives::{Address, B256, Signature, U256, keccak256, uint};
use k256::{Scalar, elliptic_curve::ops::BatchInvert};
use openledger_keccak::{keccak256_many, lanes::LANES};

use self::{
    generator::Generator,
    sums::{Coordinates, Terms},
};

/// Half the group's order: a greater `s` is not valid (EIP-2).
const HALF_ORDER: U256 = uint!(0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0_U256);
/// Signatures that share inversions: more save little, and take 1 KiB of the cache each.
const CHUNK: usize = 128;
/// Signatures below which one after the other is as fast.
const WORTH_VECTORS: usize = 3;
/// Signatures of the trial before first use, of which about half have a key.
const TRIAL: u64 = 64;

/// The machine's means, where it has them and they passed the trial.
pub(crate) static VECTORS: LazyLock<Option<Vectors>> =
    LazyLock::new(|| Vectors::new().filter(Vectors::passes_trial));

/// Whether this processor has what [`Vectors`] need.
fn has_instructions() -> bool {
    is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512ifma")
}

/// Proof that the machine has the instructions, and what is computed once.
pub(crate) struct Vectors {
    generator: Generator,
}

impl Vectors {
    fn new() -> Option<Self> {
        has_instructions().then(|| Self { generator: Generator::new() })
    }

    /// Whether this processor computes as libsecp256k1 does. Numbers that nobody chose will do: one `r` in two
    /// is a point's x, and then any `s` and hash have a key.
    fn passes_trial(&self) -> bool {
        let number = |name: u8, i: u64| keccak256([&[name], &i.to_be_bytes()[..]].concat());
        let signed: Vec<_> = (0..TRIAL)
            .map(|i| {
                let (r, s) = (U256::from_be_bytes(number(0, i).0), U256::from_be_bytes(number(1, i).0) >> 1);
                (Signature::new(r, s, i % 3 == 0), number(2, i))
            })
            .collect();
        let expected =
            signed.iter().map(|(signature, hash)| secp256k1::recover_signer(signature, *hash).ok());
        let passes = self.signers(&signed).into_iter().eq(expected);
        if !passes {
            tracing::error!(
                "this processor's vector unit computes wrong keys: signers are recovered without it"
            );
        }
        passes
    }

    /// The signers where signatures are valid, or `None` where libsecp256k1 is to decide.
    pub(crate) fn signers(&self, signed: &[(Signature, B256)]) -> Vec<Option<Address>> {
        // One or two more than fill vectors are faster without them.
        let left = signed.len() % LANES;
        let together = signed.len() - if left < WORTH_VECTORS { left } else { 0 };
        let mut keys: Vec<_> = signed[..together].chunks(CHUNK).flat_map(|chunk| self.keys(chunk)).collect();
        keys.resize(signed.len(), None);
        let found: Vec<_> = keys.iter().flatten().collect();
        let mut hashes = keccak256_many(&found).into_iter();
        keys.iter().map(|key| key.and_then(|_| hashes.next()).map(Address::from_word)).collect()
    }

    fn keys(&self, signed: &[(Signature, B256)]) -> Vec<Option<Coordinates>> {
        let mut indices = Vec::with_capacity(signed.len());
        let mut numbers = Vec::with_capacity(signed.len());
        let mut rs = Vec::with_capacity(signed.len());
        for (i, (signature, hash)) in signed.iter().enumerate() {
            if let Some(r) = scalar::from_number(&signature.r())
                && let Some(s) = scalar::from_number(&signature.s())
                && signature.s() <= HALF_ORDER
            {
                indices.push(i);
                rs.push(r);
                numbers.push((s, scalar::from_hash(hash)));
            }
        }
        let mut keys = vec![None; signed.len()];
        // None of them is zero; there may be none at all.
        let Some(inverses) = Option::<Vec<_>>::from(Scalar::batch_invert(rs.as_slice())) else {
            return keys;
        };
        let parts = indices.iter().zip(numbers.iter().zip(&inverses));
        let terms: Vec<_> = parts
            .map(|(&i, ((s, z), inverse))| Terms {
                x: *signed[i].0.r().as_limbs(),
                odd: signed[i].0.v(),
                point: scalar::point_digits(&(*s * inverse)),
                generator: scalar::generator_digits(&-(*z * inverse)),
            })
            .collect();
        // SAFETY: a `Vectors` exists only where the processor has both extensions.
        #[allow(unsafe_code)]
        let sums = unsafe { sums::sums(&self.generator, &terms) };
        for (i, sum) in indices.into_iter().zip(sums) {
            keys[i] = sum;
        }
        keys
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The means of a machine that has them; a test says so where it hasn't.
    fn vectors() -> Option<Vectors> {
        let vectors = Vectors::new();
        if vectors.is_none() {
            eprintln!("skipped: this processor has no AVX-512 with the 52-bit multiplier");
        }
        vectors
    }

    #[test]
    fn a_processor_with_the_instructions_passes_the_trial() {
        if let Some(vectors) = vectors() {
            assert!(vectors.passes_trial());
        }
    }

    #[test]
    fn every_key_of_a_point_is_found_without_help() {
        let Some(vectors) = vectors() else { return };
        let number =
            |name: u8, i: u64| U256::from_be_bytes(keccak256([&[name], &i.to_be_bytes()[..]].concat()).0);
        let signed: Vec<_> = (0..4000)
            .map(|i| (Signature::new(number(0, i), number(1, i) >> 1, i % 2 == 0), B256::from(number(2, i))))
            .collect();
        let mut found = 0;
        for (signer, (signature, hash)) in vectors.signers(&signed).into_iter().zip(&signed) {
            let expected = secp256k1::recover_signer(signature, *hash).ok();
            assert_eq!(signer, expected);
            found += u32::from(expected.is_some());
        }
        assert!((1800..2200).contains(&found), "about half of all numbers are a point's x: {found}");
    }

    #[test]
    fn where_the_sum_meets_infinity_the_vectors_say_nothing() {
        let Some(vectors) = vectors() else { return };
        // R = G, so that s = z gives infinity.
        let r = uint!(0x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798_U256);
        let signed =
            [1_u64, 2, 3, 77].map(|z| (Signature::new(r, U256::from(z), false), B256::from(U256::from(z))));
        assert_eq!(vectors.signers(&signed), vec![None; 4]);
    }
}
