//! A model's rows, ready to be scored for any answer.

use crate::{
    error::AttributionError,
    gradient_store::GradientStore,
    gradients::Gradients,
    influence::{Influence, InfluenceConfig},
};

/// Rows' gradients with their factored influence system.
#[derive(Debug)]
pub struct Scorer {
    store: GradientStore,
    weights: Vec<f64>,
    influence: Influence,
}

impl Scorer {
    /// Prepares a store's rows: two passes over the file and one factorisation.
    pub fn new(store: GradientStore, config: InfluenceConfig) -> Result<Self, AttributionError> {
        let weights =
            if config.whiten { store.inverse_mean_squares()? } else { vec![1.0; store.n_parameters()] };
        let influence = Influence::new(&store.gram(&weights)?, config)?;
        Ok(Self { store, weights, influence })
    }

    /// The rows' gradients.
    pub const fn store(&self) -> &GradientStore {
        &self.store
    }

    /// Scores of all rows, in the store's order, for an answer's gradient (the first of `answer`).
    pub fn scores(&self, answer: &Gradients) -> Result<Vec<f64>, AttributionError> {
        let gradient =
            answer.row(0).ok_or_else(|| AttributionError::Invalid("no gradient of an answer".into()))?;
        let products = self.store.products(gradient, &self.weights)?;
        let square: f64 =
            gradient.iter().zip(&self.weights).map(|(&g, w)| f64::from(g) * f64::from(g) * w).sum();
        self.influence.scores(&products, square.sqrt())
    }

    /// What each number of a gradient is weighted by in inner products.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// λ.
    pub const fn lambda(&self) -> f64 {
        self.influence.lambda()
    }

    /// Whether gradients are scaled to length one.
    pub const fn unit_length(&self) -> bool {
        self.influence.unit_length()
    }

    /// The answer's whitened gradient (the first of `answer`) with the damped inverse applied, from its `scores`: the
    /// product of a row's whitened gradient with it is the row's score. One pass over the rows.
    pub fn direction(&self, answer: &Gradients, scores: &[f64]) -> Result<Vec<f64>, AttributionError> {
        let gradient =
            answer.row(0).ok_or_else(|| AttributionError::Invalid("no gradient of an answer".into()))?;
        let n = self.store.len();
        if gradient.len() != self.weights.len() || scores.len() != n {
            return Err(AttributionError::Invalid("scores and gradient do not fit the rows".into()));
        }
        let roots: Vec<f64> = self.weights.iter().map(|weight| weight.sqrt()).collect();
        let mut sum: Vec<f64> = gradient.iter().zip(&roots).map(|(g, w)| f64::from(*g) * w).collect();
        let length = sum.iter().map(|v| v * v).sum::<f64>().sqrt();
        if self.influence.unit_length() && length > 0.0 {
            sum.iter_mut().for_each(|v| *v /= length);
        }
        for (at, (score, scale)) in scores.iter().zip(self.influence.scales()).enumerate() {
            let factor = score * scale / n as f64;
            let row = self.store.row(at)?;
            for ((sum, value), root) in sum.iter_mut().zip(&row).zip(&roots) {
                *sum -= factor * f64::from(*value) * root;
            }
        }
        let lambda = self.influence.lambda();
        sum.iter_mut().for_each(|v| *v /= lambda);
        Ok(sum)
    }
}
