//! The gradients of a model's rows, kept in a file so that a restart need not take them again.

mod file;

use std::{ops::ControlFlow, path::Path};

use alloy_primitives::{B256, Keccak256};
use openledger_model::{Adapter, BaseModel, PrefixCache, Sequence};
use tch::{Kind, Tensor};

pub(crate) use self::file::{GradientFile, GradientsOf};
use crate::{error::AttributionError, gradients::gradients, influence::Gram};

/// Numbers of every row that a pass over the matrix holds at a time.
const BLOCK_COLUMNS: usize = 8192;
/// Rows whose gradients are taken together. Who goes on begins at such a border, for batches to be the same.
const BUILD_ROWS: usize = 64;
/// Least mean square of a number, as a part of the mean over all numbers.
const SQUARE_FLOOR: f64 = 1e-6;

/// A file of gradients, one row each, of one adapter.
#[derive(Debug)]
pub struct GradientStore(GradientFile);

impl GradientStore {
    /// Takes the gradients of all rows and writes them; `progress` is told how many are done, and may end it.
    ///
    /// The file appears under its name only when it is complete. A process that is killed leaves what it has under the same
    /// name with the extension `partial`, and the next one goes on there if it is of the same adapter and rows. Where taking
    /// or writing fails, nothing is left.
    pub fn build(
        path: &Path,
        model: &BaseModel,
        adapter: &Adapter,
        cache: &mut PrefixCache,
        rows: &[Sequence],
        mut progress: impl FnMut(usize) -> ControlFlow<()>,
    ) -> Result<Self, AttributionError> {
        if rows.is_empty() {
            return Err(AttributionError::Invalid("there are no rows".into()));
        }
        let (count, parameters) = (rows.len(), adapter.n_parameters());
        let of = GradientsOf { adapter: adapter.hash()?, rows: hash(rows), count, parameters };
        let partial = path.with_extension("partial");
        let mut take = || {
            let mut file = GradientFile::resume(&partial, of)?;
            if file.len() < count {
                file.cut(file.len() / BUILD_ROWS * BUILD_ROWS)?;
            }
            for part in rows[file.len()..].chunks(BUILD_ROWS) {
                let sequences: Vec<&Sequence> = part.iter().collect();
                file.push(gradients(model, adapter, cache, &sequences)?.values())?;
                if progress(file.len()).is_break() {
                    return Err(AttributionError::Cancelled);
                }
            }
            file.finish(path)
        };
        // Half a file only takes space that may be what is lacking.
        take().map(Self).inspect_err(|_| drop(std::fs::remove_file(&partial)))
    }

    /// Opens a file and checks all of it against its checksums.
    pub fn open(path: &Path) -> Result<Self, AttributionError> {
        GradientFile::open(path).map(Self)
    }

    /// Rows.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no rows; a store never is empty.
    pub const fn is_empty(&self) -> bool {
        self.0.len() == 0
    }

    /// Numbers a row.
    pub const fn n_parameters(&self) -> usize {
        self.0.of().parameters
    }

    /// Hash of the adapter whose gradients these are.
    pub const fn adapter_hash(&self) -> B256 {
        self.0.of().adapter
    }

    /// The gradient of one row.
    pub fn row(&self, index: usize) -> Result<Vec<f32>, AttributionError> {
        self.0.part(index, 0..self.n_parameters())
    }

    /// For each number of a gradient, one over its mean square over the rows: the inverse diagonal of
    /// the empirical Fisher matrix.
    pub fn inverse_mean_squares(&self) -> Result<Vec<f64>, AttributionError> {
        let mut squares = vec![0.0; self.n_parameters()];
        for row in 0..self.len() {
            for (sum, v) in squares.iter_mut().zip(self.row(row)?) {
                *sum += f64::from(v) * f64::from(v);
            }
        }
        let n = self.len() as f64;
        // The floor keeps an answer's value finite where no row has any.
        let floor = SQUARE_FLOOR * squares.iter().sum::<f64>() / (n * self.n_parameters() as f64);
        Ok(squares
            .iter()
            .map(|sum| sum / n + floor)
            .map(|square| if square > 0.0 { 1.0 / square } else { 0.0 })
            .collect())
    }

    /// The inner products of all rows in f64, each number weighted.
    pub fn gram(&self, weights: &[f64]) -> Result<Gram, AttributionError> {
        self.check_length(weights.len())?;
        let n = self.len() as i64;
        let mut sum = Tensor::f_zeros([n, n], (Kind::Double, tch::Device::Cpu))?;
        for (start, weights) in (0..).step_by(BLOCK_COLUMNS).zip(weights.chunks(BLOCK_COLUMNS)) {
            let block = self.columns(start)?;
            let weighted = block.f_mul(&Tensor::f_from_slice(weights)?)?;
            sum = sum.f_add(&weighted.f_matmul(&block.f_transpose(0, 1)?)?)?;
        }
        Gram::new(self.len(), Vec::<f64>::try_from(&sum.f_reshape([-1])?)?)
    }

    /// The weighted inner product of every row with one gradient, in f64.
    pub fn products(&self, gradient: &[f32], weights: &[f64]) -> Result<Vec<f64>, AttributionError> {
        self.check_length(gradient.len())?;
        self.check_length(weights.len())?;
        let weighted: Vec<f64> = gradient.iter().zip(weights).map(|(g, w)| f64::from(*g) * w).collect();
        let mut sum = Tensor::f_zeros([self.len() as i64], (Kind::Double, tch::Device::Cpu))?;
        for (start, part) in (0..).step_by(BLOCK_COLUMNS).zip(weighted.chunks(BLOCK_COLUMNS)) {
            sum = sum.f_add(&self.columns(start)?.f_mv(&Tensor::f_from_slice(part)?)?)?;
        }
        Ok(Vec::<f64>::try_from(&sum)?)
    }

    fn check_length(&self, given: usize) -> Result<(), AttributionError> {
        let parameters = self.n_parameters();
        if given == parameters {
            return Ok(());
        }
        Err(AttributionError::Invalid(format!("{given} numbers, rows have {parameters}")))
    }

    /// `[rows, up to BLOCK_COLUMNS]` of the matrix in f64.
    fn columns(&self, start: usize) -> Result<Tensor, AttributionError> {
        let count = BLOCK_COLUMNS.min(self.n_parameters() - start);
        let mut values = Vec::with_capacity(self.len() * count);
        for row in 0..self.len() {
            values.extend(self.0.part(row, start..start + count)?);
        }
        let shape = [self.len() as i64, count as i64];
        Ok(Tensor::f_from_slice(&values)?.f_reshape(shape)?.f_to_kind(Kind::Double)?)
    }
}

/// Names rows as the model takes them.
fn hash(rows: &[Sequence]) -> B256 {
    let mut hasher = Keccak256::new();
    hasher.update("openledger-sequences-v1");
    for row in rows {
        for number in [row.tokens().len(), row.predicted_from()] {
            hasher.update((number as u64).to_be_bytes());
        }
        row.tokens().iter().for_each(|token| hasher.update(token.to_be_bytes()));
    }
    hasher.finalize()
}
