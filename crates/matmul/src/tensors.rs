//! Products of tensors.

#[cfg(target_arch = "x86_64")]
use std::sync::LazyLock;

use tch::{Device, Kind, TchError, Tensor};

#[cfg(target_arch = "x86_64")]
use crate::{
    kernel::{Avx512, Factor, Left, Product},
    memory::Matrices,
};

/// Rows below which copying the right factor costs more than is saved.
#[cfg(target_arch = "x86_64")]
const WORTH_COPYING: usize = 64;

/// The right factor of a product.
#[derive(Debug, Clone, Copy)]
pub enum Right<'a> {
    /// `[inner, columns]`
    Plain(&'a Tensor),
    /// `[columns, inner]`: its transpose is multiplied with.
    Transposed(&'a Tensor),
}

impl Right<'_> {
    fn matrix(&self) -> Result<Tensor, TchError> {
        match self {
            Self::Plain(matrix) => Ok(matrix.shallow_clone()),
            Self::Transposed(matrix) => matrix.f_transpose(0, 1),
        }
    }
}

/// Room for an f32 matrix whose rows lie well in the processor's caches: further apart than they are long where they
/// would begin a multiple of 4 KiB apart.
pub fn strided(rows: i64, columns: i64, device: Device) -> Result<Tensor, TchError> {
    let stride = if columns % 1024 == 0 { columns.saturating_add(16) } else { columns };
    Tensor::f_empty([rows, stride], (Kind::Float, device))?.f_narrow(1, 0, columns)
}

/// Writes `left · right` into `product`, which must be of that size and overlap neither.
pub fn mm_into(product: &mut Tensor, left: &Tensor, right: Right<'_>) -> Result<(), TchError> {
    if !multiplied(product, left, right, false) {
        // libtorch would give it another size.
        let right = right.matrix()?;
        match (left.size().as_slice(), right.size().as_slice()) {
            (&[rows, _], &[_, columns]) if product.size() == [rows, columns] => {
                let _ = left.f_mm_out(product, &right)?;
            }
            (left, right) => {
                let what = format!("{left:?} times {right:?} does not fit into {:?}", product.size());
                return Err(TchError::Shape(what));
            }
        }
    }
    Ok(())
}

/// Adds `left · right` to `sum`.
pub fn add_mm(sum: &mut Tensor, left: &Tensor, right: Right<'_>) -> Result<(), TchError> {
    if !multiplied(sum, left, right, true) {
        let _ = sum.f_addmm_(left, &right.matrix()?)?;
    }
    Ok(())
}

/// The instructions, where the processor has them and libtorch is asked neither to go without nor to use several threads.
#[cfg(target_arch = "x86_64")]
pub(crate) fn avx512() -> Option<Avx512> {
    static AVX512: LazyLock<Option<Avx512>> = LazyLock::new(|| {
        let allowed = std::env::var_os("ATEN_CPU_CAPABILITY").is_none_or(|wanted| wanted == "avx512");
        Avx512::new().filter(|_| allowed)
    });
    AVX512.filter(|_| tch::get_num_threads() == 1)
}

/// Multiplies if it can; libtorch says what is wrong with what it cannot.
#[cfg(target_arch = "x86_64")]
fn multiplied(product: &Tensor, left: &Tensor, right: Right<'_>, add: bool) -> bool {
    let Some(avx512) = avx512() else { return false };
    let (Right::Plain(matrix) | Right::Transposed(matrix)) = right;
    let [Some(a), Some(b), Some(c)] = [left, matrix, product].map(Matrices::<0>::of) else { return false };
    let (inner, columns) = match right {
        Right::Plain(_) => (b.rows, b.columns),
        Right::Transposed(_) => (b.columns, b.rows),
    };
    let fits = (a.columns, a.rows, columns) == (inner, c.rows, c.columns);
    if a.rows < WORTH_COPYING || !fits || !c.may_take(&[a, b]) {
        return false;
    }
    // SAFETY: the tensors live until this returns, and are of so many numbers; nothing else writes to them, and
    // what is written to is neither of the others.
    #[allow(unsafe_code)]
    let (a_values, b_values, c_values) = unsafe {
        let (a, b) = (std::slice::from_raw_parts(a.at, a.len), std::slice::from_raw_parts(b.at, b.len));
        (a, b, std::slice::from_raw_parts_mut(c.at, c.len))
    };
    let left = Left { values: a_values, rows: a.rows, columns: a.columns, stride: a.stride };
    let right = match right {
        Right::Plain(_) => Factor::Rows { values: b_values, stride: b.stride },
        Right::Transposed(_) => Factor::Columns { values: b_values, stride: b.stride },
    };
    avx512.multiply(left, right, Product { values: c_values, columns, stride: c.stride, add });
    true
}

