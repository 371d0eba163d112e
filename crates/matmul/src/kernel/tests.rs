//! Products against sums in f64, of shapes around what the kernel cuts matrices into.

use proptest::prelude::*;

use super::*;

fn around(limits: &'static [usize]) -> impl Strategy<Value = usize> {
    let near = prop::sample::select(limits).prop_flat_map(|limit| limit.saturating_sub(1)..=limit + 1);
    prop_oneof![2 => near, 1 => 0..40_usize]
}

/// Rows, inner dimension, columns, and how much further apart than they are long the rows of each matrix are.
fn shape() -> impl Strategy<Value = ([usize; 3], [usize; 3])> {
    let sizes =
        (around(&[ROWS, 2 * ROWS, 64]), around(&[1, DEPTH, 2 * DEPTH]), around(&[LANES, PANEL, 3 * PANEL]));
    (sizes.prop_map(|(rows, inner, columns)| [rows, inner, columns]), prop::array::uniform3(0..5_usize))
}

/// Numbers in (-1, 1) that follow from a seed.
fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed | 1;
    let next = |_| {
        state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(next).collect()
}

/// Two factors and what is there before, each with rows further apart than they are long.
struct Case {
    sizes: [usize; 3],
    strides: [usize; 3],
    by_columns: bool,
    add: bool,
    a: Vec<f32>,
    b: Vec<f32>,
    before: Vec<f32>,
}

impl Case {
    fn new(sizes: [usize; 3], apart: [usize; 3], by_columns: bool, add: bool, seed: u64) -> Self {
        let [rows, inner, columns] = sizes;
        let (right_rows, right_columns) = if by_columns { (columns, inner) } else { (inner, columns) };
        let strides = [inner + apart[0], right_columns + apart[1], columns + apart[2]];
        let (a, b) = (numbers(rows * strides[0], seed), numbers(right_rows * strides[1], !seed));
        let before = numbers(rows * strides[2], seed ^ 0x55);
        Self { sizes, strides, by_columns, add, a, b, before }
    }

    /// Multiplies every number of a row of the left factor, and what is there before.
    fn scale(&mut self, row: usize, by: f32) {
        for (values, stride) in [(&mut self.a, self.strides[0]), (&mut self.before, self.strides[2])] {
            values[row * stride..][..stride].iter_mut().for_each(|number| *number *= by);
        }
    }

    fn product(&self, avx512: Avx512) -> Vec<f32> {
        let ([rows, inner, columns], [lda, ldb, ldc]) = (self.sizes, self.strides);
        let right = match self.by_columns {
            true => Factor::Columns { values: &self.b, stride: ldb },
            false => Factor::Rows { values: &self.b, stride: ldb },
        };
        let mut c = self.before.clone();
        let product = Product { values: &mut c, columns, stride: ldc, add: self.add };
        avx512.multiply(Left { values: &self.a, rows, columns: inner, stride: lda }, right, product);
        c
    }

