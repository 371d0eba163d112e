//! Roots and inverses, by fixed powers.

use super::Field;

impl Field {
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

/// Replaces each by its inverse, all for the price of one and three products each. None may be zero in any
/// lane.
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
