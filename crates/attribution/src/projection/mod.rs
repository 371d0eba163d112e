//! From a gradient of hundreds of thousands of numbers to the few that a score store keeps.
//!
//! Three linear steps, the same for rows and queries: every number is whitened and the gradient scaled to
//! length one, as exact influence has it (see [`crate::Influence`]); a sparse random sketch adds each
//! number, with a random sign, to one of `sketch` buckets, which keeps inner products to about
//! `1/√sketch`; and the sketch is turned onto the `rank` steepest directions of the rows it was fitted on.
//! In these directions the damped inverse is a division, done to the query alone: a row's score is then
//! one inner product, and a cluster's is that of the sum of its rows.
//!
//! No projection to so few numbers names exact influence's best rows by itself: whatever rows have in directions that are
//! not among the steepest weighs most in the damped inverse. So a store names candidates, and their exact gradients rank
//! them (see [`AnswerQuery::rank_again`]).
//!
//! Sketch: Charikar et al., "Finding frequent items in data streams" (2002); Hu et al., "GraSS" (2025).

mod curvature;
mod file;
mod fit;
mod query;

use alloy_primitives::{B256, Keccak256};
use openledger_tensor_file::Numbers;
use tch::Tensor;

pub use curvature::StoredCurvature;
pub use fit::MAX_FITTED_ROWS;
pub use query::{AnswerQuery, MAX_CANDIDATES};

use crate::{error::AttributionError, influence::InfluenceConfig, sketch::Sketch};

/// The most buckets of a sketch.
const MAX_SKETCH: usize = 1 << 20;
/// Numbers that are hashed at a time.
const HASHED_NUMBERS: usize = 1 << 14;
/// Columns of the sketches that are held in f64 at a time.
const BLOCK_COLUMNS: usize = 4096;

/// The size of a projection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProjectionConfig {
    /// Buckets of the sketch.
    pub sketch: usize,
    /// Directions that are kept, at most one for each fitted row.
    pub rank: usize,
    /// Seeds the sketch.
    pub seed: u64,
}

impl Default for ProjectionConfig {
    fn default() -> Self {
        Self { sketch: 65_536, rank: 512, seed: 0 }
    }
}

impl ProjectionConfig {
    fn validate(self, influence: InfluenceConfig) -> Result<(), AttributionError> {
        let Self { sketch, rank, .. } = self;
        if rank == 0 || sketch < rank || sketch > MAX_SKETCH {
            return Err(AttributionError::Invalid(format!("a sketch of {sketch} for {rank} directions")));
        }
        if !(influence.damping.is_finite() && influence.damping > 0.0) {
            return Err(AttributionError::Invalid("damping must be positive".into()));
        }
        Ok(())
    }
}

/// A fitted projection.
#[derive(Debug)]
pub struct Projection {
    config: ProjectionConfig,
    influence: InfluenceConfig,
    /// What each number is multiplied by; empty without whitening.
    weights: Vec<f32>,
    parameters: usize,
    /// `[rank, sketch]`, orthonormal rows.
    basis: Tensor,
    /// Mean squared length of the fitted rows along each direction.
    squares: Vec<f64>,
}

impl Projection {
    /// Numbers of a projected row.
    pub fn rank(&self) -> usize {
        self.squares.len()
    }

    /// The damping, as a part of the mean squared length.
    pub const fn damping(&self) -> f64 {
        self.influence.damping
    }

    /// A row as a store keeps it.
    pub fn row(&self, gradient: &[f32]) -> Result<Vec<f32>, AttributionError> {
        self.rows(gradient)
    }

    /// Rows' gradients, one after the other, as a store keeps them, likewise; several at once are faster.
    pub fn rows(&self, gradients: &[f32]) -> Result<Vec<f32>, AttributionError> {
        let projected = self.sketches(gradients)?.f_matmul(&self.basis.f_transpose(0, 1)?)?;
        Ok(Vec::<f32>::try_from(&projected.f_reshape([-1])?)?)
    }

    /// λ: the damping times the mean squared length.
    fn lambda(&self) -> f64 {
        let total = if self.influence.unit_length { 1.0 } else { self.squares.iter().sum() };
        self.influence.damping * total
    }

    /// Names the projection in the store that is written with it.
    pub fn hash(&self) -> Result<B256, AttributionError> {
        let mut hasher = Keccak256::new();
        hasher.update("openledger-projection-v2");
        let ProjectionConfig { sketch, rank, seed } = self.config;
        for size in [sketch as u64, rank as u64, seed, self.parameters as u64] {
            hasher.update(size.to_be_bytes());
        }
        hasher.update(self.influence.damping.to_be_bytes());
        hasher.update([u8::from(self.influence.whiten), u8::from(self.influence.unit_length)]);
        for values in [&self.weights, &self.basis_values()?] {
            values.chunks(HASHED_NUMBERS).for_each(|part| hasher.update(Numbers::F32(part).le_bytes()));
        }
        hasher.update(Numbers::F64(&self.squares).le_bytes());
        Ok(hasher.finalize())
    }

    /// The basis, a direction after the other.
    fn basis_values(&self) -> Result<Vec<f32>, AttributionError> {
        Ok(Vec::<f32>::try_from(&self.basis.f_reshape([-1])?)?)
    }

