//! The product itself, on slices.

mod panel;
mod strassen;
pub(crate) mod triangle;

use core::arch::x86_64::{
    __m512, __mmask16, _mm512_fmadd_ps, _mm512_load_ps, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps,
    _mm512_mul_ps, _mm512_set1_ps, _mm512_setzero_ps,
};
use std::arch::is_x86_feature_detected;

use self::panel::Line;

/// Numbers of a register.
const LANES: usize = 16;
/// Columns of a panel: two registers.
const PANEL: usize = 2 * LANES;
/// Rows whose sums fit into registers with two of the panel's and one of the left factor's.
const ROWS: usize = 14;
/// The inner dimension's part that is summed at a time: a panel of it and its rows fit into the second cache.
const DEPTH: usize = 576;

/// A matrix whose rows begin `stride` numbers apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Left<'a> {
    pub(crate) values: &'a [f32],
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) stride: usize,
}

impl Left<'_> {
    /// The part of some rows and columns.
    fn narrow(self, row: usize, end: usize, column: usize, columns: usize) -> Self {
        let values = &self.values[row * self.stride + column..];
        Self { values, rows: end - row, columns, stride: self.stride }
    }
}

/// The right factor, by its own rows or by its columns.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Factor<'a> {
    /// `[inner, columns]`
    Rows { values: &'a [f32], stride: usize },
    /// `[columns, inner]`
    Columns { values: &'a [f32], stride: usize },
}

impl Factor<'_> {
    /// The part from a number of the inner dimension and a column on.
    fn from(self, inner: usize, column: usize) -> Self {
        match self {
            Self::Rows { values, stride } => {
                Self::Rows { values: &values[inner * stride + column..], stride }
            }
            Self::Columns { values, stride } => {
                Self::Columns { values: &values[column * stride + inner..], stride }
            }
        }
    }
}

/// Where the product goes.
#[derive(Debug)]
pub(crate) struct Product<'a> {
    pub(crate) values: &'a mut [f32],
    pub(crate) columns: usize,
    pub(crate) stride: usize,
    /// Whether it is added to what is there.
    pub(crate) add: bool,
}

/// Proof that the processor has the instructions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx512(());

impl Avx512 {
    pub(crate) fn new() -> Option<Self> {
        is_x86_feature_detected!("avx512f").then_some(Self(()))
    }

    /// Multiplies. Panics if a matrix is not within its slice.
    pub(crate) fn multiply(self, left: Left<'_>, right: Factor<'_>, product: Product<'_>) {
        let within = |values: usize, rows: usize, columns: usize, stride: usize| {
            rows == 0
                || columns <= stride && (rows - 1).saturating_mul(stride).saturating_add(columns) <= values
        };
        let inner = left.columns;
        assert!(within(left.values.len(), left.rows, inner, left.stride), "the left factor");
        assert!(within(product.values.len(), left.rows, product.columns, product.stride), "the product");
        assert!(
            match right {
                Factor::Rows { values, stride } => within(values.len(), inner, product.columns, stride),
                Factor::Columns { values, stride } => within(values.len(), product.columns, inner, stride),
            },
            "the right factor"
        );
        if left.rows == 0 || product.columns == 0 {
            return;
        }
        // SAFETY: the processor has AVX-512, or there would be no `self`; every matrix is within its slice.
        #[allow(unsafe_code)]
        unsafe {
            if strassen::worth_halving(left.rows, inner, product.columns) {
                strassen::multiply(left, right, product);
            } else {
                multiply(left, right, product);
            }
        }
    }
}

/// # Safety
/// The processor must have AVX-512F, and every matrix must be within its slice.
#[allow(unsafe_code)]
#[target_feature(enable = "avx512f")]
unsafe fn multiply(left: Left<'_>, right: Factor<'_>, product: Product<'_>) {
    let Left { values: a, rows, columns: inner, stride: lda } = left;
    let Product { values: c, columns, stride: ldc, add } = product;
    let mut panel = vec![[Line::ZERO; 2]; inner.min(DEPTH)];
    let weights = vec![1.0; rows];
    if inner == 0 && !add {
        c.chunks_mut(ldc.max(1)).take(rows).for_each(|row| row[..columns].fill(0.0));
    }
    for from in (0..inner).step_by(DEPTH) {
        let depth = DEPTH.min(inner - from);
        let add = add || from > 0;
        for column in (0..columns).step_by(PANEL) {
            let width = PANEL.min(columns - column);
            right.copy(from, column, width, &mut panel[..depth]);
            // SAFETY: within the slices, as the caller has it: `rows` rows, `depth` numbers from `from` on of the
            // left factor and `width` from `column` on of the product.
            unsafe {
                let target = Target::new(c.as_mut_ptr().add(column), ldc, width, &weights, add);
                let rows = Rows { at: a.as_ptr().add(from), count: rows, stride: lda, step: 1 };
                multiply_panel(rows, &panel[..depth], &[target]);
            }
        }
    }
}

