//! Influence of rows on an answer: the damped empirical-Fisher form, solved exactly.
//!
//! With rows' gradients `G` (n×p), the answer's `t`, and damping λ, row i scores
//! `gᵢᵀ (GᵀG/n + λI)⁻¹ t`. The p×p inverse is never formed: pushing G through it gives
//! `(GGᵀ/n + λI)⁻¹ G t`, an n×n system in inner products alone. λ is a fraction of the mean squared
//! length of a gradient.
//!
//! **Sign.** A positive score means that giving the row more weight in training lowers the answer's
//! loss: the row helped.
//!
//! **Whitening.** By default each number of a gradient is first divided by its root mean square over
//! the rows (the diagonal of the empirical Fisher matrix, as Adam's second moment). A few numbers
//! otherwise carry most of every gradient's length, whatever the text: measured on two subjects and 18
//! questions, the right subject earned more for all 18 with it (any damping from 0.001 to 0.1) and for
//! 12 to 16 without.
//!
//! **Unit length.** Each gradient is then scaled to length one. A row that the adapter fits badly has a
//! long gradient and would otherwise score high for any answer; direction tells subjects apart.

use crate::{cholesky::Cholesky, error::AttributionError};

/// The most rows that one system is solved for: the matrix takes 8·n² bytes.
pub const MAX_ROWS: usize = 16_384;

/// Inner products of all rows' gradients.
#[derive(Debug, Clone)]
pub struct Gram {
    n: usize,
    values: Vec<f64>,
}

impl Gram {
    /// From a row-major n×n matrix.
    pub fn new(n: usize, values: Vec<f64>) -> Result<Self, AttributionError> {
        if n == 0 || n > MAX_ROWS || values.len() != n * n {
            return Err(AttributionError::Invalid(format!("Gram matrix of {n} rows (1 to {MAX_ROWS})")));
        }
        if !values.iter().all(|v| v.is_finite()) {
            return Err(AttributionError::Invalid("Gram matrix is not finite".into()));
        }
        Ok(Self { n, values })
    }

    /// Length of each row's gradient.
    pub fn lengths(&self) -> Vec<f64> {
        (0..self.n).map(|i| self.values[i * self.n + i].max(0.0).sqrt()).collect()
    }

    /// Pairs of rows whose gradients point the same way: a cosine of at least `threshold`.
    pub fn parallel_rows(&self, threshold: f64) -> Vec<(usize, usize)> {
        let lengths = self.lengths();
        let mut pairs = Vec::new();
        for i in 0..self.n {
            for j in 0..i {
                let scale = lengths[i] * lengths[j];
                if scale > 0.0 && self.values[i * self.n + j] / scale >= threshold {
                    pairs.push((j, i));
                }
            }
        }
        pairs
    }
}

/// How influence is computed; part of the method that a receipt names.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InfluenceConfig {
    /// λ as a fraction of the mean squared length of a gradient.
    pub damping: f64,
    /// Whether each number is divided by its root mean square over the rows first.
    pub whiten: bool,
    /// Whether gradients are then scaled to length one.
    pub unit_length: bool,
}

impl Default for InfluenceConfig {
    fn default() -> Self {
        Self { damping: 0.003, whiten: true, unit_length: true }
    }
}

/// The factored system of a model's rows, ready for any number of answers.
#[derive(Debug)]
pub struct Influence {
    factor: Cholesky,
    /// What each row's products are multiplied by.
    scales: Vec<f64>,
    unit_length: bool,
    lambda: f64,
}

impl Influence {
    /// Damps and factors the rows' Gram matrix.
    pub fn new(gram: &Gram, config: InfluenceConfig) -> Result<Self, AttributionError> {
        if !(config.damping.is_finite() && config.damping > 0.0) {
            return Err(AttributionError::Invalid("damping must be positive".into()));
        }
        let n = gram.n;
        let scales: Vec<f64> = if config.unit_length {
            gram.lengths().iter().map(|&l| if l > 0.0 { 1.0 / l } else { 0.0 }).collect()
        } else {
            vec![1.0; n]
        };
        let mut matrix = Vec::with_capacity(n * n);
        for (row, scale) in gram.values.chunks_exact(n).zip(&scales) {
            matrix.extend(row.iter().zip(&scales).map(|(v, s)| v * scale * s / n as f64));
        }
        let mean_square = (0..n).map(|i| matrix[i * (n + 1)]).sum::<f64>();
        let lambda = config.damping * mean_square;
        for i in 0..n {
            matrix[i * (n + 1)] += lambda;
        }
        let factor = Cholesky::factor(n, matrix)?;
        Ok(Self { factor, scales, unit_length: config.unit_length, lambda })
    }