    /// `[rows, sketch]` of gradients, one after the other.
    fn sketches(&self, gradients: &[f32]) -> Result<Tensor, AttributionError> {
        if gradients.is_empty() || !gradients.len().is_multiple_of(self.parameters) {
            let (found, wanted) = (gradients.len(), self.parameters);
            return Err(AttributionError::Invalid(format!(
                "{found} numbers, the projection takes {wanted} a row"
            )));
        }
        let ProjectionConfig { sketch: buckets, seed, .. } = self.config;
        let sketch = Sketch { buckets, seed };
        let mut sketches = Vec::with_capacity(gradients.len() / self.parameters * buckets);
        for gradient in gradients.chunks_exact(self.parameters) {
            let weight = |at: usize| self.weights.get(at).map_or(1.0, |w| f64::from(*w));
            let whitened = gradient.iter().enumerate().map(|(at, &value)| f64::from(value) * weight(at));
            let (buckets, square) = sketch.of(whitened);
            if !square.is_finite() {
                return Err(AttributionError::Invalid("a gradient is not finite".into()));
            }
            let scale = if self.influence.unit_length && square > 0.0 { 1.0 / square.sqrt() } else { 1.0 };
            sketches.extend(buckets.iter().map(|v| (v * scale) as f32));
        }
        Ok(Tensor::f_from_slice(&sketches)?.f_reshape([-1, buckets as i64])?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        influence::{Gram, Influence},
        splitmix::mix_at,
    };

    /// Rows that share a few directions, as gradients do.
    pub(super) fn rows(n: usize, parameters: usize) -> Vec<f32> {
        let number = |a: u64, b: u64| (mix_at(a, b) >> 40) as f32 / (1 << 23) as f32 - 1.0;
        let mut values = Vec::new();
        for row in 0..n as u64 {
            for place in 0..parameters as u64 {
                let shared: f32 = (0..6).map(|f| number(row + 1000, f) * number(f + 7000, place)).sum();
                values.push(shared + 0.3 * number(row + 9000, place));
            }
        }
        values
    }

    #[test]
    fn projected_scores_are_those_of_exact_influence_but_for_the_sketch() {
        let (n, parameters) = (40, 3000);
        let values = rows(n + 1, parameters);
        let (values, answer) = values.split_at(n * parameters);
        let influence = InfluenceConfig { damping: 0.02, ..InfluenceConfig::default() };
        let config = ProjectionConfig { sketch: 1 << 16, rank: 64, seed: 3 };
        let projection = Projection::fit(values, parameters, config, influence).unwrap();
        assert_eq!((projection.rank(), projection.damping()), (40, 0.02));

        let exact = exact_scores(values, answer, parameters, influence);
        let mut curvature = StoredCurvature::new(projection.rank()).unwrap();
        curvature.add(&projection.rows(values).unwrap()).unwrap();
        let query = projection.query(answer, &curvature).unwrap();
        let scale = exact.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        for (row, exact) in values.chunks(parameters).zip(&exact) {
            let score = product(&projection.row(row).unwrap(), query.direction());
            assert!((score - exact).abs() < 0.1 * scale, "{score} {exact} of {scale}");
        }
    }

    /// Scores by the damped system of the rows' full gradients.
    pub(super) fn exact_scores(
        values: &[f32],
        answer: &[f32],
        parameters: usize,
        influence: InfluenceConfig,
    ) -> Vec<f64> {
        let mut squares = super::fit::MeanSquares::new(parameters);
        squares.add(values);
        let weights = squares.inverse_roots();
        let whitened = |row: &[f32]| -> Vec<f64> {
            row.iter().zip(&weights).map(|(v, w)| f64::from(*v) * f64::from(*w)).collect()
        };
        let all: Vec<Vec<f64>> = values.chunks(parameters).map(whitened).collect();
        let (n, answer) = (all.len(), whitened(answer));
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
        let gram: Vec<f64> = (0..n * n).map(|at| dot(&all[at / n], &all[at % n])).collect();
        let exact = Influence::new(&Gram::new(n, gram).unwrap(), influence).unwrap();
        let products: Vec<f64> = all.iter().map(|row| dot(row, &answer)).collect();
        exact.scores(&products, dot(&answer, &answer).sqrt()).unwrap()
    }

    pub(super) fn product(a: &[f32], b: &[f32]) -> f64 {
        a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
    }

    #[test]
    fn hash_names_every_part_and_misfits_are_refused() {
        let values = rows(6, 50);
        let influence = InfluenceConfig::default();
        let fit = |config, influence| Projection::fit(&values, 50, config, influence);
        let config = ProjectionConfig { sketch: 32, rank: 4, seed: 0 };
        let one = fit(config, influence).unwrap();
        assert_eq!(one.hash().unwrap(), fit(config, influence).unwrap().hash().unwrap());
        for (config, influence) in [
            (ProjectionConfig { seed: 1, ..config }, influence),
            (ProjectionConfig { rank: 3, ..config }, influence),
            (config, InfluenceConfig { damping: 0.01, ..influence }),
            (config, InfluenceConfig { whiten: false, ..influence }),
        ] {
            assert_ne!(one.hash().unwrap(), fit(config, influence).unwrap().hash().unwrap());
        }
        assert!(fit(ProjectionConfig { rank: 33, ..config }, influence).is_err());
        assert!(fit(config, InfluenceConfig { damping: 0.0, ..influence }).is_err());
        assert!(Projection::fit(&values[1..], 50, config, influence).is_err());
        assert!(one.row(&values[..49]).is_err());
        assert!(one.row(&[f32::NAN; 50]).is_err());
        assert!(Projection::fit(&[0.0; 100], 50, config, influence).is_err());
    }
}
