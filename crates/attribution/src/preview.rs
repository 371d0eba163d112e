//! What rows that were not there would have scored for an answer that was given.
//!
//! The answer's side is its gradient with the damped inverse applied, `d = (GᵀG/n + λI)⁻¹ t`, whitened and of unit length
//! as influence has it; by the dual form `d = (t − Gᵀs/n)/λ` with the rows' scores `s`. Only a random sketch of `d` is
//! given out: a row's side is sketched alike, by whoever holds the row, and their product is the row's score as if it had
//! been known to the system beside the others.
//!
//! A row that joins the others also joins the matrix. For a row in a direction that no other row has, its squared length
//! over λ is all that the matrix gains, so the score is divided by `1 + |g|²/(λn)`: exact for such rows, and less than
//! they would score for rows that resemble what is there already (Sherman and Morrison, 1950).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    error::AttributionError,
    gradients::Gradients,
    scorer::Scorer,
    scores::{SCORE_SCALE, Scores},
    shares::{ShareConfig, noise_floor},
    sketch::Sketch,
};

/// The most buckets of a sketch.
const MAX_BUCKETS: usize = 1 << 20;

/// An answer's side, as it is given out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AnswerSketch {
    /// Draws buckets and signs.
    pub seed: u64,
    /// Rows that can earn from the answer.
    pub rows: usize,
    /// λ of the damped system.
    pub lambda: f64,
    /// Sum of the rows' positive scores.
    pub positive: f64,
    /// A row earns with a score above this.
    pub floor: f64,
    /// The sketch of the answer's direction.
    pub direction: Vec<f32>,
}

/// A row's side.
#[derive(Debug, Clone, PartialEq)]
pub struct RowSketch {
    values: Vec<f32>,
    unit: bool,
}

impl AnswerSketch {
    /// Of an answer's gradient, the first of `answer`; one pass over the rows.
    pub fn take(
        scorer: &Scorer,
        answer: &Gradients,
        shares: ShareConfig,
        buckets: usize,
        seed: u64,
    ) -> Result<Self, AttributionError> {
        if buckets == 0 || buckets > MAX_BUCKETS {
            return Err(AttributionError::Invalid(format!("a sketch of {buckets} buckets")));
        }
        let scores = scorer.scores(answer)?;
        let direction = scorer.direction(answer, &scores)?;
        let whole = Scores::new(&scores)?;
        let (sums, square) = Sketch { buckets, seed }.of(direction.iter().copied());
        if !square.is_finite() {
            return Err(AttributionError::Invalid("the answer's direction is not finite".into()));
        }
        Ok(Self {
            seed,
            rows: scores.len(),
            lambda: scorer.lambda(),
            positive: scores.iter().filter(|score| **score > 0.0).sum(),
            floor: noise_floor(whole.billionths(), shares.noise_deviations) / SCORE_SCALE,
            direction: sums.into_iter().map(|sum| sum as f32).collect(),
        })
    }

    /// What a row would have scored.
    pub fn score(&self, row: &RowSketch) -> Result<f64, AttributionError> {
        let valid = self.lambda > 0.0 && self.lambda.is_finite() && self.rows > 0;
        if row.values.len() != self.direction.len() || !valid {
            return Err(AttributionError::Invalid("row and answer are not sketched alike".into()));
        }
        let product: f64 =
            row.values.iter().zip(&self.direction).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
        let square =
            if row.unit { 1.0 } else { row.values.iter().map(|v| f64::from(*v) * f64::from(*v)).sum() };
        let score = product / (1.0 + square / (self.lambda * self.rows as f64));
        if score.is_finite() {
            Ok(score)
        } else {
            Err(AttributionError::Invalid("a score is not finite".into()))
        }
    }

    /// Parts of the answer, from 0 to 1, that new rows with these scores would have earned beside the old ones.
    pub fn parts(&self, scores: &[f64]) -> Vec<f64> {
        let added: f64 = scores.iter().filter(|score| **score > 0.0).sum();
        let all = self.positive + added;
        let earns = |score: f64| score > 0.0 && score > self.floor && all > 0.0;
        scores.iter().map(|&score| if earns(score) { score / all } else { 0.0 }).collect()
    }
}

impl RowSketch {
    /// Of a row's gradient; `weights` are [`Scorer::weights`] of the model.
    pub fn of(
        gradient: &[f32],
        weights: &[f64],
        unit: bool,
        buckets: usize,
        seed: u64,
    ) -> Result<Self, AttributionError> {
        if gradient.len() != weights.len() || buckets == 0 || buckets > MAX_BUCKETS {
            let (found, wanted) = (gradient.len(), weights.len());
            return Err(AttributionError::Invalid(format!(
                "a gradient of {found} numbers for {wanted} weights"
            )));
        }
        let whitened = gradient.iter().zip(weights).map(|(g, w)| f64::from(*g) * w.sqrt());
        let (sums, square) = Sketch { buckets, seed }.of(whitened);
        if !square.is_finite() {
            return Err(AttributionError::Invalid("a gradient is not finite".into()));
        }
        let scale = if unit && square > 0.0 { 1.0 / square.sqrt() } else { 1.0 };
        Ok(Self { values: sums.into_iter().map(|sum| (sum * scale) as f32).collect(), unit })
    }

    /// The sketch.
    pub fn values(&self) -> &[f32] {
        &self.values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_rows_share_with_the_old_ones_and_noise_earns_nothing() {
        let answer =
            AnswerSketch { seed: 0, rows: 10, lambda: 0.1, positive: 3.0, floor: 0.2, direction: vec![1.0] };
        let parts = answer.parts(&[1.0, -5.0, 0.1, 0.9]);
        assert_eq!(parts, [0.2, 0.0, 0.0, 0.18]);
        assert!(answer.parts(&[]).is_empty());
        let row = RowSketch { values: vec![2.0], unit: false };
        assert!((answer.score(&row).unwrap() - 2.0 / 5.0).abs() < 1e-12);
        assert!(answer.score(&RowSketch { values: vec![1.0; 2], unit: true }).is_err());
        assert!(AnswerSketch { lambda: 0.0, ..answer }.score(&row).is_err());
        assert!(RowSketch::of(&[1.0], &[1.0, 2.0], true, 4, 0).is_err());
        assert!(RowSketch::of(&[f32::NAN], &[1.0], true, 4, 0).is_err());
        assert!(RowSketch::of(&[1.0], &[1.0], true, 0, 0).is_err());
    }
}
