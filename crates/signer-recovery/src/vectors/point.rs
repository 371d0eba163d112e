//! Eight points of secp256k1 side by side, in Jacobian coordinates: `(X / Z^2, Y / Z^3)`.
//!
//! The formulas are the incomplete ones, which are wrong where a point meets itself, its negative or infinity.
//! In each of these cases `Z` becomes zero, and every later sum or double of such a point keeps it at zero, so
//! that one look at the end tells.

use core::arch::x86_64::__mmask8;

use super::field::{Field, Sum};

/// Multiples of a point that a table holds: 1, 3, … 15 times it.
pub(crate) const ODD_MULTIPLES: usize = 8;

/// Points with an implied `Z` of one, of magnitude 1.
#[derive(Clone, Copy)]
pub(crate) struct Affine {
    pub(crate) x: Field,
    pub(crate) y: Field,
}

/// Points in Jacobian coordinates, of magnitude 1; y is of magnitude 2 where the point has just been negated.
#[derive(Clone, Copy)]
pub(crate) struct Jacobian {
    pub(crate) x: Field,
    pub(crate) y: Field,
    pub(crate) z: Field,
}

impl Jacobian {
    /// Twice the point (Bernstein and Lange's `dbl-2009-l`).
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn double(&self) -> Self {
        let b = self.y.square();
        let e = self.x.square_thrice();
        let z = self.y.mul_twice(&self.z);
        let xb = self.x.mul(&b);
        // X3 = E^2 - 8 X B, Y3 = E (4 X B - X3) - 8 B^2
        let x = e.square_plus(&Sum::multiple(9).sub_shifted::<3>(&xb));
        let c = b.square();
        let rest = Sum::multiple(2).add_shifted::<2>(&xb).sub(&x).carry();
        let y = e.mul_plus(&rest, &Sum::multiple(9).sub_shifted::<3>(&c));
        Self { x, y, z }
    }

    /// The sum with `(x, y)`, or in the lanes of `negative` with `(x, -y)` (`madd`, eight products and three
    /// squares).
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn add(&self, point: &Affine, negative: __mmask8) -> Self {
        let zz = self.z.square();
        let u = point.x.mul(&zz);
        let s = point.y.mul(&self.z).mul(&zz);
        let h = u.sum().plus(&Sum::multiple(2)).sub(&self.x).carry();
        // y is of magnitude 2 at most, s of 1.
        let r = Sum::multiple(4).sub(&self.y).add_signed(&s, negative).carry();
        let hh = h.square();
        let v = self.x.mul(&hh);
        let hhh = h.mul(&hh).negate();
        let z = self.z.mul(&h);
        let x = r.square_plus(&Sum::multiple(3).sub_shifted::<1>(&v).add(&hhh));
        let rest = v.sum().plus(&Sum::multiple(2)).sub(&x).carry();
        let y = r.mul_plus_mul(&rest, &self.y, &hhh);
        Self { x, y, z }
    }
}

/// The odd multiples of points while their common `Z` is not known: `steps[i]` is what `Z` of multiple `i + 1`
/// was multiplied by to become that of multiple `i + 2`.
pub(crate) struct Chain {
    multiples: [Affine; ODD_MULTIPLES],
    steps: [Field; ODD_MULTIPLES - 2],
    /// `Z` of the greatest multiple.
    pub(crate) z: Field,
}

impl Chain {
    /// The multiples of `point` by additions of twice the point, which take on the sum's `Z` as they go
    /// (Meloni's co-Z additions).
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn new(point: &Affine) -> Self {
        // Twice the point, and the point with the same Z = 2 y.
        let b = point.y.square();
        let e = point.x.square_thrice();
        let xb = point.x.mul(&b);
        let mut z = point.y.sum().add(&point.y).carry();
        let x = e.square_plus(&Sum::multiple(9).sub_shifted::<3>(&xb));
        let c = b.square();
        let eight_c = Sum::multiple(9).sub_shifted::<3>(&c);
        let rest = Sum::multiple(2).add_shifted::<2>(&xb).sub(&x).carry();
        let mut twice = Affine { x, y: e.mul_plus(&rest, &eight_c) };
        let four_xb = xb.sum().shift::<2>().carry();
        let minus_eight_c = eight_c.carry();
        let mut last = Affine { x: four_xb, y: Sum::multiple(11).sub(&minus_eight_c).carry() };

        let mut multiples = [*point; ODD_MULTIPLES];
        let mut steps = [z; ODD_MULTIPLES - 2];
        for i in 1..ODD_MULTIPLES {
            // (X1, Y1) is twice the point, (X2, Y2) the last multiple.
            let step = twice.x.sum().plus(&Sum::multiple(6)).sub(&last.x).carry();
            let c = step.square();
            let w1 = twice.x.mul(&c);
            let w2 = last.x.mul(&c);
            let dy = twice.y.sum().plus(&Sum::multiple(13)).sub(&last.y).carry();
            let x = dy.square_plus(&Sum::multiple(3).sub(&w1).sub(&w2));
            let dw = w2.sum().plus(&Sum::multiple(2)).sub(&w1).carry();
            // -A1, where A1 = Y1 (W1 - W2)
            let minus_a = twice.y.mul(&dw);
            let rest = w1.sum().plus(&Sum::multiple(2)).sub(&x).carry();
            let y = dy.mul_plus(&rest, &minus_a.sum());
            z = z.mul(&step);
            if i > 1 {
                steps[i - 2] = step;
            }
            twice = Affine { x: w1, y: minus_a.negate() };
            last = Affine { x, y };
            multiples[i] = last;
        }
        Self { multiples, steps, z }
    }

    /// The multiples with `Z` of one, `inverse` being that of `self.z`.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn normalize(&self, inverse: &Field) -> [Affine; ODD_MULTIPLES] {
        let mut multiples = self.multiples;
        let mut inverse = *inverse;
        for i in (1..ODD_MULTIPLES).rev() {
            let squared = inverse.square();
            multiples[i].x = multiples[i].x.mul(&squared);
            multiples[i].y = multiples[i].y.mul(&squared.mul(&inverse));
            if i > 1 {
                inverse = inverse.mul(&self.steps[i - 2]);
            }
        }
        multiples
    }
}
