//! Arithmetic at the limits of what limbs may hold, against numbers of 512 bits.

use alloy_primitives::{U256, U512, uint};
use openledger_keccak::lanes::{LANES, load, store};
use proptest::prelude::*;

use super::{Field, Sum, invert_all};
use crate::vectors::has_instructions;

const MODULUS: U512 = uint!(0xfffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f_U512);
const LIMB: u64 = 1 << 52;
/// The greatest fourth limb of magnitude 1.
const TOP: u64 = (1 << 48) + (1 << 10) - 1;

type Limbs = [u64; 5];

/// Elements of a magnitude, with limbs at their limits more often than not.
fn limbs(magnitude: u64) -> impl Strategy<Value = Limbs> {
    let below =
        |limit: u64| prop_oneof![Just(0), Just(1), Just(limit), Just(limit - 1), Just(limit / 2), 0..=limit];
    let low = || below(LIMB - 1);
    // The modulus and what is next to it.
    let near = (0..3_u64)
        .prop_map(|off| [LIMB - 0x1_0000_03d1 - 1 + off, LIMB - 1, LIMB - 1, LIMB - 1, (1 << 48) - 1]);
    prop_oneof![
        4 => (low(), low(), low(), low(), below(magnitude * TOP)).prop_map(|(a, b, c, d, e)| [a, b, c, d, e]),
        1 => near,
    ]
}

fn eight(magnitude: u64) -> impl Strategy<Value = [Limbs; LANES]> {
    prop::array::uniform8(limbs(magnitude))
}

fn value(limbs: &Limbs) -> U512 {
    limbs.iter().rev().fold(U512::ZERO, |value, limb| (value << 52) + U512::from(*limb))
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn field(lanes: &[Limbs; LANES]) -> Field {
    Field(core::array::from_fn(|limb| load(&lanes.map(|limbs| limbs[limb]))))
}

/// The lanes, which must be within the limits of magnitude 1.
#[target_feature(enable = "avx512f,avx512ifma")]
fn lanes(field: &Field) -> [Limbs; LANES] {
    let limbs = field.0.map(|limb| store(limb));
    let lanes: [Limbs; LANES] = core::array::from_fn(|lane| limbs.map(|limb| limb[lane]));
    for [a, b, c, d, e] in lanes {
        assert!([a, b, c, d].iter().all(|limb| *limb < LIMB) && e <= TOP, "{:x?}", [a, b, c, d, e]);
    }
    lanes
}

/// What each operation gives, beside what it should give modulo the modulus.
#[target_feature(enable = "avx512f,avx512ifma")]
fn operations(
    a: &[Limbs; LANES],
    b: &[Limbs; LANES],
    c: &[Limbs; LANES],
) -> Vec<([Limbs; LANES], [U512; LANES])> {
    let (x, y, z) = (field(a), field(b), field(c));
    let each = |f: &dyn Fn(U512, U512, U512) -> U512| {
        core::array::from_fn(|lane| {
            f(value(&a[lane]) % MODULUS, value(&b[lane]) % MODULUS, value(&c[lane]) % MODULUS) % MODULUS
        })
    };
    let eight = U512::from(8);
    vec![
        (lanes(&x.mul(&y)), each(&|x, y, _| x * y)),
        (lanes(&x.mul_twice(&z)), each(&|x, _, z| (x * z % MODULUS) << 1)),
        (lanes(&x.square()), each(&|x, _, _| x * x)),
        (lanes(&z.square_thrice()), each(&|_, _, z| (z * z % MODULUS) * U512::from(3))),
        (
            lanes(&x.mul_plus(&y, &Sum::multiple(9).sub_shifted::<3>(&z))),
            each(&|x, y, z| x * y % MODULUS + (MODULUS - z) * eight),
        ),
        (
            lanes(&x.square_plus(&Sum::multiple(9).sub_shifted::<3>(&z))),
            each(&|x, _, z| x * x % MODULUS + (MODULUS - z) * eight),
        ),
        (lanes(&z.mul_plus_mul(&z, &x, &z)), each(&|x, _, z| z * z % MODULUS + x * z % MODULUS)),
        (lanes(&z.negate().canonical()), each(&|_, _, z| MODULUS - z)),
        (lanes(&x.canonical()), each(&|x, _, _| x)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]
    #[test]
    fn operations_are_right_at_the_limits_of_their_limbs(a in eight(14), b in eight(14), c in eight(1)) {
        if !has_instructions() {
            return Ok(());
        }
        // SAFETY: the processor has both extensions.
        #[allow(unsafe_code)]
        let operations = unsafe { operations(&a, &b, &c) };
        for (index, (found, expected)) in operations.into_iter().enumerate() {
            for (found, expected) in found.iter().zip(expected) {
                prop_assert_eq!(value(found) % MODULUS, expected, "operation {}", index);
            }
        }
    }
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn least_values(a: &[Limbs; LANES]) -> [Limbs; LANES] {
    lanes(&field(a).canonical())
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn inverses(elements: &[[Limbs; LANES]]) -> Vec<[Limbs; LANES]> {
    let mut fields: Vec<_> = elements.iter().map(|lanes| field(lanes)).collect();
    invert_all(&mut fields);
    fields.iter().map(|field| lanes(field)).collect()
}

proptest! {
    #[test]
    fn canonical_values_are_below_the_modulus(a in eight(15)) {
        if has_instructions() {
            // SAFETY: the processor has both extensions.
            #[allow(unsafe_code)]
            let least = unsafe { least_values(&a) };
            for (least, a) in least.iter().zip(&a) {
                prop_assert_eq!(value(least), value(a) % MODULUS);
            }
        }
    }

    #[test]
    fn inverses_give_one(a in prop::collection::vec(eight(1), 1..5)) {
        let zero = |lanes: &[Limbs; LANES]| lanes.iter().any(|limbs| (value(limbs) % MODULUS).is_zero());
        if has_instructions() && !a.iter().any(zero) {
            // SAFETY: the processor has both extensions.
            #[allow(unsafe_code)]
            let inverses = unsafe { inverses(&a) };
            for (inverse, a) in inverses.iter().flatten().zip(a.iter().flatten()) {
                prop_assert_eq!(value(inverse) % MODULUS * (value(a) % MODULUS) % MODULUS, U512::from(U256::ONE));
            }
        }
    }
}
