//! The exact Gauss–Newton matrix of a linearised model, and its damped inverse.
//!
//! `H = 1/n Σᵢ Jᵢᵀ (diag(pᵢ) − pᵢpᵢᵀ) Jᵢ`. With J's rows as outer products (see
//! [`super::network`]) a block of H is `Σᵢ (Gᵢᵀ S Gᵢ′) ⊗ (aᵢ aᵢ′ᵀ)`: one matrix product of pair
//! products, p²/4 multiplications a row instead of p²·classes. Where there are more parameters than
//! rows times classes, the same inverse goes through the rows' Gram matrix (dual).

use tch::{Device, Kind, Tensor};

use crate::{
    error::AttributionError,
    retraining::{
        network::{Linearised, Site},
        products::{backward, forward, row_blocks},
    },
};

/// The largest system that is solved, in equations; its matrix takes 4·n² bytes.
const MAX_EQUATIONS: i64 = 14_336;

/// Which of the two equal forms is factored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// p×p.
    Primal,
    /// (rows·classes)×(rows·classes).
    Dual,
}

/// H, ready to be damped and inverted; the damping may change.
#[derive(Debug)]
pub(crate) struct Curvature {
    form: Form,
    rows: f64,
    /// Row-major H, or the Gram matrix of the weighted derivatives over n.
    matrix: Tensor,
    /// Dual only: sites with outputs `[n, classes, out]` weighted by the curvature's factor.
    weighted: Vec<Site>,
}

/// A factored `H + damping·I`.
#[derive(Debug)]
pub(crate) struct Inverse<'a> {
    curvature: &'a Curvature,
    damping: f64,
    factor: Tensor,
}

impl Curvature {
    /// Takes H at a temperature of the softmax, in the smaller form.
    pub(crate) fn new(model: &Linearised, temperature: f64) -> Result<Self, AttributionError> {
        let dual = model.logits.size().iter().product::<i64>();
        let form = if model.parameters() <= dual { Form::Primal } else { Form::Dual };
        Self::in_form(model, temperature, form)
    }

    pub(crate) fn in_form(
        model: &Linearised,
        temperature: f64,
        form: Form,
    ) -> Result<Self, AttributionError> {
        let factor = model.curvature_factor(temperature)?;
        let weighted = model.mixed(&factor)?;
        let size = match form {
            Form::Primal => model.parameters(),
            Form::Dual => model.logits.size().iter().product(),
        };
        if size > MAX_EQUATIONS {
            return Err(AttributionError::Invalid(format!(
                "{} parameters and {} rows need a system of {size} equations, over {MAX_EQUATIONS}; use --method ekfac",
                model.parameters(),
                model.rows()
            )));
        }
        let rows = model.rows() as f64;
        match form {
            Form::Primal => Ok(Self { form, rows, matrix: primal(&weighted, size, rows)?, weighted: vec![] }),
            Form::Dual => Ok(Self { form, rows, matrix: gram(&weighted, size, rows)?, weighted }),
        }
    }

    /// The matrix itself.
    pub(crate) fn into_matrix(self) -> Tensor {
        self.matrix
    }

    /// Factors `H + damping·I`.
    pub(crate) fn inverse(&self, damping: f64) -> Result<Inverse<'_>, AttributionError> {
        if !(damping.is_finite() && damping > 0.0) {
            return Err(AttributionError::Invalid("damping must be positive".into()));
        }
        let damped = self.matrix.f_detach_copy()?;
        let _ = damped.f_diagonal(0, 0, 1)?.f_add_scalar_(damping)?;
        let (factor, info) = damped.f_linalg_cholesky_ex(false, false)?;
        let failed = info.f_int64_value(&[])?;
        if failed != 0 {
            return Err(AttributionError::NotPositiveDefinite(failed.unsigned_abs() as usize));
        }
        Ok(Inverse { curvature: self, damping, factor })
    }
}

impl Inverse<'_> {
    /// `(H + damping·I)⁻¹` applied to columns `[p, t]`.
    pub(crate) fn apply(&self, columns: &Tensor) -> Result<Tensor, AttributionError> {
        let curvature = self.curvature;
        if curvature.form == Form::Primal {
            return Ok(columns.f_cholesky_solve(&self.factor, false)?);
        }
        // (H + δ)⁻¹ = (1 − J̃ᵀ (J̃J̃ᵀ/n + δ)⁻¹ J̃ / n) / δ with H = J̃ᵀJ̃/n.
        let right = forward(&curvature.weighted, columns)?;
        let (n, m, t) = right.size3()?;
        let solved = right.f_reshape([n * m, t])?.f_cholesky_solve(&self.factor, false)?;
        let back = backward(&curvature.weighted, &solved.f_reshape([n, m, t])?)?;
        Ok(columns.f_sub(&back.f_div_scalar(curvature.rows)?)?.f_div_scalar(self.damping)?)
    }
}

fn primal(weighted: &[Site], size: i64, rows: f64) -> Result<Tensor, AttributionError> {
    let matrix = Tensor::f_zeros([size, size], (Kind::Float, Device::Cpu))?;
    let mut row_start = 0;
    for (i, a) in weighted.iter().enumerate() {
        let mut column_start = row_start;
        for (j, b) in weighted.iter().enumerate().skip(i) {
            let block = if i == j { own_block(a)? } else { cross_block(a, b)? };
            let block = block.f_div_scalar(rows)?;
            let (height, width) = (a.parameters(), b.parameters());
            let place = |r: i64, h: i64, c: i64, w: i64| matrix.f_narrow(0, r, h)?.f_narrow(1, c, w);
            place(row_start, height, column_start, width)?.f_copy_(&block)?;
            if i != j {
                place(column_start, width, row_start, height)?.f_copy_(&block.f_transpose(0, 1)?)?;
            }
            column_start += width;
        }
        row_start += a.parameters();
    }
    Ok(matrix)
}