#[cfg(not(target_arch = "x86_64"))]
fn multiplied(_: &Tensor, _: &Tensor, _: Right<'_>, _: bool) -> bool {
    false
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn random(rows: i64, columns: i64) -> Tensor {
        Tensor::rand([rows, columns], (Kind::Float, Device::Cpu)) - 0.5
    }

    fn mm(left: &Tensor, right: Right<'_>) -> Result<Tensor, TchError> {
        let columns = right.matrix()?.size().get(1).copied().unwrap_or(0);
        let mut product = strided(left.size()[0], columns, left.device())?;
        mm_into(&mut product, left, right)?;
        Ok(product)
    }

    fn close(found: &Tensor, expected: &Tensor) {
        assert_eq!(found.size(), expected.size());
        let off = (found - expected).abs().max().double_value(&[]);
        assert!(off < 1e-4, "{off}");
    }

    #[test]
    fn products_are_those_of_libtorch() {
        for (rows, inner, columns) in
            [(128, 64, 96), (127, 600, 1024), (70, 1, 1), (5, 30, 40), (64, 577, 33)]
        {
            let (a, b, c) = (random(rows, inner), random(inner, columns), random(rows, columns));
            let b_by_columns = b.transpose(0, 1).contiguous();
            let expected = a.mm(&b);
            close(&mm(&a, Right::Plain(&b)).unwrap(), &expected);
            close(&mm(&a, Right::Transposed(&b_by_columns)).unwrap(), &expected);
            let mut sum = c.copy();
            add_mm(&mut sum, &a, Right::Transposed(&b_by_columns)).unwrap();
            close(&sum, &(&c + &expected));
            // A part of a wider matrix: what is beside it stays.
            let wide = Tensor::ones([rows, columns + 7], (Kind::Float, Device::Cpu));
            mm_into(&mut wide.narrow(1, 3, columns), &a, Right::Plain(&b)).unwrap();
            close(&wide.narrow(1, 3, columns), &expected);
            assert_eq!(wide.narrow(1, 0, 3).sum(Kind::Double).double_value(&[]), 3.0 * rows as f64);
            assert_eq!(wide.narrow(1, columns + 3, 4).sum(Kind::Double).double_value(&[]), 4.0 * rows as f64);
        }
    }

    #[test]
    fn other_forms_go_to_libtorch() {
        let (a, b) = (random(128, 64), random(64, 96));
        let expected = a.mm(&b);
        close(&mm(&a.transpose(0, 1).contiguous().transpose(0, 1), Right::Plain(&b)).unwrap(), &expected);
        let differentiable = b.set_requires_grad(true);
        close(&tch::no_grad(|| mm(&a, Right::Plain(&differentiable))).unwrap(), &expected);
        let none = random(0, 64);
        assert_eq!(mm(&none, Right::Plain(&differentiable.detach())).unwrap().size(), [0, 96]);
    }

    #[test]
    fn factors_that_do_not_fit_are_an_error() {
        let (a, b) = (random(128, 64), random(63, 96));
        assert!(mm(&a, Right::Plain(&b)).is_err());
        assert!(mm(&a, Right::Transposed(&b)).is_err());
        assert!(mm_into(&mut random(128, 95), &a, Right::Plain(&random(64, 96))).is_err());
        assert!(add_mm(&mut random(128, 95), &a, Right::Plain(&random(64, 96))).is_err());
        assert!(mm(&a, Right::Plain(&random(64, 96).reshape([64, 96, 1]))).is_err());
        assert!(add_mm(&mut a.shallow_clone(), &a, Right::Plain(&random(64, 96))).is_err());
    }
}
