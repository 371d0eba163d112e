//! Products with square matrices of which only what is on and left of the diagonal counts, as in causal attention.

use super::{Avx512, Factor, PANEL, ROWS, Rows, Target, multiply_panel, panel::Line};
use crate::memory::View;

/// Rows that are multiplied with what is left of the last one's diagonal.
const BLOCK: usize = 2 * ROWS;

/// Multiplies square matrices of `size` with matrices of `width` columns.
#[derive(Debug)]
pub(crate) struct Triangles {
    size: usize,
    width: usize,
    panel: Vec<[Line; 2]>,
    weights: Vec<f32>,
}

impl Triangles {
    pub(crate) fn new(_: Avx512, size: usize, width: usize, scale: f32) -> Self {
        let panel = vec![[Line::ZERO; 2]; size.max(width)];
        Self { size, width, panel, weights: vec![scale; size] }
    }

    /// Writes `a · bᵀ` with the scale, or adds it, on and left of the diagonal; what is right of it may or may not change.
    ///
    /// # Safety
    /// The processor must have AVX-512F (`new` takes the proof), `a` and `b` must be of `size` rows and `width` columns, `product` of `size` rows and columns, `size` must not be
    /// zero, nobody else may write to them, and `product` must overlap none of the others.
    #[allow(unsafe_code)]
    #[target_feature(enable = "avx512f")]
    pub(crate) unsafe fn product(
        &mut self,
        a: View<*const f32>,
        b: View<*const f32>,
        product: View<*mut f32>,
        add: bool,
    ) {
        let Self { size, width, panel, weights } = self;
        let (size, width) = (*size, *width);
        // SAFETY: the caller's.
        let values = unsafe { numbers(b, size, width) };
        for column in (0..size).step_by(PANEL) {
            let columns = PANEL.min(size - column);
            Factor::Columns { values, stride: b.stride }.copy(0, column, columns, &mut panel[..width]);
            // SAFETY: the caller's, from row and column `column` on.
            unsafe {
                let rows =
                    Rows { at: a.at.add(column * a.stride), count: size - column, stride: a.stride, step: 1 };
                let at = product.at.add(column * product.stride + column);
                multiply_panel(
                    rows,
                    &panel[..width],
                    &[Target::new(at, product.stride, columns, weights, add)],
                );
            }
        }
    }

    /// Writes `lower · right`, or adds it. What is right of the diagonal must be zero.
    ///
    /// # Safety
    /// The processor must have AVX-512F, `lower` must be of `size` rows and columns, the others of `size` rows and `width` columns, `size` must not be
    /// zero, nobody else may write to them, and `product` must overlap none of the others.
    #[allow(unsafe_code)]
    #[target_feature(enable = "avx512f")]
    pub(crate) unsafe fn multiply(
        &mut self,
        lower: View<*const f32>,
        transposed: bool,
        right: View<*const f32>,
        product: View<*mut f32>,
        add: bool,
    ) {
        let Self { size, width, panel, weights } = self;
        let (size, width) = (*size, *width);
        // SAFETY: the caller's.
        let values = unsafe { numbers(right, size, width) };
        for column in (0..width).step_by(PANEL) {
            let columns = PANEL.min(width - column);
            Factor::Rows { values, stride: right.stride }.copy(0, column, columns, &mut panel[..size]);
            for row in (0..size).step_by(BLOCK) {
                let count = BLOCK.min(size - row);
                // SAFETY: the caller's: rows from `row` on, and numbers to the last of them, or from the first on.
                unsafe {
                    let (rows, panel) = if transposed {
                        let at = lower.at.add(row * lower.stride + row);
                        (Rows { at, count, stride: 1, step: lower.stride }, &panel[row..size])
                    } else {
                        let at = lower.at.add(row * lower.stride);
                        (Rows { at, count, stride: lower.stride, step: 1 }, &panel[..row + count])
                    };
                    let at = product.at.add(row * product.stride + column);
                    multiply_panel(rows, panel, &[Target::new(at, product.stride, columns, weights, add)]);
                }
            }
        }
    }
}

/// All numbers of a matrix.
///
/// # Safety
/// It must have so many rows, at least one, and columns, and while they are used nobody may free it or write to it.
#[allow(unsafe_code)]
unsafe fn numbers<'a>(matrix: View<*const f32>, rows: usize, columns: usize) -> &'a [f32] {
    // SAFETY: the caller's.
    unsafe { std::slice::from_raw_parts(matrix.at, (rows - 1) * matrix.stride + columns) }
}
