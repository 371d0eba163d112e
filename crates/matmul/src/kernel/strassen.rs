//! Large products by seven products of halves instead of eight (Strassen, "Gaussian elimination is not optimal").
//!
//! Panels of the right factor's quarters are summed when they are near already, and a product of halves is added to the one or
//! two quarters of the result that it belongs to while it is in registers (Huang et al., "Strassen's algorithm
//! reloaded"). Rows are brought to one size before, by powers of two, so that a row's error is relative to that row
//! (or to 2⁻⁶⁰ if that is larger) and not to the one that it is added to (Ballard et al., "Improving the numerical stability of fast matrix
//! multiplication").

use core::arch::x86_64::{
    _MM_HINT_T0, _mm_prefetch, _mm512_abs_ps, _mm512_add_ps, _mm512_castps_si512, _mm512_mask_storeu_ps,
    _mm512_maskz_loadu_ps, _mm512_max_epu32, _mm512_mul_ps, _mm512_reduce_max_epu32, _mm512_set1_ps,
    _mm512_setzero_si512, _mm512_sub_ps,
};

use std::cell::Cell;

use super::{
    Factor, LANES, Left, PANEL, Product, Rows, Target, mask, multiply as multiply_whole, multiply_panel,
    panel::{Line, add_panels, load},
};

/// Rows, inner dimension and columns from which on halves are faster.
const WORTH_HALVING: [usize; 3] = [256, 512, 512];
/// The most of half an inner dimension that is summed at a time: its panels and a part of the left factor fit into the second cache.
const HALF_DEPTH: usize = 288;
/// Two to this power is the largest scale of a row, and its inverse the smallest: what is smaller is rounded as if it were that.
const LARGEST_EXPONENT: i32 = 60;

/// Half a product's rows up to which a thread keeps the room for sums.
const MOST_KEPT_ROWS: usize = 4096;

/// What a product of halves is added to: a quarter of the result, and the weight of each row.
type Part<'a> = (usize, &'a [f32]);

/// Whether a product of such a size is faster by halves.
pub(super) fn worth_halving(rows: usize, inner: usize, columns: usize) -> bool {
    [rows, inner, columns].iter().zip(WORTH_HALVING).all(|(size, worth)| *size >= worth)
}

/// # Safety
/// The processor must have AVX-512F, and every matrix must be within its slice.
#[allow(unsafe_code)]
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn multiply(left: Left<'_>, right: Factor<'_>, product: Product<'_>) {
    let (half_rows, half_columns) = (left.rows / 2, product.columns / (2 * PANEL) * PANEL);
    let (even_rows, even_columns) = (2 * half_rows, 2 * half_columns);
    let Product { values, columns, stride, add } = product;
    let inner = left.columns;
    let mut quarters = ROOM.take();
    quarters.resize(half_rows, inner);
    let mut from = 0;
    while from < inner {
        let add = add || from > 0;
        let half = quarters.half_depth.min((inner - from) / 2);
        let part = left.narrow(0, even_rows, from, if half == 0 { inner - from } else { 2 * half });
        let product = Product { values: &mut *values, columns: even_columns, stride, add };
        // SAFETY: parts of matrices that are within their slices.
        unsafe {
            if half > 0 && quarters.sum_left(part) {
                quarters.multiply(part, right.from(from, 0), product);
            } else {
                multiply_whole(part, right.from(from, 0), product);
            }
        }
        from += part.columns;
    }
    // SAFETY: parts of matrices that are within their slices.
    unsafe {
        if even_columns < columns {
            let values = &mut values[even_columns..];
            let product = Product { values, columns: columns - even_columns, stride, add };
            multiply_whole(left.narrow(0, even_rows, 0, inner), right.from(0, even_columns), product);
        }
        if even_rows < left.rows {
            let product = Product { values: &mut values[even_rows * stride..], columns, stride, add };
            multiply_whole(left.narrow(even_rows, left.rows, 0, inner), right, product);
        }
    }
    if quarters.rows <= MOST_KEPT_ROWS {
        ROOM.set(quarters);
    }
}

