//! Training from nothing, and losses.

use std::ops::ControlFlow;

use tch::{Kind, Tensor};

use super::{
    corpus::LanguageTask,
    network::{forward, initial, token_losses},
};
use crate::{draw::Draw, error::AttributionError};

const BETA_1: f64 = 0.9;
const BETA_2: f64 = 0.99;
const ADAM_EPSILON: f64 = 1e-8;

/// A trained model.
#[derive(Debug)]
pub struct Trained {
    pub(super) matrices: Vec<Tensor>,
}

impl LanguageTask {
    /// Trains on some of the rows. Initial numbers and the rows' order follow from `seed` alone.
    pub fn train(&self, rows: &[usize], seed: u64) -> Result<Trained, AttributionError> {
        self.train_stepwise(rows, seed, &mut || ControlFlow::Continue(()))
    }

    /// As [`Self::train`]; `beat` is called after each step and may end it.
    pub fn train_stepwise(
        &self,
        rows: &[usize],
        seed: u64,
        beat: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> Result<Trained, AttributionError> {
        if rows.is_empty() {
            return Err(AttributionError::Invalid("there is no row to train on".into()));
        }
        let config = &self.config;
        let mut draw = Draw::new(seed);
        let mut matrices = initial(config, &mut draw)?;
        let zeros =
            |matrices: &[Tensor]| matrices.iter().map(Tensor::f_zeros_like).collect::<Result<Vec<_>, _>>();
        let (mut first, mut second) = (zeros(&matrices)?, zeros(&matrices)?);
        let mut order = rows.to_vec();
        let steps = (config.epochs * rows.len().div_ceil(config.batch_rows)) as f64;
        let mut step = 0;
        for _ in 0..config.epochs {
            draw.shuffle(&mut order);
            for rows in order.chunks(config.batch_rows) {
                let batch = self.train.batch(rows)?;
                let leaves = matrices
                    .iter()
                    .map(|m| m.f_detach()?.f_set_requires_grad(true))
                    .collect::<Result<Vec<_>, _>>()?;
                let losses = token_losses(&forward(config, &leaves, &batch)?, &batch.targets)?;
                let loss =
                    losses.f_mul(&batch.weights)?.f_sum(Kind::Float)?.f_div_scalar(rows.len() as f64)?;
                let gradients = Tensor::f_run_backward(&[loss], &leaves, false, false)?;
                step += 1;
                let rate = config.learning_rate * (1.0 - f64::from(step - 1) / steps);
                let correct = ((1.0 - BETA_2.powi(step)).sqrt(), 1.0 - BETA_1.powi(step));
                for (i, gradient) in gradients.iter().enumerate() {
                    first[i] = first[i].f_mul_scalar(BETA_1)?.f_add(&gradient.f_mul_scalar(1.0 - BETA_1)?)?;
                    second[i] = second[i]
                        .f_mul_scalar(BETA_2)?
                        .f_add(&gradient.f_square()?.f_mul_scalar(1.0 - BETA_2)?)?;
                    let spread = second[i].f_sqrt()?.f_div_scalar(correct.0)?.f_add_scalar(ADAM_EPSILON)?;
                    let update = first[i].f_mul_scalar(rate / correct.1)?.f_div(&spread)?;
                    matrices[i] = matrices[i].f_sub(&update)?;
                }
                if beat().is_break() {
                    return Err(AttributionError::Cancelled);
                }
            }
        }
        Ok(Trained { matrices })
    }

    /// Mean loss a word of each test row.
    pub fn test_losses(&self, model: &Trained) -> Result<Vec<f32>, AttributionError> {
        let rows: Vec<usize> = (0..self.test.n).collect();
        let batch = self.test.batch(&rows)?;
        let losses = token_losses(&forward(&self.config, &model.matrices, &batch)?, &batch.targets)?;
        let losses = losses.f_mul(&batch.weights)?.f_sum_dim_intlist(1i64, false, Kind::Float)?;
        let losses = Vec::<f32>::try_from(&losses)?;
        if losses.iter().all(|loss| loss.is_finite()) {
            Ok(losses)
        } else {
            Err(AttributionError::Invalid("training diverged; lower the learning rate".into()))
        }
    }
}
