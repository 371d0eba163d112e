//! The product itself, on slices.

mod panel;

use core::arch::x86_64::{
    __mmask16, _mm512_add_ps, _mm512_fmadd_ps, _mm512_load_ps, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps,
    _mm512_set1_ps, _mm512_setzero_ps,
};
use std::arch::is_x86_feature_detected;

use self::panel::Line;

/// Numbers of a register.
const LANES: usize = 16;
/// Columns of a panel: two registers.
pub(crate) const PANEL: usize = 2 * LANES;
/// Rows whose sums fit into registers with two of the panel's and one of the left factor's.
const ROWS: usize = 14;
/// The inner dimension's part that is summed at a time: a panel of it and its rows fit into the second cache.
pub(crate) const DEPTH: usize = 576;

/// A matrix whose rows begin `stride` numbers apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Left<'a> {
    pub(crate) values: &'a [f32],
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) stride: usize,
}

/// The right factor, by its own rows or by its columns.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Factor<'a> {
    /// `[inner, columns]`
    Rows { values: &'a [f32], stride: usize },
    /// `[columns, inner]`
    Columns { values: &'a [f32], stride: usize },
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
        // SAFETY: the processor has AVX-512, or there would be no `self`; every matrix is within its slice.
        #[allow(unsafe_code)]
        unsafe {
            multiply(left, right, product);
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
    if inner == 0 && !add {
        c.chunks_mut(ldc.max(1)).take(rows).for_each(|row| row[..columns].fill(0.0));
    }
    for from in (0..inner).step_by(DEPTH) {
        let depth = DEPTH.min(inner - from);
        let add = add || from > 0;
        for column in (0..columns).step_by(PANEL) {
            let width = PANEL.min(columns - column);
            right.copy(from, column, width, &mut panel[..depth]);
            let masks = [mask(width), mask(width.saturating_sub(LANES))];
            let mut row = 0;
            while row < rows {
                // SAFETY: within the slices, as the caller has it: rows below `rows`, `depth` numbers from
                // `from` on of the left factor and `width` from `column` on of the product.
                row += unsafe {
                    let a = a.as_ptr().add(row * lda + from);
                    let tile = Tile { a, lda, c: c.as_mut_ptr().add(row * ldc + column), ldc, masks, add };
                    tile.some_rows(rows - row, &panel[..depth])
                };
            }
        }
    }
}

/// The first `count` numbers of a register.
fn mask(count: usize) -> __mmask16 {
    if count >= LANES { !0 } else { (1 << count) - 1 }
}

/// Some rows of the left factor, and a panel's columns of the product.
struct Tile {
    a: *const f32,
    lda: usize,
    c: *mut f32,
    ldc: usize,
    masks: [__mmask16; 2],
    add: bool,
}

impl Tile {
    /// Multiplies as many of `rows` as registers hold, or the next smaller number that there is code for, and says how many.
    ///
    /// # Safety
    /// The processor must have AVX-512F; the rows must hold as many numbers as the panel has lines, those of the product as
    /// many as the masks say.
    #[allow(unsafe_code)]
    #[target_feature(enable = "avx512f")]
    unsafe fn some_rows(&self, rows: usize, panel: &[[Line; 2]]) -> usize {
        // SAFETY: the caller's, for no more rows than there are.
        unsafe {
            match rows {
                ROWS.. => self.rows::<ROWS>(panel),
                8.. => self.rows::<8>(panel),
                4.. => self.rows::<4>(panel),
                2.. => self.rows::<2>(panel),
                _ => self.rows::<1>(panel),
            }
        }
    }

    /// # Safety
    /// As [`Tile::some_rows`], of `R` rows, which it returns.
    #[allow(unsafe_code)]
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn rows<const R: usize>(&self, panel: &[[Line; 2]]) -> usize {
        let mut sums = [[_mm512_setzero_ps(); 2]; R];
        for (at, [low, high]) in panel.iter().enumerate() {
            // SAFETY: a line holds a register and is aligned to it; `at` is below the numbers of each row.
            unsafe {
                let (low, high) = (_mm512_load_ps(low.0.as_ptr()), _mm512_load_ps(high.0.as_ptr()));
                for (row, sums) in sums.iter_mut().enumerate() {
                    let number = _mm512_set1_ps(*self.a.add(row * self.lda + at));
                    sums[0] = _mm512_fmadd_ps(number, low, sums[0]);
                    sums[1] = _mm512_fmadd_ps(number, high, sums[1]);
                }
            }
        }
        let [first, second] = self.masks;
        for (row, [mut low, mut high]) in sums.into_iter().enumerate() {
            // SAFETY: what masks leave out is neither read nor written, and the rest is within the row.
            unsafe {
                let at = self.c.add(row * self.ldc);
                let behind = at.wrapping_add(LANES);
                if self.add {
                    low = _mm512_add_ps(low, _mm512_maskz_loadu_ps(first, at));
                    high = _mm512_add_ps(high, _mm512_maskz_loadu_ps(second, behind));
                }
                _mm512_mask_storeu_ps(at, first, low);
                _mm512_mask_storeu_ps(behind, second, high);
            }
        }
        R
    }
}

#[cfg(test)]
mod tests;