thread_local! {
    /// A few megabytes, which would be cleared each time.
    static ROOM: Cell<Quarters> = Cell::default();
}

/// Room for what is made of quarters, which are counted by rows: 0 and 1 are the upper ones.
#[derive(Debug, Default)]
struct Quarters {
    rows: usize,
    half_depth: usize,
    /// Sums of quarters of the left factor, their rows scaled.
    left_sums: [Vec<f32>; 5],
    /// Panels of the right factor's quarters and of their sums.
    panels: Panels,
    /// One of each row, the scales of the upper half's rows and of the lower's, and the same with the other sign.
    one: Vec<f32>,
    scales: [Vec<f32>; 2],
    minus: [Vec<f32>; 2],
    /// Scales of the lower half's over those of the upper, and the other way.
    lower_by_upper: Vec<f32>,
    upper_by_lower: Vec<f32>,
}

impl Quarters {
    fn resize(&mut self, rows: usize, inner: usize) {
        let parts = inner.div_ceil(2 * HALF_DEPTH);
        (self.rows, self.half_depth) = (rows, inner.div_ceil(2 * parts));
        self.left_sums.iter_mut().for_each(|sum| grow(sum, rows * self.half_depth, 0.0));
        self.panels.resize(self.half_depth);
        grow(&mut self.one, rows, 1.0);
        let weights = self.scales.iter_mut().chain(&mut self.minus);
        weights
            .chain([&mut self.lower_by_upper, &mut self.upper_by_lower])
            .for_each(|row| grow(row, rows, 0.0));
    }

    /// Makes the sums of the left factor's quarters, unless a row holds what is no number: other rows must not see it.
    #[target_feature(enable = "avx512f")]
    fn sum_left(&mut self, left: Left<'_>) -> bool {
        let half = left.columns / 2;
        for row in 0..self.rows {
            let [upper, lower] =
                [row, self.rows + row].map(|row| &left.values[row * left.stride..][..left.columns]);
            let scales = (scale(upper, left.stride), scale(lower, left.stride));
            let (Some(upper_scale), Some(lower_scale)) = scales else { return false };
            // Zeros stay zeros: whatever is added to their rows is multiplied with zero.
            let ratio = |of: f32, by: f32| if by == 0.0 { 0.0 } else { of / by };
            let inverse = |of: f32| if of == 0.0 { 1.0 } else { of.recip() };
            self.scales[0][row] = upper_scale;
            self.scales[1][row] = lower_scale;
            self.minus[0][row] = -upper_scale;
            self.minus[1][row] = -lower_scale;
            self.lower_by_upper[row] = ratio(lower_scale, upper_scale);
            self.upper_by_lower[row] = ratio(upper_scale, lower_scale);
            let sums = self.left_sums.each_mut().map(|sum| &mut sum[row * half..][..half]);
            sum_row([upper, lower], [inverse(upper_scale), inverse(lower_scale)], sums);
        }
        true
    }