/// The first `count` numbers of a register.
fn mask(count: usize) -> __mmask16 {
    if count >= LANES { !0 } else { (1 << count) - 1 }
}

/// Rows of the left factor that a panel is multiplied with.
#[derive(Debug, Clone, Copy)]
struct Rows {
    at: *const f32,
    count: usize,
    /// From one row to the next, and from one number of a row to the next.
    stride: usize,
    step: usize,
}

/// A panel's columns of the product.
#[derive(Debug, Clone, Copy)]
struct Target<'a> {
    at: *mut f32,
    stride: usize,
    masks: [__mmask16; 2],
    /// What each row is multiplied with where it goes.
    weights: &'a [f32],
    /// Whether it is added to what is there.
    add: bool,
}

/// Multiplies rows with a panel, for each of the targets.
///
/// # Safety
/// The processor must have AVX-512F; each of `rows` must hold as many numbers as the panel has lines, and those of the targets
/// as many as the masks say.
#[allow(unsafe_code)]
#[target_feature(enable = "avx512f")]
unsafe fn multiply_panel(rows: Rows, panel: &[[Line; 2]], targets: &[Target<'_>]) {
    let Rows { at: a, count, stride, step } = rows;
    let mut row = 0;
    while row < count {
        // As many as registers hold, or the next smaller number that there is code for.
        // SAFETY: the caller's, for no more rows than there are.
        row += unsafe {
            let a = a.add(row * stride);
            match count - row {
                ROWS.. => multiply_rows::<ROWS>(a, [stride, step], row, panel, targets),
                8.. => multiply_rows::<8>(a, [stride, step], row, panel, targets),
                4.. => multiply_rows::<4>(a, [stride, step], row, panel, targets),
                2.. => multiply_rows::<2>(a, [stride, step], row, panel, targets),
                _ => multiply_rows::<1>(a, [stride, step], row, panel, targets),
            }
        };
    }
}

/// # Safety
/// As [`multiply_panel`], of `R` rows from `first` on, which lie at `a`. Returns `R`.
#[allow(unsafe_code)]
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn multiply_rows<const R: usize>(
    a: *const f32,
    [stride, step]: [usize; 2],
    first: usize,
    panel: &[[Line; 2]],
    targets: &[Target<'_>],
) -> usize {
    let mut sums = [[_mm512_setzero_ps(); 2]; R];
    for (at, [low, high]) in panel.iter().enumerate() {
        // SAFETY: a line holds a register and is aligned to it; `at` is below the numbers of each row.
        unsafe {
            let (low, high) = (_mm512_load_ps(low.0.as_ptr()), _mm512_load_ps(high.0.as_ptr()));
            for (row, sums) in sums.iter_mut().enumerate() {
                let number = _mm512_set1_ps(*a.add(row * stride + at * step));
                sums[0] = _mm512_fmadd_ps(number, low, sums[0]);
                sums[1] = _mm512_fmadd_ps(number, high, sums[1]);
            }
        }
    }
    for target in targets {
        // SAFETY: the caller's.
        unsafe {
            if target.add {
                target.write::<R, true>(first, &sums);
            } else {
                target.write::<R, false>(first, &sums);
            }
        }
    }
    R
}

impl<'a> Target<'a> {
    /// A panel's first columns.
    fn new(at: *mut f32, stride: usize, columns: usize, weights: &'a [f32], add: bool) -> Self {
        Self { at, stride, masks: [mask(columns), mask(columns.saturating_sub(LANES))], weights, add }
    }

    /// # Safety
    /// As [`multiply_panel`].
    #[allow(unsafe_code)]
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn write<const R: usize, const ADD: bool>(&self, first: usize, sums: &[[__m512; 2]; R]) {
        let [before, behind] = self.masks;
        for ((row, [low, high]), weight) in sums.iter().enumerate().zip(&self.weights[first..][..R]) {
            let weight = _mm512_set1_ps(*weight);
            // SAFETY: what masks leave out is neither read nor written, and the rest is within the row.
            unsafe {
                let low_at = self.at.add((first + row) * self.stride);
                let high_at = low_at.wrapping_add(LANES);
                let (low, high) = if ADD {
                    let (old_low, old_high) =
                        (_mm512_maskz_loadu_ps(before, low_at), _mm512_maskz_loadu_ps(behind, high_at));
                    (_mm512_fmadd_ps(weight, *low, old_low), _mm512_fmadd_ps(weight, *high, old_high))
                } else {
                    (_mm512_mul_ps(weight, *low), _mm512_mul_ps(weight, *high))
                };
                _mm512_mask_storeu_ps(low_at, before, low);
                _mm512_mask_storeu_ps(high_at, behind, high);
            }
        }
    }
}

#[cfg(test)]
mod tests;