    /// Holds some rows against sums in f64, each relative to the largest number of its row.
    fn check(&self, found: &[f32], rows: impl Iterator<Item = usize>) -> Result<(), TestCaseError> {
        let ([_, inner, columns], [lda, ldb, ldc]) = (self.sizes, self.strides);
        for row in rows {
            let left = &self.a[row * lda..][..inner];
            let (found, before) = (&found[row * ldc..][..ldc], &self.before[row * ldc..][..ldc]);
            let largest = left.iter().fold(0.0f32, |largest, number| largest.max(number.abs()));
            let bound = 1e-7 * (inner as f64 + 2.0).powf(1.5) + 1e-6;
            for (column, (found, before)) in found.iter().zip(before).enumerate() {
                if column >= columns {
                    prop_assert_eq!(found, before, "what lies between rows");
                    continue;
                }
                let right = |k: usize| {
                    if self.by_columns { self.b[column * ldb + k] } else { self.b[k * ldb + column] }
                };
                let sum: f64 =
                    left.iter().enumerate().map(|(k, a)| f64::from(*a) * f64::from(right(k))).sum();
                let before = if self.add { f64::from(*before) } else { 0.0 };
                let (expected, off) = (sum + before, (f64::from(*found) - sum - before).abs());
                prop_assert!(
                    off <= bound * f64::from(largest) + 1.2e-7 * before.abs(),
                    "{row} {column}: {found} {expected}"
                );
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    #[test]
    fn products_are_sums_of_products((sizes, apart) in shape(), by_columns: bool, add: bool, seed: u64) {
        let Some(avx512) = Avx512::new() else {
            return Ok(());
        };
        let case = Case::new(sizes, apart, by_columns, add, seed);
        case.check(&case.product(avx512), 0..sizes[0])?;
    }

    /// A number does not depend on which rows are beside it.
    #[test]
    fn rows_do_not_depend_on_each_other(rows in 2..40_usize, inner in 1..700_usize, seed: u64) {
        let Some(avx512) = Avx512::new() else {
            return Ok(());
        };
        let (a, b) = (numbers(rows * inner, seed), numbers(inner * 40, !seed));
        let of = |a: &[f32]| {
            let rows = a.len() / inner;
            let mut c = vec![0.0; rows * 40];
            let right = Factor::Rows { values: &b, stride: 40 };
            let product = Product { values: &mut c, columns: 40, stride: 40, add: false };
            avx512.multiply(Left { values: a, rows, columns: inner, stride: inner }, right, product);
            c
        };
        let (all, first) = (of(&a), of(&a[..inner]));
        prop_assert_eq!(&all[..40], &first[..]);
    }
}

/// Shapes that are multiplied by halves, with something left over of each dimension or nothing.
fn halved_shape() -> impl Strategy<Value = ([usize; 3], [usize; 3])> {
    let inner = prop::sample::select(&[512, 513, 576, 577, 578, 960, 1153]);
    let sizes = (256..290_usize, inner, 512..600_usize);
    (sizes.prop_map(|(rows, inner, columns)| [rows, inner, columns]), prop::array::uniform3(0..5_usize))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    /// Rows whose sizes are far apart are each as exact as alone, and what is no number stays in its row.
    #[test]
    fn products_by_halves_are_sums_of_products(
        (sizes, apart) in halved_shape(),
        by_columns: bool,
        add: bool,
        exponents in prop::collection::vec(-30..30_i32, 290),
        spoilt in prop::option::of((0..256_usize, prop::sample::select(&[f32::NAN, f32::INFINITY]))),
        seed: u64,
    ) {
        let Some(avx512) = Avx512::new() else {
            return Ok(());
        };
        prop_assert!(strassen::worth_halving(sizes[0], sizes[1], sizes[2]));
        let mut case = Case::new(sizes, apart, by_columns, add, seed);
        for (row, exponent) in exponents.into_iter().take(sizes[0]).enumerate() {
            case.scale(row, 2f32.powi(exponent));
        }
        case.scale(3, 0.0);
        if let Some((row, number)) = spoilt {
            case.a[row * case.strides[0] + sizes[1] / 2] = number;
        }
        let found = case.product(avx512);
        // Sums in f64 take long: some rows of each half, the last, and those beside the spoilt one.
        let spoilt = spoilt.map(|(row, _)| row);
        let near = spoilt.iter().flat_map(|row| [row + 1, row + sizes[0] / 2]);
        let rows = (0..sizes[0]).step_by(23).chain([3, sizes[0] - 1]).chain(near);
        let rows = rows.filter(|row| *row < sizes[0] && Some(*row) != spoilt);
        case.check(&found, rows.collect::<Vec<_>>().into_iter())?;
        if let Some(row) = spoilt {
            let found = &found[row * case.strides[2]..][..sizes[2]];
            prop_assert!(found.iter().all(|number| !number.is_finite()));
        }
    }
}

#[test]
#[should_panic(expected = "the right factor")]
fn a_matrix_beyond_its_slice_is_refused() {
    let Some(avx512) = Avx512::new() else { panic!("the right factor: no AVX-512 here") };
    let (a, b) = ([0.0; 6], [0.0; 5]);
    let product = Product { values: &mut [0.0; 4], columns: 2, stride: 2, add: false };
    let right = Factor::Rows { values: &b, stride: 2 };
    avx512.multiply(Left { values: &a, rows: 2, columns: 3, stride: 3 }, right, product);
}
