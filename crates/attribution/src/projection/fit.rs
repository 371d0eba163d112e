//! Finding the steepest directions of some rows, whose gradients are read in parts.

use std::{borrow::Cow, ops::Range};

use tch::{Device, Kind, Tensor};

use super::{BLOCK_COLUMNS, Projection, ProjectionConfig};
use crate::{error::AttributionError, influence::InfluenceConfig};

/// The most rows that a projection is fitted on.
pub const MAX_FITTED_ROWS: usize = 4096;
/// Least mean square of a number, as a part of the mean over all numbers.
const SQUARE_FLOOR: f64 = 1e-6;
/// Rows that are read at a time.
const ROWS_AT_A_TIME: usize = 32;

impl Projection {
    /// Fits on rows' gradients, one after the other.
    pub fn fit(
        values: &[f32],
        parameters: usize,
        config: ProjectionConfig,
        influence: InfluenceConfig,
    ) -> Result<Self, AttributionError> {
        let rows = values.len() / parameters.max(1);
        if rows * parameters != values.len() {
            let what = format!("{} numbers are not rows of {parameters}", values.len());
            return Err(AttributionError::Invalid(what));
        }
        let part =
            |rows: Range<usize>| Ok(Cow::Borrowed(&values[rows.start * parameters..rows.end * parameters]));
        Self::fit_in_parts(rows, parameters, config, influence, part)
    }

    /// The same on rows that need not be in memory together: `read` gives the gradients of a range of them, one after the
    /// other, and is asked for every row up to twice. What is held is their sketches.
    pub fn fit_in_parts<'a>(
        rows: usize,
        parameters: usize,
        config: ProjectionConfig,
        influence: InfluenceConfig,
        mut read: impl FnMut(Range<usize>) -> Result<Cow<'a, [f32]>, AttributionError>,
    ) -> Result<Self, AttributionError> {
        if !(1..=MAX_FITTED_ROWS).contains(&rows) || parameters == 0 {
            let what = format!("{rows} rows of {parameters} numbers, must be 1 to {MAX_FITTED_ROWS} rows");
            return Err(AttributionError::Invalid(what));
        }
        config.validate(influence)?;
        let mut read = |rows: Range<usize>| {
            let (part, wanted) = (read(rows.clone())?, rows.len() * parameters);
            let found = part.len();
            if found != wanted {
                let what = format!("{found} numbers for {} rows of {parameters}", rows.len());
                return Err(AttributionError::Invalid(what));
            }
            Ok(part)
        };
        let weights = if influence.whiten {
            let mut squares = MeanSquares::new(parameters);
            for part in parts(rows) {
                squares.add(&read(part)?);
            }
            squares.inverse_roots()
        } else {
            vec![]
        };
        let mut fitted =
            Self { config, influence, weights, parameters, basis: Tensor::new(), squares: vec![] };
        let sketches = Tensor::f_zeros([rows as i64, config.sketch as i64], (Kind::Float, Device::Cpu))?;
        for part in parts(rows) {
            let found = fitted.sketches(&read(part.clone())?)?;
            sketches.f_narrow(0, part.start as i64, part.len() as i64)?.f_copy_(&found)?;
        }
        fitted.turn_onto_steepest(&sketches)?;
        Ok(fitted)
    }

    /// Sets basis and squares from the `[rows, sketch]` of what is fitted on.
    fn turn_onto_steepest(&mut self, sketches: &Tensor) -> Result<(), AttributionError> {
        let n = sketches.size()[0];
        let mut gram = Tensor::f_zeros([n, n], (Kind::Double, Device::Cpu))?;
        for block in blocks(sketches) {
            let block = block?;
            gram = gram.f_addmm(&block, &block.f_transpose(0, 1)?)?;
        }
        let (found, vectors) = gram.f_div_scalar(n as f64)?.f_linalg_eigh("L")?;
        let found = Vec::<f64>::try_from(&found)?;
        let largest = found.last().copied().unwrap_or(0.0);
        // Ascending; a direction without any length has no place.
        let kept = found.iter().rev().take(self.config.rank).take_while(|s| **s > 1e-9 * largest).count();
        if kept == 0 {
            return Err(AttributionError::Invalid("all gradients are zero".into()));
        }
        let steepest = &found[found.len() - kept..];
        // A direction is the rows' mean weighted by an eigenvector, scaled to length one.
        let lengths = Tensor::f_from_slice(steepest)?.f_mul_scalar(n as f64)?.f_sqrt()?;
        let turn = vectors.f_narrow(1, n - kept as i64, kept as i64)?.f_div(&lengths)?.f_transpose(0, 1)?;
        let parts = blocks(sketches).map(|block| Ok(turn.f_matmul(&block?)?.f_to_kind(Kind::Float)?));
        self.basis = Tensor::f_cat(&parts.collect::<Result<Vec<_>, AttributionError>>()?, 1)?;
        self.squares = steepest.to_vec();
        Ok(())
    }
}

/// Ranges of rows that are read one after the other.
fn parts(rows: usize) -> impl Iterator<Item = Range<usize>> {
    (0..rows).step_by(ROWS_AT_A_TIME).map(move |from| from..(from + ROWS_AT_A_TIME).min(rows))
}

/// A matrix in f64, some columns at a time.
fn blocks(matrix: &Tensor) -> impl Iterator<Item = Result<Tensor, tch::TchError>> + '_ {
    let columns = matrix.size()[1];
    (0..columns).step_by(BLOCK_COLUMNS).map(move |from| {
        matrix.f_narrow(1, from, (columns - from).min(BLOCK_COLUMNS as i64))?.f_to_kind(Kind::Double)
    })
}

/// The mean square of every number over rows.
pub(super) struct MeanSquares {
    rows: usize,
    sums: Vec<f64>,
}

impl MeanSquares {
    pub(super) fn new(parameters: usize) -> Self {
        Self { rows: 0, sums: vec![0.0; parameters] }
    }

    pub(super) fn add(&mut self, rows: &[f32]) {
        for row in rows.chunks_exact(self.sums.len()) {
            self.rows += 1;
            for (sum, v) in self.sums.iter_mut().zip(row) {
                *sum += f64::from(*v) * f64::from(*v);
            }
        }
    }

    /// What whitening multiplies each number by.
    pub(super) fn inverse_roots(&self) -> Vec<f32> {
        let n = self.rows as f64;
        let floor = SQUARE_FLOOR * self.sums.iter().sum::<f64>() / (n * self.sums.len() as f64);
        let square = |sum: &f64| sum / n + floor;
        self.sums.iter().map(square).map(|s| if s > 0.0 { (1.0 / s.sqrt()) as f32 } else { 0.0 }).collect()
    }
}
