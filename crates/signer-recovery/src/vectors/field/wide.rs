//! What is too wide for the multiplier: products, and sums that have not been carried.

use core::arch::x86_64::{
    __m512i, __mmask8, _mm512_add_epi64, _mm512_and_si512, _mm512_madd52hi_epu64, _mm512_madd52lo_epu64,
    _mm512_mask_sub_epi64, _mm512_set1_epi64, _mm512_setzero_si512, _mm512_slli_epi64, _mm512_srli_epi64,
    _mm512_sub_epi64,
};

use super::{C, FOLD, Field, LOW_48, P, mask52};

/// Sums of elements, whose limbs may be wider than 52 bits.
#[derive(Clone, Copy)]
pub(crate) struct Sum(pub(super) [__m512i; 5]);

/// The ten limbs of a product, not carried.
#[derive(Clone, Copy)]
pub(super) struct Product([__m512i; 10]);

impl Product {
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn zero() -> Self {
        Self([_mm512_setzero_si512(); 10])
    }

    /// Adds `a * b`.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn add(mut self, a: &Field, b: &Field) -> Self {
        for i in 0..5 {
            for j in 0..5 {
                self.0[i + j] = _mm512_madd52lo_epu64(self.0[i + j], a.0[i], b.0[j]);
                self.0[i + j + 1] = _mm512_madd52hi_epu64(self.0[i + j + 1], a.0[i], b.0[j]);
            }
        }
        self
    }

    /// The square of `a`.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn square(a: &Field) -> Self {
        let mut z = Self::zero();
        for i in 0..5 {
            for j in i + 1..5 {
                z.0[i + j] = _mm512_madd52lo_epu64(z.0[i + j], a.0[i], a.0[j]);
                z.0[i + j + 1] = _mm512_madd52hi_epu64(z.0[i + j + 1], a.0[i], a.0[j]);
            }
        }
        let mut z = z.twice();
        for i in 0..5 {
            z.0[2 * i] = _mm512_madd52lo_epu64(z.0[2 * i], a.0[i], a.0[i]);
            z.0[2 * i + 1] = _mm512_madd52hi_epu64(z.0[2 * i + 1], a.0[i], a.0[i]);
        }
        z
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn plus(mut self, sum: &Sum) -> Self {
        for i in 0..5 {
            self.0[i] = _mm512_add_epi64(self.0[i], sum.0[i]);
        }
        self
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn twice(mut self) -> Self {
        for limb in &mut self.0 {
            *limb = _mm512_add_epi64(*limb, *limb);
        }
        self
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn thrice(mut self) -> Self {
        for limb in &mut self.0 {
            *limb = _mm512_add_epi64(_mm512_add_epi64(*limb, *limb), *limb);
        }
        self
    }

    /// The element of magnitude 1 that is congruent. The limbs must be below `2^60`, the whole below `2^520`.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn reduce(self) -> Field {
        let mut z = self.0;
        // The upper half's carries; the multiplier looks at the lower 52 bits only.
        for i in 5..9 {
            z[i + 1] = _mm512_add_epi64(z[i + 1], _mm512_srli_epi64::<52>(z[i]));
        }
        let fold = _mm512_set1_epi64(FOLD);
        for i in 0..5 {
            z[i] = _mm512_madd52lo_epu64(z[i], z[i + 5], fold);
        }
        for i in 1..5 {
            z[i] = _mm512_madd52hi_epu64(z[i], z[i + 4], fold);
        }
        let over = _mm512_madd52hi_epu64(_mm512_setzero_si512(), z[9], fold);
        // What is at 2^256 and above, but for the carries that limb 4 is still to get: these are below 2^9.
        let over = _mm512_add_epi64(_mm512_slli_epi64::<4>(over), _mm512_srli_epi64::<48>(z[4]));
        z[4] = _mm512_and_si512(z[4], _mm512_set1_epi64(LOW_48));
        let c = _mm512_set1_epi64(C);
        z[0] = _mm512_madd52lo_epu64(z[0], over, c);
        z[1] = _mm512_madd52hi_epu64(z[1], over, c);
        Sum([z[0], z[1], z[2], z[3], z[4]]).carry()
    }
}

impl Sum {
    /// Carries; the sum's magnitude must be at most 15.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn carry(self) -> Field {
        let mut z = self.0;
        for i in 0..4 {
            z[i + 1] = _mm512_add_epi64(z[i + 1], _mm512_srli_epi64::<52>(z[i]));
            z[i] = _mm512_and_si512(z[i], mask52());
        }
        Field(z)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn add(mut self, other: &Field) -> Self {
        for i in 0..5 {
            self.0[i] = _mm512_add_epi64(self.0[i], other.0[i]);
        }
        self
    }

    /// Less `other`, of a magnitude for which a multiple of p has been added before: see [`Sum::multiple`].
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn sub(mut self, other: &Field) -> Self {
        for i in 0..5 {
            self.0[i] = _mm512_sub_epi64(self.0[i], other.0[i]);
        }
        self
    }

    /// Adds `other`, or takes it away in the lanes of `negative`.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn add_signed(mut self, other: &Field, negative: __mmask8) -> Self {
        for i in 0..5 {
            let sum = _mm512_add_epi64(self.0[i], other.0[i]);
            self.0[i] = _mm512_mask_sub_epi64(sum, negative, self.0[i], other.0[i]);
        }
        self
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn plus(self, other: &Self) -> Self {
        self.add(&Field(other.0))
    }

    /// Adds `2^BITS * other`.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn add_shifted<const BITS: u32>(mut self, other: &Field) -> Self {
        for i in 0..5 {
            self.0[i] = _mm512_add_epi64(self.0[i], _mm512_slli_epi64::<BITS>(other.0[i]));
        }
        self
    }

    /// Less `2^BITS * other`, see [`Sum::sub`].
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn sub_shifted<const BITS: u32>(mut self, other: &Field) -> Self {
        for i in 0..5 {
            self.0[i] = _mm512_sub_epi64(self.0[i], _mm512_slli_epi64::<BITS>(other.0[i]));
        }
        self
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn shift<const BITS: u32>(mut self) -> Self {
        for limb in &mut self.0 {
            *limb = _mm512_slli_epi64::<BITS>(*limb);
        }
        self
    }

    /// `k * p` in limbs from which those of magnitudes up to `k - 1` in all can be taken without a borrow.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn multiple(k: i64) -> Self {
        let mut limbs = [_mm512_setzero_si512(); 5];
        for i in 0..5 {
            limbs[i] = _mm512_set1_epi64(k * P[i]);
        }
        Self(limbs)
    }
}