    /// Multiplies an even part of the left factor, whose sums are made, with that of the right factor.
    ///
    /// # Safety
    /// The processor must have AVX-512F, and every matrix must be within its slice.
    #[allow(unsafe_code)]
    #[target_feature(enable = "avx512f")]
    unsafe fn multiply(&mut self, left: Left<'_>, right: Factor<'_>, product: Product<'_>) {
        let Product { values, columns, stride, add } = product;
        let (rows, half, half_columns) = (self.rows, left.columns / 2, columns / 2);
        let result = Halves { at: values.as_mut_ptr(), stride, rows, columns: half_columns };
        let (one, [upper, lower], [minus_upper, minus_lower]) = (&self.one, &self.scales, &self.minus);
        let quarter = |row: usize, column: usize| (&left.values[row * left.stride + column..], left.stride);
        let sum = |at: usize| (&*self.left_sums[at], half);
        for column in (0..half_columns).step_by(PANEL) {
            self.panels.fill(right, [half, half_columns], column);
            let Panels { upper_left: b11, lower_right: b22, sums: b, .. } = &self.panels;
            let products: [(_, _, Part<'_>, Option<Part<'_>>); 7] = [
                (sum(0), &b[0], (0, upper), Some((3, lower))),
                (sum(1), b11, (2, lower), Some((3, minus_lower))),
                (quarter(0, 0), &b[1], (1, one), Some((3, &self.lower_by_upper))),
                (quarter(rows, half), &b[2], (0, &self.upper_by_lower), Some((2, one))),
                (sum(2), b22, (0, minus_upper), Some((1, upper))),
                (sum(3), &b[3], (3, lower), None),
                (sum(4), &b[4], (0, upper), None),
            ];
            let mut written = [add; 4];
            for ((a, lda), panel, first, second) in products {
                let panel = &panel[..half];
                let mut target = |part| result.target(part, column, &mut written);
                // SAFETY: the left factor's rows hold `half` numbers from here on, the targets' rows a panel's.
                unsafe {
                    let rows = Rows { at: a.as_ptr(), count: rows, stride: lda, step: 1 };
                    match second {
                        None => multiply_panel(rows, panel, &[target(first)]),
                        Some(second) => multiply_panel(rows, panel, &[target(first), target(second)]),
                    }
                }
            }
        }
    }
}

fn grow<T: Copy>(values: &mut Vec<T>, len: usize, value: T) {
    if values.len() < len {
        values.resize(len, value);
    }
}

/// A panel of each quarter of the right factor that products need, and of sums of quarters.
#[derive(Debug, Default)]
struct Panels {
    upper_left: Vec<[Line; 2]>,
    lower_right: Vec<[Line; 2]>,
    /// Upper right and lower left, if sums are made of panels.
    others: [Vec<[Line; 2]>; 2],
    sums: [Vec<[Line; 2]>; 5],
}

impl Panels {
    fn resize(&mut self, depth: usize) {
        let Self { upper_left, lower_right, others, sums } = self;
        let all = [upper_left, lower_right].into_iter().chain(others).chain(sums);
        all.for_each(|panel| grow(panel, depth, [Line::ZERO; 2]));
    }

    /// Fills them with columns from `column` on of quarters of such a size.
    #[target_feature(enable = "avx512f")]
    fn fill(&mut self, right: Factor<'_>, [depth, columns]: [usize; 2], column: usize) {
        let Self { upper_left, lower_right, others: [upper_right, lower_left], sums } = self;
        if let Factor::Rows { values, stride } = right {
            for at in 0..depth {
                let row = |row: usize, column: usize| &values[row * stride + column..][..PANEL];
                let [b11, b12] = [row(at, column), row(at, columns + column)];
                let [b21, b22] = [row(depth + at, column), row(depth + at, columns + column)];
                for half in 0..2 {
                    let of = |row: &[f32]| load(&row[half * LANES..]);
                    let (b11, b12, b21, b22) = (of(b11), of(b12), of(b21), of(b22));
                    upper_left[at][half].write(b11);
                    lower_right[at][half].write(b22);
                    let found = [
                        _mm512_add_ps(b11, b22),
                        _mm512_sub_ps(b12, b22),
                        _mm512_sub_ps(b21, b11),
                        _mm512_add_ps(b11, b12),
                        _mm512_add_ps(b21, b22),
                    ];
                    for (sum, found) in sums.iter_mut().zip(found) {
                        sum[at][half].write(found);
                    }
                }
            }
            return;
        }
        let quarters = [&mut *upper_left, upper_right, lower_left, lower_right];
        for (at, panel) in quarters.into_iter().enumerate() {
            right.copy(at / 2 * depth, at % 2 * columns + column, PANEL, &mut panel[..depth]);
        }
        let (b11, b12, b21, b22) = (&*upper_left, &*upper_right, &*lower_left, &*lower_right);
        let summands =
            [(b11, b22, 1.0), (b12, b22, -1.0), (b21, b11, -1.0), (b11, b12, 1.0), (b21, b22, 1.0)];
        for ((first, second, sign), sum) in summands.into_iter().zip(sums) {
            add_panels([&first[..depth], &second[..depth]], sign, &mut sum[..depth]);
        }
    }
}

