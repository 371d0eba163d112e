//! Every answer is libsecp256k1's, however the numbers were chosen.
#![allow(clippy::unwrap_used)]

use alloy_consensus::crypto::secp256k1;
use alloy_primitives::{B256, Signature, U256, keccak256, uint};
use k256::{
    ProjectivePoint, Scalar,
    elliptic_curve::{PrimeField, ops::Reduce, sec1::ToEncodedPoint},
};
use openledger_signer_recovery::recover_signers;
use proptest::prelude::*;

const ORDER: U256 = uint!(0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141_U256);
const FIELD: U256 = uint!(0xfffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f_U256);
/// The endomorphism's eigenvalue: `lambda * (x, y) = (beta * x, y)`.
const LAMBDA: U256 = uint!(0x5363ad4cc05c30e0a5261c028812645a122e22ea20816678df02967c1b23bd72_U256);

fn agrees(signed: &[(Signature, B256)]) {
    let ours = recover_signers(signed);
    assert_eq!(ours.len(), signed.len());
    for (ours, (signature, hash)) in ours.into_iter().zip(signed) {
        assert_eq!(ours.ok(), secp256k1::recover_signer(signature, *hash).ok(), "{signature:?} of {hash}");
    }
}

/// Numbers around those at which something ends.
fn number() -> impl Strategy<Value = U256> {
    let edge = prop_oneof![
        Just(U256::ZERO),
        Just(U256::MAX),
        Just(ORDER),
        Just(ORDER >> 1),
        Just(FIELD),
        Just(LAMBDA),
        Just(ORDER - LAMBDA),
        (0..256_usize).prop_map(|bit| U256::ONE << bit),
        any::<[u64; 4]>().prop_map(U256::from_limbs),
    ];
    (edge, 0..40_u64, any::<bool>()).prop_map(|(edge, by, up)| {
        let by = U256::from(by);
        if up { edge.wrapping_add(by) } else { edge.wrapping_sub(by) }
    })
}

fn scalar(number: U256) -> Scalar {
    <Scalar as Reduce<k256::U256>>::reduce_bytes(&number.to_be_bytes::<32>().into())
}

/// A signature whose key is `u1 * G + u2 * k * G`: with small or related numbers the sum meets itself on its
/// way.
fn crafted(k: U256, u1: U256, u2: U256) -> Option<(Signature, B256)> {
    let point = (ProjectivePoint::GENERATOR * scalar(k)).to_affine().to_encoded_point(false);
    let r = U256::from_be_slice(point.x()?);
    let odd = point.y()?.last()? & 1 == 1;
    let r_scalar = scalar(r);
    let s = U256::from_be_bytes::<32>((scalar(u2) * r_scalar).to_repr().into());
    let z = U256::from_be_bytes::<32>((-(scalar(u1) * r_scalar)).to_repr().into());
    // A great s is refused: the signature with both signs turned has the same key.
    Some(if s > ORDER >> 1 {
        (Signature::new(r, ORDER - s, !odd), B256::from(z))
    } else {
        (Signature::new(r, s, odd), B256::from(z))
    })
}

proptest! {
    #[test]
    fn whatever_the_numbers(numbers in prop::collection::vec((number(), number(), number(), any::<bool>()), 0..300)) {
        let signed: Vec<_> = numbers.into_iter().map(|(r, s, z, odd)| (Signature::new(r, s, odd), B256::from(z))).collect();
        agrees(&signed);
    }

    #[test]
    fn however_the_sum_was_crafted(numbers in prop::collection::vec((number(), number(), number()), 3..80)) {
        let signed: Vec<_> = numbers.into_iter().filter_map(|(k, u1, u2)| crafted(k, u1, u2)).collect();
        agrees(&signed);
    }
}

#[test]
fn sums_of_small_multiples_that_meet() {
    let small = || (1..12_u64).map(U256::from).chain((1..6).map(|i| ORDER - U256::from(i)));
    for k in small() {
        let signed: Vec<_> = small()
            .flat_map(|u1| small().map(move |u2| (u1, u2)))
            .filter_map(|(u1, u2)| crafted(k, u1, u2))
            .collect();
        agrees(&signed);
    }
}

#[test]
fn any_count_of_signatures() {
    let signed: Vec<_> = (0..300_u64)
        .map(|i| {
            let number =
                |name: u8| U256::from_be_bytes(keccak256([&[name], &i.to_be_bytes()[..]].concat()).0);
            crafted(number(0), number(1), number(2)).unwrap()
        })
        .collect();
    for count in (0..20).chain([63, 64, 65, 127, 128, 129, 300]) {
        agrees(&signed[..count]);
    }
}

/// Hours of it find nothing either: `cargo nextest run --workspace --test agreement --run-ignored only`.
#[test]
#[ignore = "takes minutes"]
fn two_million_signatures() {
    for batch in 0..500_u64 {
        let number = |name: u8, i: u64| {
            U256::from_be_bytes(keccak256([&[name], &(batch * 4000 + i).to_be_bytes()[..]].concat()).0)
        };
        let signed: Vec<_> = (0..4000)
            .map(|i| (Signature::new(number(0, i), number(1, i) >> 1, i % 2 == 0), B256::from(number(2, i))))
            .collect();
        agrees(&signed);
    }
}
