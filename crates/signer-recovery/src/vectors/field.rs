//! Eight elements of secp256k1's field side by side, each in five limbs of 52 bits.
//!
//! An element is a value below `m * (2^256 + 2^218)`, its *magnitude* `m` being at most 15: limbs 0 to 3 are
//! below `2^52`, limb 4 below `m * (2^48 + 2^10)`. Products are of magnitude 1; a product's factors may have
//! magnitudes whose product is below 256, for then it fits ten limbs. [`Sum`] holds what has not been carried
//! yet, for the multiplier takes 52 bits only.

mod power;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
mod wide;

use core::arch::x86_64::{
    __m512i, __mmask8, _mm512_add_epi64, _mm512_and_si512, _mm512_cmpeq_epi64_mask, _mm512_madd52lo_epu64,
    _mm512_mask_mov_epi64, _mm512_or_si512, _mm512_set1_epi64, _mm512_setzero_si512, _mm512_slli_epi64,
    _mm512_srli_epi64, _mm512_test_epi64_mask,
};

use self::wide::Product;
pub(crate) use self::{power::invert_all, wide::Sum};

/// `2^256 - p`.
const C: i64 = 0x1_0000_03d1;
/// `2^260` modulo p.
const FOLD: i64 = C << 4;
const LOW_52: i64 = (1 << 52) - 1;
const LOW_48: i64 = (1 << 48) - 1;
/// The limbs of p.
const P: [i64; 5] = [LOW_52 - C + 1, LOW_52, LOW_52, LOW_52, LOW_48];

/// Eight elements, carried.
#[derive(Clone, Copy)]
pub(crate) struct Field(pub(crate) [__m512i; 5]);

#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn mask52() -> __m512i {
    _mm512_set1_epi64(LOW_52)
}

impl Field {
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn splat(value: u64) -> Self {
        let zero = _mm512_setzero_si512();
        Self([_mm512_set1_epi64(value as i64), zero, zero, zero, zero])
    }

    /// From eight values of four 64-bit words each, word by word, the least significant first.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn from_words(w: &[__m512i; 4]) -> Self {
        let mask = mask52();
        Self([
            _mm512_and_si512(w[0], mask),
            _mm512_and_si512(
                _mm512_or_si512(_mm512_srli_epi64::<52>(w[0]), _mm512_slli_epi64::<12>(w[1])),
                mask,
            ),
            _mm512_and_si512(
                _mm512_or_si512(_mm512_srli_epi64::<40>(w[1]), _mm512_slli_epi64::<24>(w[2])),
                mask,
            ),
            _mm512_and_si512(
                _mm512_or_si512(_mm512_srli_epi64::<28>(w[2]), _mm512_slli_epi64::<36>(w[3])),
                mask,
            ),
            _mm512_srli_epi64::<16>(w[3]),
        ])
    }

    /// The words of a canonical element, see [`Field::canonical`].
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn words(&self) -> [__m512i; 4] {
        let z = &self.0;
        [
            _mm512_or_si512(z[0], _mm512_slli_epi64::<52>(z[1])),
            _mm512_or_si512(_mm512_srli_epi64::<12>(z[1]), _mm512_slli_epi64::<40>(z[2])),
            _mm512_or_si512(_mm512_srli_epi64::<24>(z[2]), _mm512_slli_epi64::<28>(z[3])),
            _mm512_or_si512(_mm512_srli_epi64::<36>(z[3]), _mm512_slli_epi64::<16>(z[4])),
        ]
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn sum(&self) -> Sum {
        Sum(self.0)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn mul(&self, other: &Self) -> Self {
        Product::zero().add(self, other).reduce()
    }

    /// `2 * self * other`.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn mul_twice(&self, other: &Self) -> Self {
        Product::zero().add(self, other).twice().reduce()
    }

    /// `self * other + more`.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn mul_plus(&self, other: &Self, more: &Sum) -> Self {
        Product::zero().add(self, other).plus(more).reduce()
    }

    /// `self * other + a * b`.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn mul_plus_mul(&self, other: &Self, a: &Self, b: &Self) -> Self {
        Product::zero().add(self, other).add(a, b).reduce()
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn square(&self) -> Self {
        Product::square(self).reduce()
    }

    /// `3 * self^2`.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn square_thrice(&self) -> Self {
        Product::square(self).thrice().reduce()
    }

    /// `self^2 + more`.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn square_plus(&self, more: &Sum) -> Self {
        Product::square(self).plus(more).reduce()
    }

    /// `-self`, of magnitude 2, for magnitude 1.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn negate(&self) -> Self {
        Sum::multiple(2).sub(self).carry()
    }

    /// `other` in the lanes of `mask`.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn blend(&self, mask: __mmask8, other: &Self) -> Self {
        let mut z = self.0;
        for (limb, other) in z.iter_mut().zip(other.0) {
            *limb = _mm512_mask_mov_epi64(*limb, mask, other);
        }
        Self(z)
    }

    /// The least congruent value, for any magnitude.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn canonical(&self) -> Self {
        let low48 = _mm512_set1_epi64(LOW_48);
        let c = _mm512_set1_epi64(C);
        let mut z = self.0;
        // Twice: the first leaves at most 2^256 + 2^37.
        for _ in 0..2 {
            let over = _mm512_srli_epi64::<48>(z[4]);
            z[4] = _mm512_and_si512(z[4], low48);
            z[0] = _mm512_madd52lo_epu64(z[0], over, c);
            z = Sum(z).carry().0;
        }
        // It is p or more where adding 2^256 - p reaches 2^256.
        let mut less = z;
        less[0] = _mm512_add_epi64(less[0], c);
        let mut less = Sum(less).carry().0;
        let reached = _mm512_test_epi64_mask(less[4], _mm512_set1_epi64(1 << 48));
        less[4] = _mm512_and_si512(less[4], low48);
        Self(z).blend(reached, &Self(less))
    }

    /// The lanes in which two canonical elements are equal.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn equal(&self, other: &Self) -> __mmask8 {
        let mut mask = 0xff;
        for i in 0..5 {
            mask &= _mm512_cmpeq_epi64_mask(self.0[i], other.0[i]);
        }
        mask
    }

    /// The lanes in which a canonical element is odd.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn odd(&self) -> __mmask8 {
        _mm512_test_epi64_mask(self.0[0], _mm512_set1_epi64(1))
    }

    /// One in place of the lanes of `mask`.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn one_where(&self, mask: __mmask8) -> Self {
        self.blend(mask, &Self::splat(1))
    }
}
