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

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    #[test]
    fn products_are_sums_of_products((sizes, apart) in shape(), by_columns: bool, add: bool, seed: u64) {
        let Some(avx512) = Avx512::new() else {
            return Ok(());
        };
        let [rows, inner, columns] = sizes;
        let (lda, ldc) = (inner + apart[0], columns + apart[2]);
        let (right_rows, right_columns) = if by_columns { (columns, inner) } else { (inner, columns) };
        let ldb = right_columns + apart[1];
        let (a, b) = (numbers(rows * lda, seed), numbers(right_rows * ldb, !seed));
        let before = numbers(rows * ldc, seed ^ 0x55);
        let mut c = before.clone();
        let right = match by_columns {
            true => Factor::Columns { values: &b, stride: ldb },
            false => Factor::Rows { values: &b, stride: ldb },
        };
        let product = Product { values: &mut c, columns, stride: ldc, add };
        avx512.multiply(Left { values: &a, rows, columns: inner, stride: lda }, right, product);
        for (at, (found, before)) in c.iter().zip(&before).enumerate() {
            let (row, column) = (at / ldc, at % ldc);
            if column >= columns {
                prop_assert_eq!(found, before, "what lies between rows");
                continue;
            }
            let right = |k: usize| if by_columns { b[column * ldb + k] } else { b[k * ldb + column] };
            let sum: f64 = (0..inner).map(|k| f64::from(a[row * lda + k]) * f64::from(right(k))).sum();
            let expected = sum + if add { f64::from(*before) } else { 0.0 };
            let bound = 1e-7 * (inner as f64 + 2.0).powf(1.5) + 1e-6;
            prop_assert!((f64::from(*found) - expected).abs() < bound, "{row} {column}: {found} {expected}");
        }
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

#[test]
#[should_panic(expected = "the right factor")]
fn a_matrix_beyond_its_slice_is_refused() {
    let Some(avx512) = Avx512::new() else { panic!("the right factor: no AVX-512 here") };
    let (a, b) = ([0.0; 6], [0.0; 5]);
    let product = Product { values: &mut [0.0; 4], columns: 2, stride: 2, add: false };
    let right = Factor::Rows { values: &b, stride: 2 };
    avx512.multiply(Left { values: &a, rows: 2, columns: 3, stride: 3 }, right, product);
}
