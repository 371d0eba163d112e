//! Scores of rows in plain f64, by the definition that the store and the scorer follow with tensors.

use super::arithmetic::dot;
use crate::{
    error::AttributionError,
    influence::{Gram, Influence, InfluenceConfig},
};

/// Numbers of every row that are held in f64 at a time.
const BLOCK: usize = 2048;
/// Least mean square of a number, as a part of the mean over all numbers.
const SQUARE_FLOOR: f64 = 1e-6;

/// A row's gradient.
#[derive(Debug, Clone, PartialEq)]
pub enum RowGradient {
    /// As libtorch gave it.
    Single(Vec<f32>),
    /// As the scalar kernel gave it.
    Exact(Vec<f64>),
}

impl RowGradient {
    fn len(&self) -> usize {
        match self {
            Self::Single(values) => values.len(),
            Self::Exact(values) => values.len(),
        }
    }

    fn read(&self, from: usize, into: &mut [f64]) {
        match self {
            Self::Single(values) => {
                into.iter_mut().zip(&values[from..]).for_each(|(to, &value)| *to = value.into());
            }
            Self::Exact(values) => into.copy_from_slice(&values[from..from + into.len()]),
        }
    }
}

/// Scores of all rows for an answer's gradient.
pub fn scalar_scores(
    rows: &[RowGradient],
    answer: &[f64],
    config: InfluenceConfig,
) -> Result<Vec<f64>, AttributionError> {
    let (n, parameters) = (rows.len(), answer.len());
    if n == 0 || n > crate::MAX_ROWS || parameters == 0 || rows.iter().any(|row| row.len() != parameters) {
        return Err(AttributionError::Invalid("gradients do not fit together".into()));
    }
    let weights = if config.whiten { inverse_mean_squares(rows, parameters) } else { vec![1.0; parameters] };
    let mut gram = vec![0.0; n * n];
    let mut products = vec![0.0; n];
    let mut square = 0.0;
    let mut block = vec![0.0; n * BLOCK];
    for (start, weights) in (0..).step_by(BLOCK).zip(weights.chunks(BLOCK)) {
        let width = weights.len();
        let block = &mut block[..n * width];
        for (row, into) in rows.iter().zip(block.chunks_exact_mut(width)) {
            row.read(start, into);
        }
        let answer = &answer[start..start + width];
        let weighted: Vec<f64> = answer.iter().zip(weights).map(|(a, w)| a * w).collect();
        square += dot(answer, &weighted);
        for (i, row) in block.chunks_exact(width).enumerate() {
            products[i] += dot(row, &weighted);
            let weighted: Vec<f64> = row.iter().zip(weights).map(|(v, w)| v * w).collect();
            for (j, other) in block.chunks_exact(width).enumerate().take(i + 1) {
                gram[i * n + j] += dot(&weighted, other);
            }
        }
    }
    for i in 0..n {
        for j in 0..i {
            gram[j * n + i] = gram[i * n + j];
        }
    }
    Influence::new(&Gram::new(n, gram)?, config)?.scores(&products, square.sqrt())
}

fn inverse_mean_squares(rows: &[RowGradient], parameters: usize) -> Vec<f64> {
    let mut squares = vec![0.0; parameters];
    let mut values = vec![0.0; parameters];
    for row in rows {
        row.read(0, &mut values);
        squares.iter_mut().zip(&values).for_each(|(sum, v)| *sum += v * v);
    }
    let n = rows.len() as f64;
    let floor = SQUARE_FLOOR * squares.iter().sum::<f64>() / (n * parameters as f64);
    squares
        .iter()
        .map(|sum| sum / n + floor)
        .map(|square| if square > 0.0 { 1.0 / square } else { 0.0 })
        .collect()
}
