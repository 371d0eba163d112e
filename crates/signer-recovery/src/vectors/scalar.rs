//! What is computed modulo the group's order, and how scalars are cut into digits.

use alloy_primitives::{B256, U256, U512, uint};
use k256::{
    Scalar,
    elliptic_curve::{PrimeField, ops::Reduce},
};

/// Bits of a digit of the signature's point's multiples.
pub(crate) const POINT_BITS: usize = 4;
/// Digits of each half of a scalar.
pub(crate) const POINT_DIGITS: usize = 33;
/// Bits of a digit of the generator's multiples.
pub(crate) const GENERATOR_BITS: usize = 12;
/// Digits of each half of the generator's scalar: as many bits as the other's.
pub(crate) const GENERATOR_DIGITS: usize = POINT_DIGITS * POINT_BITS / GENERATOR_BITS;

/// The order of the group.
const ORDER: U256 = uint!(0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141_U256);

/// Short vectors `(a, b)` with `a + b * lambda = 0` modulo the order: `(A1, -B1)` and `(A2, A1)`. See Gallant,
/// Lambert and Vanstone, "Faster point multiplication on elliptic curves with efficient endomorphisms"; the
/// numbers follow from the order and `lambda`.
const A1: U256 = uint!(0x3086d221a7d46bcde86c90e49284eb15_U256);
const B1: U256 = uint!(0xe4437ed6010e88286f547fa90abfe4c3_U256);
const A2: U256 = uint!(0x114ca50f7a8e2f3f657c1108d9d44cfd8_U256);
/// `2^384 * A1 / order` and `2^384 * B1 / order`, rounded.
const G1: U256 = uint!(0x3086d221a7d46bcde86c90e49284eb153daa8a1471e8ca7fe893209a45dbb031_U256);
const G2: U256 = uint!(0xe4437ed6010e88286f547fa90abfe4c4221208ac9df506c61571b4ae8ac47f71_U256);

/// Signed odd digits, the least significant first.
pub(crate) type PointDigits = [i8; POINT_DIGITS];
/// Signed odd digits of the generator's multiples, the least significant first.
pub(crate) type GeneratorDigits = [i16; GENERATOR_DIGITS];

/// The scalar of a number that is below the order and not zero.
pub(crate) fn from_number(number: &U256) -> Option<Scalar> {
    let valid = !number.is_zero() && *number < ORDER;
    valid.then(|| <Scalar as Reduce<k256::U256>>::reduce_bytes(&number.to_be_bytes::<32>().into()))
}

/// A hash modulo the order.
pub(crate) fn from_hash(hash: &B256) -> Scalar {
    <Scalar as Reduce<k256::U256>>::reduce_bytes(&hash.0.into())
}

fn words(scalar: &Scalar) -> U256 {
    U256::from_be_bytes::<32>(scalar.to_repr().into())
}

/// `value * factor / 2^384`, rounded.
fn scaled(value: U256, factor: U256) -> U256 {
    let product: U512 = value.widening_mul(factor);
    let limbs = product.as_limbs();
    let rounding = u64::from(limbs[5] >> 63 == 1);
    U256::from_limbs([limbs[6], limbs[7], 0, 0]).wrapping_add(U256::from(rounding))
}

/// `k` as `k1 + k2 * lambda`, both odd and below `2^130` without their signs, in digits.
pub(crate) fn point_digits(scalar: &Scalar) -> (PointDigits, PointDigits) {
    let k = words(scalar);
    let c1 = scaled(k, G1);
    let c2 = scaled(k, G2);
    // Two's complement: the results are short, whatever is lost above 2^256.
    let mut k1 = k.wrapping_sub(c1.wrapping_mul(A1)).wrapping_sub(c2.wrapping_mul(A2));
    let mut k2 = c1.wrapping_mul(B1).wrapping_sub(c2.wrapping_mul(A1));
    // A1 and B1 are odd, A2 is even: a vector added or two make both halves odd.
    let (odd1, odd2) = (k1.bit(0), k2.bit(0));
    if !odd1 {
        k1 = k1.wrapping_add(A1);
        k2 = k2.wrapping_sub(B1);
    }
    if odd1 != odd2 {
        k1 = k1.wrapping_add(A2);
        k2 = k2.wrapping_add(A1);
    }
    (
        odd_digits::<POINT_DIGITS, POINT_BITS>(k1).map(|d| d as i8),
        odd_digits::<POINT_DIGITS, POINT_BITS>(k2).map(|d| d as i8),
    )
}

/// `k` or `k - order`, whichever is odd, as `low + high * 2^128`, both odd, in digits.
pub(crate) fn generator_digits(scalar: &Scalar) -> (GeneratorDigits, GeneratorDigits) {
    let k = words(scalar);
    let (odd, negative) = if k.bit(0) { (k, false) } else { (ORDER - k, true) };
    let [a, b, c, d] = *odd.as_limbs();
    let mut low = U256::from_limbs([a, b, 0, 0]);
    let mut high = U256::from_limbs([c, d, 0, 0]);
    if !high.bit(0) {
        high += U256::ONE;
        low = low.wrapping_sub(U256::ONE << 128);
    }
    if negative {
        low = low.wrapping_neg();
        high = high.wrapping_neg();
    }
    (
        odd_digits::<GENERATOR_DIGITS, GENERATOR_BITS>(low),
        odd_digits::<GENERATOR_DIGITS, GENERATOR_BITS>(high),
    )
}

/// `k`, odd and in two's complement of at most `BITS * N` bits without its sign, as `sum d_i 2^(BITS i)` with
/// odd digits between `-2^BITS` and `2^BITS` (Joye and Tunstall, "Exponent recoding and regular exponentiation
/// algorithms").
fn odd_digits<const N: usize, const BITS: usize>(k: U256) -> [i16; N] {
    let negative = k.bit(255);
    let magnitude = if negative { k.wrapping_neg() } else { k };
    let [low, middle, high, _] = *magnitude.as_limbs();
    let sign = if negative { -1 } else { 1 };
    // The digit at a position is odd by borrowing from the one above: its bits from the position's second one
    // on, with a one below, less the place of the highest.
    let mut digits = [0; N];
    for (i, digit) in digits.iter_mut().enumerate() {
        let at = i * BITS;
        let window = (bits(&[low, middle, high], at) & ((1 << (BITS + 1)) - 1)) | 1;
        let value = if i + 1 < N { window as i16 - (1 << BITS) } else { (window & ((1 << BITS) - 1)) as i16 };
        *digit = sign * value;
    }
    digits
}

/// The bits from `at` on, at least 48 of them.
fn bits(words: &[u64; 3], at: usize) -> u64 {
    let (word, shift) = (at / 64, at % 64);
    let low = words[word] >> shift;
    if shift == 0 || word + 1 == words.len() { low } else { low | words[word + 1] << (64 - shift) }
}
