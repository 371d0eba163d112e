//! A model's rows, ready to be scored for any answer.

use crate::{
    error::AttributionError,
    gradients::Gradients,
    influence::{Influence, InfluenceConfig},
    store::GradientStore,
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
}