/// `Σᵢ (Gᵢᵀ Gᵢ) ⊗ (aᵢ aᵢᵀ)` over distinct pairs on either side.
fn own_block(site: &Site) -> Result<Tensor, AttributionError> {
    let (outputs, inputs) = site.shape();
    let (out_pairs, in_pairs) = (Pairs::new(outputs)?, Pairs::new(inputs)?);
    let mut sum = Tensor::f_zeros([out_pairs.count, in_pairs.count], (Kind::Float, Device::Cpu))?;
    for (from, count) in row_blocks(site.input.size()[0], in_pairs.count + outputs * outputs) {
        let output = site.output.f_narrow(0, from, count)?;
        let squares = output.f_transpose(1, 2)?.f_bmm(&output)?.f_reshape([count, -1])?;
        let left = squares.f_index_select(1, &out_pairs.flat)?;
        let input = site.input.f_narrow(0, from, count)?;
        let right =
            input.f_index_select(1, &in_pairs.first)?.f_mul(&input.f_index_select(1, &in_pairs.second)?)?;
        sum = sum.f_addmm(&left.f_transpose(0, 1)?, &right)?;
    }
    let full = sum.f_index_select(0, &out_pairs.full)?.f_index_select(1, &in_pairs.full)?;
    arrange(&full, [outputs, outputs, inputs, inputs])
}

/// `Σᵢ (Gᵢᵀ Gᵢ′) ⊗ (aᵢ aᵢ′ᵀ)`.
fn cross_block(a: &Site, b: &Site) -> Result<Tensor, AttributionError> {
    let ((a_out, a_in), (b_out, b_in)) = (a.shape(), b.shape());
    let mut sum = Tensor::f_zeros([a_out * b_out, a_in * b_in], (Kind::Float, Device::Cpu))?;
    for (from, count) in row_blocks(a.input.size()[0], a_in * b_in + a_out * b_out) {
        let left = a.output.f_narrow(0, from, count)?.f_transpose(1, 2)?;
        let left = left.f_bmm(&b.output.f_narrow(0, from, count)?)?.f_reshape([count, -1])?;
        let right = a.input.f_narrow(0, from, count)?.f_unsqueeze(2)?;
        let right = right.f_mul(&b.input.f_narrow(0, from, count)?.f_unsqueeze(1)?)?;
        sum = sum.f_addmm(&left.f_transpose(0, 1)?, &right.f_reshape([count, -1])?)?;
    }
    arrange(&sum, [a_out, b_out, a_in, b_in])
}

/// `[o·o′, i·i′]` as `[o·i, o′·i′]`.
fn arrange(block: &Tensor, [a_out, b_out, a_in, b_in]: [i64; 4]) -> Result<Tensor, AttributionError> {
    let block = block.f_reshape([a_out, b_out, a_in, b_in])?.f_transpose(1, 2)?;
    Ok(block.f_reshape([a_out * a_in, b_out * b_in])?)
}

/// `[n·m, n·m]` Gram matrix of sites' derivatives over n.
fn gram(weighted: &[Site], size: i64, rows: f64) -> Result<Tensor, AttributionError> {
    let n = weighted.first().map_or(0, |site| site.input.size()[0]);
    let m = size / n.max(1);
    let matrix = Tensor::f_zeros([n, m, n, m], (Kind::Float, Device::Cpu))?;
    for site in weighted {
        let (outputs, _) = site.shape();
        let inputs = site.input.f_matmul(&site.input.f_transpose(0, 1)?)?.f_div_scalar(rows)?;
        let flat = site.output.f_reshape([size, outputs])?;
        for (from, count) in row_blocks(n, m * size) {
            let part = flat.f_narrow(0, from * m, count * m)?.f_matmul(&flat.f_transpose(0, 1)?)?;
            let scale = inputs.f_narrow(0, from, count)?.f_reshape([count, 1, n, 1])?;
            let part = part.f_reshape([count, m, n, m])?.f_mul(&scale)?;
            let _ = matrix.f_narrow(0, from, count)?.f_add_(&part)?;
        }
    }
    Ok(matrix.f_reshape([size, size])?)
}

/// The distinct pairs `i ≤ j` below n, and how the n×n pairs map to them.
struct Pairs {
    count: i64,
    first: Tensor,
    second: Tensor,
    /// `i·n + j` of each distinct pair.
    flat: Tensor,
    /// The distinct pair of each of the n×n.
    full: Tensor,
}

impl Pairs {
    fn new(n: i64) -> Result<Self, AttributionError> {
        let pairs: Vec<(i64, i64)> = (0..n).flat_map(|i| (i..n).map(move |j| (i, j))).collect();
        let index = |i: i64, j: i64| i * n - i * (i + 1) / 2 + j;
        let full: Vec<i64> =
            (0..n * n).map(|at| (at / n, at % n)).map(|(i, j)| index(i.min(j), i.max(j))).collect();
        let list =
            |f: &dyn Fn(&(i64, i64)) -> i64| Tensor::f_from_slice(&pairs.iter().map(f).collect::<Vec<i64>>());
        Ok(Self {
            count: pairs.len() as i64,
            first: list(&|p| p.0)?,
            second: list(&|p| p.1)?,
            flat: list(&|p| p.0 * n + p.1)?,
            full: Tensor::f_from_slice(&full)?,
        })
    }
}
