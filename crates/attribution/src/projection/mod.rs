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

mod query;

use alloy_primitives::{B256, Keccak256};
use tch::{Device, Kind, Tensor};

pub use query::{AnswerQuery, StoredCurvature};

use crate::{error::AttributionError, influence::InfluenceConfig, sketch::Sketch};

/// Least mean square of a number, as a part of the mean over all numbers.
const SQUARE_FLOOR: f64 = 1e-6;
/// The most rows that a projection is fitted on.
const MAX_FITTED_ROWS: usize = 4096;
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
    /// Fits on rows' gradients, one after the other.
    pub fn fit(
        values: &[f32],
        parameters: usize,
        config: ProjectionConfig,
        influence: InfluenceConfig,
    ) -> Result<Self, AttributionError> {
        let rows = values.len() / parameters.max(1);
        if rows == 0 || rows * parameters != values.len() || rows > MAX_FITTED_ROWS {
            let what =
                format!("{} numbers are not 1 to {MAX_FITTED_ROWS} rows of {parameters}", values.len());
            return Err(AttributionError::Invalid(what));
        }
        if config.rank == 0 || config.sketch < config.rank || config.sketch > 1 << 20 {
            let ProjectionConfig { sketch, rank, .. } = config;
            return Err(AttributionError::Invalid(format!("a sketch of {sketch} for {rank} directions")));
        }
        if !(influence.damping.is_finite() && influence.damping > 0.0) {
            return Err(AttributionError::Invalid("damping must be positive".into()));
        }
        let weights = if influence.whiten { inverse_root_mean_squares(values, parameters) } else { vec![] };
        let mut fitted =
            Self { config, influence, weights, parameters, basis: Tensor::new(), squares: vec![] };
        let sketches = fitted.sketches(values)?;
        let double = (Kind::Double, Device::Cpu);
        let mut gram = Tensor::f_zeros([rows as i64, rows as i64], double)?;
        for block in blocks(&sketches) {
            let block = block?;
            gram = gram.f_addmm(&block, &block.f_transpose(0, 1)?)?;
        }
        let (found, vectors) = gram.f_div_scalar(rows as f64)?.f_linalg_eigh("L")?;
        let found = Vec::<f64>::try_from(&found)?;
        let largest = found.last().copied().unwrap_or(0.0);
        // Ascending; a direction without any length has no place.
        let kept = found.iter().rev().take(config.rank).take_while(|s| **s > 1e-9 * largest).count();
        if kept == 0 {
            return Err(AttributionError::Invalid("all gradients are zero".into()));
        }
        let first = (rows - kept) as i64;
        // A direction is the rows' mean weighted by an eigenvector, scaled to length one.
        let lengths = Tensor::f_from_slice(&found[rows - kept..])?.f_mul_scalar(rows as f64)?.f_sqrt()?;
        let turn = vectors.f_narrow(1, first, kept as i64)?.f_div(&lengths)?.f_transpose(0, 1)?;
        let parts = blocks(&sketches).map(|block| Ok(turn.f_matmul(&block?)?.f_to_kind(Kind::Float)?));
        fitted.basis = Tensor::f_cat(&parts.collect::<Result<Vec<_>, AttributionError>>()?, 1)?;
        fitted.squares = found[rows - kept..].to_vec();
        Ok(fitted)
    }

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
        hasher.update("openledger-projection-v1");
        let ProjectionConfig { sketch, rank, seed } = self.config;
        for size in [sketch as u64, rank as u64, seed, self.parameters as u64] {
            hasher.update(size.to_be_bytes());
        }
        hasher.update(self.influence.damping.to_be_bytes());
        hasher.update([u8::from(self.influence.whiten), u8::from(self.influence.unit_length)]);
        for weight in &self.weights {
            hasher.update(weight.to_le_bytes());
        }
        for value in Vec::<f32>::try_from(&self.basis.f_reshape([-1])?)? {
            hasher.update(value.to_le_bytes());
        }
        Ok(hasher.finalize())
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

/// A matrix in f64, some columns at a time.
fn blocks(matrix: &Tensor) -> impl Iterator<Item = Result<Tensor, tch::TchError>> + '_ {
    let columns = matrix.size()[1];
    (0..columns).step_by(BLOCK_COLUMNS).map(move |from| {
        matrix.f_narrow(1, from, (columns - from).min(BLOCK_COLUMNS as i64))?.f_to_kind(Kind::Double)
    })
}

fn inverse_root_mean_squares(values: &[f32], parameters: usize) -> Vec<f32> {
    let mut squares = vec![0.0f64; parameters];
    for row in values.chunks_exact(parameters) {
        for (sum, v) in squares.iter_mut().zip(row) {
            *sum += f64::from(*v) * f64::from(*v);
        }
    }
    let n = (values.len() / parameters) as f64;
    let floor = SQUARE_FLOOR * squares.iter().sum::<f64>() / (n * parameters as f64);
    let weight = |sum: &f64| sum / n + floor;
    squares.iter().map(weight).map(|s| if s > 0.0 { (1.0 / s.sqrt()) as f32 } else { 0.0 }).collect()
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
        let weights = inverse_root_mean_squares(values, parameters);
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
