//! Eight elements of secp256k1's field side by side, each in five limbs of 52 bits.
//!
//! An element is a value below `m * (2^256 + 2^218)`, its *magnitude* `m` being at most 15: limbs 0 to 3 are below `2^52`,
//! limb 4 below `m * (2^48 + 2^10)`. Products are of magnitude 1; a product's factors may have magnitudes whose product is below 256,
//! for then it fits ten limbs. [`Sum`] holds what has not been carried yet, for the multiplier takes 52 bits only.

use core::arch::x86_64::{
    __m512i, __mmask8, _mm512_add_epi64, _mm512_and_si512, _mm512_cmpeq_epi64_mask, _mm512_madd52hi_epu64,
    _mm512_madd52lo_epu64, _mm512_mask_mov_epi64, _mm512_mask_sub_epi64, _mm512_or_si512, _mm512_set1_epi64,
    _mm512_setzero_si512, _mm512_slli_epi64, _mm512_srli_epi64, _mm512_sub_epi64, _mm512_test_epi64_mask,
};

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

/// Sums of elements, whose limbs may be wider than 52 bits.
#[derive(Clone, Copy)]
pub(crate) struct Sum([__m512i; 5]);

/// The ten limbs of a product, not carried.
#[derive(Clone, Copy)]
struct Product([__m512i; 10]);

#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn mask52() -> __m512i {
    _mm512_set1_epi64(LOW_52)
}

impl Product {
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn zero() -> Self {
        Self([_mm512_setzero_si512(); 10])
    }

    /// Adds `a * b`.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn add(mut self, a: &Field, b: &Field) -> Self {
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
    fn square(a: &Field) -> Self {
        let mut z = Self::zero();
        for i in 0..5 {
            for j in i + 1..5 {
                z.0[i + j] = _mm512_madd52lo_epu64(z.0[i + j], a.0[i], a.0[j]);
                z.0[i + j + 1] = _mm512_madd52hi_epu64(z.0[i + j + 1], a.0[i], a.0[j]);
            }
        }
        for limb in &mut z.0 {
            *limb = _mm512_add_epi64(*limb, *limb);
        }
        for i in 0..5 {
            z.0[2 * i] = _mm512_madd52lo_epu64(z.0[2 * i], a.0[i], a.0[i]);
            z.0[2 * i + 1] = _mm512_madd52hi_epu64(z.0[2 * i + 1], a.0[i], a.0[i]);
        }
        z
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn plus(mut self, sum: &Sum) -> Self {
        for i in 0..5 {
            self.0[i] = _mm512_add_epi64(self.0[i], sum.0[i]);
        }
        self
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn twice(mut self) -> Self {
        for limb in &mut self.0 {
            *limb = _mm512_add_epi64(*limb, *limb);
        }
        self
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn thrice(mut self) -> Self {
        for limb in &mut self.0 {
            *limb = _mm512_add_epi64(_mm512_add_epi64(*limb, *limb), *limb);
        }
        self
    }

    /// The element of magnitude 1 that is congruent. The limbs must be below `2^60`, the whole below `2^520`.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn reduce(self) -> Field {
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

    /// `self^(2^N)`.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn square_times(&self, n: u32) -> Self {
        let mut x = *self;
        for _ in 0..n {
            x = x.square();
        }
        x
    }

    /// `-self`, for magnitude 1.
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

    /// `self^(2^223 - 1)`, `self^(2^22 - 1)` and `self^3`, which roots and inverses have in common.
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn runs_of_ones(&self) -> (Self, Self, Self) {
        let x2 = self.square().mul(self);
        let x3 = x2.square().mul(self);
        let x6 = x3.square_times(3).mul(&x3);
        let x9 = x6.square_times(3).mul(&x3);
        let x11 = x9.square_times(2).mul(&x2);
        let x22 = x11.square_times(11).mul(&x11);
        let x44 = x22.square_times(22).mul(&x22);
        let x88 = x44.square_times(44).mul(&x44);
        let x176 = x88.square_times(88).mul(&x88);
        let x220 = x176.square_times(44).mul(&x44);
        let x223 = x220.square_times(3).mul(&x3);
        (x223, x22, x2)
    }

    /// `self^((p + 1) / 4)`: a square root where there is one.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn sqrt(&self) -> Self {
        let (x223, x22, x2) = self.runs_of_ones();
        x223.square_times(23).mul(&x22).square_times(6).mul(&x2).square_times(2)
    }

    /// `self^(p - 2)`: the inverse, zero for zero.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn invert(&self) -> Self {
        let (x223, x22, x2) = self.runs_of_ones();
        x223.square_times(23)
            .mul(&x22)
            .square_times(5)
            .mul(self)
            .square_times(3)
            .mul(&x2)
            .square_times(2)
            .mul(self)
    }
}

/// Replaces each by its inverse, all for the price of one and three products each. None may be zero in any lane.
#[target_feature(enable = "avx512f,avx512ifma")]
pub(crate) fn invert_all(elements: &mut [Field]) {
    let mut product = Field::splat(1);
    let mut before = Vec::with_capacity(elements.len());
    for element in &*elements {
        before.push(product);
        product = product.mul(element);
    }
    let mut inverse = product.invert();
    for (element, before) in elements.iter_mut().zip(before).rev() {
        let next = inverse.mul(element);
        *element = inverse.mul(&before);
        inverse = next;
    }
}