    /// λ.
    pub const fn lambda(&self) -> f64 {
        self.lambda
    }

    pub(crate) const fn unit_length(&self) -> bool {
        self.unit_length
    }

    pub(crate) fn scales(&self) -> &[f64] {
        &self.scales
    }

    /// Scores of all rows, from the products of their gradients with the answer's and the length of
    /// the answer's gradient.
    pub fn scores(&self, products: &[f64], answer_length: f64) -> Result<Vec<f64>, AttributionError> {
        let finite = products.iter().all(|p| p.is_finite()) && answer_length.is_finite();
        if products.len() != self.scales.len() || !finite || answer_length < 0.0 {
            return Err(AttributionError::Invalid("products do not fit the rows".into()));
        }
        let answer_scale = match (self.unit_length, answer_length > 0.0) {
            (false, _) => 1.0,
            (true, true) => 1.0 / answer_length,
            (true, false) => 0.0,
        };
        let right: Vec<f64> = products.iter().zip(&self.scales).map(|(p, s)| p * s * answer_scale).collect();
        self.factor.solve(&right)
    }
}

/// Length of a gradient.
pub fn length(gradient: &[f32]) -> f64 {
    gradient.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn dot(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(x, y)| x * y).sum()
    }

    fn gram(rows: &[Vec<f64>]) -> Gram {
        let n = rows.len();
        Gram::new(n, (0..n * n).map(|at| dot(&rows[at / n], &rows[at % n])).collect()).unwrap()
    }

    proptest! {
        /// The n×n form equals the definition, solved here with the p×p matrix itself.
        #[test]
        fn dual_scores_equal_the_primal_definition(
            g in proptest::collection::vec(-2.0f64..2.0, 6 * 3),
            t in proptest::collection::vec(-2.0f64..2.0, 3),
        ) {
            let rows: Vec<Vec<f64>> = g.chunks(3).map(<[f64]>::to_vec).collect();
            let square: f64 = rows.iter().map(|r| dot(r, r)).sum::<f64>() / 6.0;
            prop_assume!(square > 0.1);
            let lambda = 0.2 * square;
            let mut fisher = vec![0.0; 9];
            for row in &rows {
                for at in 0..9 {
                    fisher[at] += row[at / 3] * row[at % 3] / 6.0;
                }
            }
            for i in 0..3 {
                fisher[i * 4] += lambda;
            }
            let x = Cholesky::factor(3, fisher).unwrap().solve(&t).unwrap();
            let config = InfluenceConfig { damping: 0.2, whiten: false, unit_length: false };
            let influence = Influence::new(&gram(&rows), config).unwrap();
            let products: Vec<f64> = rows.iter().map(|r| dot(r, &t)).collect();
            let scores = influence.scores(&products, dot(&t, &t).sqrt()).unwrap();
            for (row, score) in rows.iter().zip(&scores) {
                prop_assert!((dot(row, &x) - score).abs() < 1e-9);
            }
        }

        #[test]
        fn row_identical_to_the_answer_scores_highest_and_its_opposite_negative(
            g in proptest::collection::vec(-1.0f64..1.0, 8 * 40),
        ) {
            let mut rows: Vec<Vec<f64>> = g.chunks(40).map(<[f64]>::to_vec).collect();
            rows[7] = rows[3].iter().map(|v| -v).collect();
            let influence = Influence::new(&gram(&rows), InfluenceConfig::default()).unwrap();
            let products: Vec<f64> = rows.iter().map(|r| dot(r, &rows[3])).collect();
            let scores = influence.scores(&products, dot(&rows[3], &rows[3]).sqrt()).unwrap();
            prop_assert!((0..8).filter(|&i| i != 3).all(|i| scores[i] < scores[3]));
            prop_assert!(scores[7] < 0.0);
        }
    }

    #[test]
    fn misfitting_input_is_refused() {
        assert!(Gram::new(2, vec![1.0; 3]).is_err());
        assert!(Gram::new(1, vec![f64::INFINITY]).is_err());
        let gram = gram(&[vec![1.0, 0.0], vec![0.0, 1.0]]);
        let none = InfluenceConfig { damping: 0.0, ..InfluenceConfig::default() };
        assert!(Influence::new(&gram, none).is_err());
        let influence = Influence::new(&gram, InfluenceConfig::default()).unwrap();
        assert!(influence.scores(&[1.0], 1.0).is_err());
        assert!(influence.scores(&[1.0, f64::NAN], 1.0).is_err());
    }
}
