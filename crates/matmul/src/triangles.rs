//! Products of batched tensors with square matrices of which only what is on and left of the diagonal counts.
//!
//! Tensors are `[batch, heads, rows, columns]`, f32; only numbers of a row must lie side by side.

use tch::{TchError, Tensor};

#[cfg(target_arch = "x86_64")]
use crate::{
    kernel::triangle::{Triangles, View},
    tensors::{avx512, is_plain},
};

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
    let [Some(product), Some(a), Some(b)] = [product, a, b].map(Matrices::of) else { return false };
    let [batch, heads, size, width] = a.size;
    if b.size != a.size || product.size != [batch, heads, size, size] || !product.may_take(&[a, b]) {
        return false;
    }
    let mut triangles = Triangles::new(avx512, size, width, scale);
    for (i, j) in product.each() {
        // SAFETY: the matrices are of these sizes, the tensors live until this returns, and what is written to is none of
        // those that are read.
        #[allow(unsafe_code)]
        unsafe {
            triangles.product(a.view(i, j), b.view(i, j), product.view_mut(i, j), add);
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
    let [Some(product), Some(lower), Some(right)] = [product, lower, right].map(Matrices::of) else {
        return false;
    };
    let [batch, heads, size, width] = right.size;
    if product.size != right.size
        || lower.size != [batch, heads, size, size]
        || !product.may_take(&[lower, right])
    {
        return false;
    }
    let mut triangles = Triangles::new(avx512, size, width, 1.0);
    for (i, j) in product.each() {
        // SAFETY: the matrices are of these sizes, the tensors live until this returns, and what is written to is none of
        // those that are read.
        #[allow(unsafe_code)]
        unsafe {
            triangles.multiply(lower.view(i, j), transposed, right.view(i, j), product.view_mut(i, j), add);
        }
    }
    true
}

/// Matrices of a tensor in memory.
#[cfg(target_arch = "x86_64")]
#[derive(Debug, Clone, Copy)]
struct Matrices {
    at: *mut f32,
    size: [usize; 4],
    /// Numbers from one batch, head and row to the next.
    stride: [usize; 3],
    /// Numbers from the first to the last.
    len: usize,
}

#[cfg(target_arch = "x86_64")]
impl Matrices {
    /// `None` of what has another form, is empty, has rows within rows, or is to be differentiated.
    fn of(tensor: &Tensor) -> Option<Self> {
        if !is_plain(tensor) {
            return None;
        }
        let size: [i64; 4] = tensor.size().try_into().ok()?;
        let [batch, head, row, 1]: [i64; 4] = tensor.stride().try_into().ok()? else { return None };
        let mut sizes = [0; 4];
        for (found, size) in sizes.iter_mut().zip(size) {
            *found = usize::try_from(size).ok().filter(|size| *size > 0)?;
        }
        let mut stride = [0; 3];
        let mut len = sizes[3];
        for ((found, of), size) in stride.iter_mut().zip([batch, head, row]).zip(sizes) {
            *found = usize::try_from(of).ok()?;
            len = (size - 1).checked_mul(*found)?.checked_add(len)?;
        }
        let at: *mut f32 = tensor.data_ptr().cast();
        (!at.is_null() && stride[2] >= sizes[3]).then_some(Self { at, size: sizes, stride, len })
    }

    /// Whether a product can be written here: none of its numbers lies where another does, and no factor within its range.
    fn may_take(&self, factors: &[Self]) -> bool {
        let [batch, head, row] = self.stride;
        let mut dimensions = [(batch, self.size[0]), (head, self.size[1]), (row, self.size[2])];
        dimensions.sort_unstable();
        let mut taken = self.size[3];
        for (stride, size) in dimensions {
            if size > 1 && stride < taken {
                return false;
            }
            taken += (size - 1) * stride;
        }
        let end = self.at.wrapping_add(self.len);
        factors.iter().all(|other| self.at >= other.at.wrapping_add(other.len) || other.at >= end)
    }

    fn each(self) -> impl Iterator<Item = (usize, usize)> {
        (0..self.size[0]).flat_map(move |i| (0..self.size[1]).map(move |j| (i, j)))
    }

    fn view(&self, i: usize, j: usize) -> View<*const f32> {
        let View { at, stride } = self.view_mut(i, j);
        View { at: at.cast_const(), stride }
    }

    fn view_mut(&self, i: usize, j: usize) -> View<*mut f32> {
        let [batch, head, stride] = self.stride;
        View { at: self.at.wrapping_add(i * batch + j * head), stride }
    }
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