/// A result's quarters, of so many rows and columns.
#[derive(Debug, Clone, Copy)]
struct Halves {
    at: *mut f32,
    stride: usize,
    rows: usize,
    columns: usize,
}

impl Halves {
    /// A panel of a quarter, which is added to once it is written.
    fn target<'a>(self, (quarter, weights): Part<'a>, column: usize, written: &mut [bool; 4]) -> Target<'a> {
        let from = quarter / 2 * self.rows * self.stride + quarter % 2 * self.columns + column;
        let add = std::mem::replace(&mut written[quarter], true);
        Target::new(self.at.wrapping_add(from), self.stride, PANEL, weights, add)
    }
}

/// Five sums of a row of the upper half and one of the lower, each cut in the middle and multiplied with its number.
#[inline]
#[target_feature(enable = "avx512f")]
fn sum_row([upper, lower]: [&[f32]; 2], by: [f32; 2], mut sums: [&mut [f32]; 5]) {
    let half = upper.len() / 2;
    assert!(lower.len() == 2 * half && sums.iter().all(|sum| sum.len() == half));
    let [by_upper, by_lower] = by.map(|by| _mm512_set1_ps(by));
    for at in (0..half).step_by(LANES) {
        let mask = mask(half - at);
        // SAFETY: the rows are of two halves, sums of one, and masks leave out what is beyond.
        #[allow(unsafe_code)]
        unsafe {
            let load = |row: &[f32], from: usize| _mm512_maskz_loadu_ps(mask, row.as_ptr().add(from + at));
            let (a11, a12) = (load(upper, 0), load(upper, half));
            let (a21, a22) = (load(lower, 0), load(lower, half));
            let (a11, a12) = (_mm512_mul_ps(a11, by_upper), _mm512_mul_ps(a12, by_upper));
            let (a21, a22) = (_mm512_mul_ps(a21, by_lower), _mm512_mul_ps(a22, by_lower));
            let of = [
                _mm512_add_ps(a11, a22),
                _mm512_add_ps(a21, a22),
                _mm512_add_ps(a11, a12),
                _mm512_sub_ps(a21, a11),
                _mm512_sub_ps(a12, a22),
            ];
            for (sum, of) in sums.iter_mut().zip(of) {
                _mm512_mask_storeu_ps(sum.as_mut_ptr().add(at), mask, of);
            }
        }
    }
}

/// A power of two above a row's numbers, or near it for the largest and the smallest; zero of zeros, `None` if one is not
/// finite.
/// What lies `apart` numbers from them is fetched meanwhile.
#[inline]
#[target_feature(enable = "avx512f")]
fn scale(row: &[f32], apart: usize) -> Option<f32> {
    let mut largest = _mm512_setzero_si512();
    for at in (0..row.len()).step_by(LANES) {
        // SAFETY: masks leave out what is beyond the row; what is fetched is not read.
        #[allow(unsafe_code)]
        let numbers = unsafe {
            let from = row.as_ptr().add(at);
            _mm_prefetch::<_MM_HINT_T0>(from.wrapping_add(apart).cast());
            _mm512_maskz_loadu_ps(mask(row.len() - at), from)
        };
        largest = _mm512_max_epu32(largest, _mm512_castps_si512(_mm512_abs_ps(numbers)));
    }
    let largest = _mm512_reduce_max_epu32(largest);
    if largest == 0 {
        return Some(0.0);
    }
    let exponent = (largest >> 23) as i32 - 126;
    (exponent < 129).then(|| 2f32.powi(exponent.clamp(-LARGEST_EXPONENT, LARGEST_EXPONENT)))
}
