//! Products of batched tensors with square matrices of which only what is on and left of the diagonal counts.
//!
//! Tensors are `[batch, heads, rows, columns]`, f32; only numbers of a row must lie side by side.

use tch::{TchError, Tensor};

#[cfg(target_arch = "x86_64")]
use crate::{kernel::triangle::Triangles, memory::Matrices, tensors::avx512};

/// A square matrix that is zero right of its diagonal, as the left factor of a product.
#[derive(Debug, Clone, Copy)]
pub enum Lower<'a> {
    /// As it is.
    Plain(&'a Tensor),
    /// Its transpose is multiplied with.
    Transposed(&'a Tensor),
}

/// Writes `scale · a · bᵀ` into `product` on and left of the diagonal, or adds it to what is there. What is right of the
/// diagonal may stay or become what it would be there, too.
pub fn lower_product(
    product: &mut Tensor,
    a: &Tensor,
    b: &Tensor,
    scale: f64,
    add: bool,
) -> Result<(), TchError> {
    #[cfg(target_arch = "x86_64")]
    if kernel_product(product, a, b, scale as f32, add) {
        return Ok(());
    }
    let found = a.f_matmul(&b.f_transpose(2, 3)?)?.f_mul_scalar(scale)?;
    write(product, &found, add)
}

/// Writes `lower · right` into `product`, or adds it to what is there.
pub fn lower_mm(product: &mut Tensor, lower: Lower<'_>, right: &Tensor, add: bool) -> Result<(), TchError> {
    #[cfg(target_arch = "x86_64")]
    if kernel_mm(product, lower, right, add) {
        return Ok(());
    }
    let found = match lower {
        Lower::Plain(lower) => lower.f_matmul(right)?,
        Lower::Transposed(lower) => lower.f_transpose(2, 3)?.f_matmul(right)?,
    };
    write(product, &found, add)
}

fn write(product: &mut Tensor, found: &Tensor, add: bool) -> Result<(), TchError> {
    if found.dim() != 4 || product.size() != found.size() {
        let what = format!("a product of {:?} does not fit into {:?}", found.size(), product.size());
        return Err(TchError::Shape(what));
    }
    if add {
        let _ = product.f_add_(found)?;
    } else {
        product.f_copy_(found)?;
    }
    Ok(())
}

#[cfg(target_arch = "x86_64")]
fn kernel_product(product: &Tensor, a: &Tensor, b: &Tensor, scale: f32, add: bool) -> bool {
    let Some(avx512) = avx512() else { return false };
    let [Some(product), Some(a), Some(b)] = [product, a, b].map(Matrices::<2>::of) else { return false };
    let (size, width) = (a.rows, a.columns);
    let square = product.batch_sizes() == a.batch_sizes() && [product.rows, product.columns] == [size; 2];
    if !b.is_of_size(&a) || !square || !product.may_take(&[a, b]) {
        return false;
    }
    let mut triangles = Triangles::new(avx512, size, width, scale);
    for [i, j] in product.each() {
        // SAFETY: the processor has AVX-512, the matrices are of these sizes, the tensors live until this returns, and what
        // is written to is none of those that are read.
        #[allow(unsafe_code)]
        unsafe {
            triangles.product(a.view([i, j]), b.view([i, j]), product.view_mut([i, j]), add);
        }
    }
    true
}

#[cfg(target_arch = "x86_64")]
fn kernel_mm(product: &Tensor, lower: Lower<'_>, right: &Tensor, add: bool) -> bool {
    let Some(avx512) = avx512() else { return false };
    let (transposed, lower) = match lower {
        Lower::Plain(lower) => (false, lower),
        Lower::Transposed(lower) => (true, lower),
    };
    let [Some(product), Some(lower), Some(right)] = [product, lower, right].map(Matrices::<2>::of) else {
        return false;
    };
    let (size, width) = (right.rows, right.columns);
    let square = lower.batch_sizes() == right.batch_sizes() && [lower.rows, lower.columns] == [size; 2];
    if !product.is_of_size(&right) || !square || !product.may_take(&[lower, right]) {
        return false;
    }
    let mut triangles = Triangles::new(avx512, size, width, 1.0);
    for [i, j] in product.each() {
        // SAFETY: the processor has AVX-512, the matrices are of these sizes, the tensors live until this returns, and what
        // is written to is none of those that are read.
        #[allow(unsafe_code)]
        unsafe {
            let (lower, right) = (lower.view([i, j]), right.view([i, j]));
            triangles.multiply(lower, transposed, right, product.view_mut([i, j]), add);
        }
    }
    true
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tch::{Device, Kind};

    /// A part of a wider tensor whose heads lie side by side, as a projection leaves them.
    fn heads(batch: i64, heads: i64, size: i64, width: i64) -> Tensor {
        let all = Tensor::rand([batch, size, heads * width + 3], (Kind::Float, Device::Cpu)) - 0.5;
        all.narrow(2, 2, heads * width).unflatten(2, [heads, width]).permute([0, 2, 1, 3])
    }

    fn off(found: &Tensor, expected: &Tensor) -> f64 {
        assert_eq!(found.size(), expected.size());
        (found.to_kind(Kind::Double) - expected).abs().max().double_value(&[])
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]
        #[test]
        fn triangles_are_those_of_whole_products(
            (b, h) in (1..3_i64, 1..4_i64),
            size in prop_oneof![1..40_i64, 60..70_i64, 127..130_i64],
            width in prop_oneof![1..20_i64, 31..34_i64, Just(64_i64)],
            add: bool,
        ) {
            let (x, y) = (heads(b, h, size, width), heads(b, h, size, width));
            let before = heads(b, h, size, size);
            let double = |x: &Tensor| x.to_kind(Kind::Double);
            let start = |x: &Tensor| if add { double(x) } else { double(x).zeros_like() };
            let mut found = before.copy();
            lower_product(&mut found, &x, &y, 0.3, add).unwrap();
            let expected = start(&before) + double(&x).matmul(&double(&y).transpose(2, 3)) * 0.3;
            prop_assert!(off(&found.tril(0), &expected.tril(0)) < 1e-5);
            let right = found.triu(1) - before.triu(1);
            let written = found.triu(1) - expected.triu(1);
            prop_assert_eq!((right.abs() * written.abs()).gt(1e-5).any().int64_value(&[]), 0, "what is neither");

            let lower = heads(b, h, size, size).tril(0);
            for (lower, whole) in [
                (Lower::Plain(&lower), double(&lower)),
                (Lower::Transposed(&lower), double(&lower).transpose(2, 3)),
            ] {
                let mut found = heads(b, h, size, width);
                let expected = start(&found) + whole.matmul(&double(&y));
                lower_mm(&mut found, lower, &y, add).unwrap();
                prop_assert!(off(&found, &expected) < 1e-4);
            }
        }
    }

    #[test]
    fn other_forms_go_to_libtorch_and_misfits_are_an_error() {
        let (x, y) = (heads(2, 3, 8, 4), heads(2, 3, 8, 4));
        let expected = x.to_kind(Kind::Double).matmul(&y.to_kind(Kind::Double).transpose(2, 3));
        let double = |x: &Tensor| x.to_kind(Kind::Double);
        let mut found = Tensor::zeros([2, 3, 8, 8], (Kind::Double, Device::Cpu));
        lower_product(&mut found, &double(&x), &double(&y), 1.0, false).unwrap();
        assert!(off(&found, &expected) < 1e-12);
        let by_columns = found.transpose(2, 3).contiguous().transpose(2, 3).to_kind(Kind::Float);
        let mut mixed = Tensor::zeros([2, 3, 8, 4], (Kind::Float, Device::Cpu));
        lower_mm(&mut mixed, Lower::Plain(&by_columns), &y, false).unwrap();
        assert!(off(&mixed, &found.matmul(&double(&y))) < 1e-5);
        assert!(lower_mm(&mut mixed, Lower::Plain(&x), &y, false).is_err());
        assert!(lower_mm(&mut heads(2, 3, 7, 4), Lower::Plain(&by_columns), &y, false).is_err());
        assert!(lower_product(&mut mixed, &x, &heads(2, 3, 8, 5), 1.0, true).is_err());
        let mut one_head =
            Tensor::zeros([2, 1, 8, 4], (Kind::Float, Device::Cpu)).expand([2, 3, 8, 4], false);
        for add in [false, true] {
            assert!(lower_mm(&mut one_head, Lower::Plain(&by_columns), &y, add).is_err());
        }
    }
}
