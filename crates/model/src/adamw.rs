//! AdamW over an adapter's tensors, without in-place updates.

use tch::{Kind, Tensor};

use crate::{checkpoint::Checkpoint, error::ModelError, lora::Adapter, train::TrainConfig};

const BETA_1: f64 = 0.9;
const BETA_2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// The optimiser's moments.
#[derive(Debug)]
pub(crate) struct AdamW {
    first: Vec<Tensor>,
    second: Vec<Tensor>,
    steps: i32,
    weight_decay: f64,
    max_norm: f64,
}

impl AdamW {
    pub(crate) fn new(tensors: &[Tensor], config: &TrainConfig) -> Result<Self, ModelError> {
        let zeros = || tensors.iter().map(Tensor::f_zeros_like).collect::<Result<Vec<_>, _>>();
        Ok(Self {
            first: zeros()?,
            second: zeros()?,
            steps: 0,
            weight_decay: config.weight_decay,
            max_norm: config.max_gradient_norm,
        })
    }

    /// Goes on from a checkpoint.
    pub(crate) fn resume(from: &Checkpoint, config: &TrainConfig) -> Result<Self, ModelError> {
        Ok(Self {
            steps: i32::try_from(from.step).unwrap_or(i32::MAX - 1),
            first: from.first.iter().map(Tensor::shallow_clone).collect(),
            second: from.second.iter().map(Tensor::shallow_clone).collect(),
            ..Self::new(&[], config)?
        })
    }

    /// The state after the steps that were taken.
    pub(crate) fn checkpoint(&self, adapter: &Adapter) -> Result<Checkpoint, ModelError> {
        Ok(Checkpoint {
            step: usize::try_from(self.steps).unwrap_or_default(),
            adapter: adapter.with_tensors(adapter.tensors().iter().map(Tensor::shallow_clone).collect())?,
            first: self.first.iter().map(Tensor::shallow_clone).collect(),
            second: self.second.iter().map(Tensor::shallow_clone).collect(),
        })
    }

    /// The values after a step; `None` when the gradient is not finite.
    pub(crate) fn step(
        &mut self,
        values: &[Tensor],
        gradients: &[Tensor],
        rate: f64,
    ) -> Result<Option<Vec<Tensor>>, ModelError> {
        let _guard = tch::no_grad_guard();
        let mut squares = 0.0;
        for gradient in gradients {
            squares += gradient.f_square()?.f_sum(Kind::Double)?.f_double_value(&[])?;
        }
        if !squares.is_finite() {
            return Ok(None);
        }
        let clip = (self.max_norm / squares.sqrt().max(1e-12)).min(1.0);
        self.steps += 1;
        let correct_1 = 1.0 - BETA_1.powi(self.steps);
        let correct_2 = 1.0 - BETA_2.powi(self.steps);
        let mut out = Vec::with_capacity(values.len());
        for (i, (value, gradient)) in values.iter().zip(gradients).enumerate() {
            let gradient = gradient.f_mul_scalar(clip)?;
            self.first[i] =
                self.first[i].f_mul_scalar(BETA_1)?.f_add(&gradient.f_mul_scalar(1.0 - BETA_1)?)?;
            self.second[i] = self.second[i]
                .f_mul_scalar(BETA_2)?
                .f_add(&gradient.f_square()?.f_mul_scalar(1.0 - BETA_2)?)?;
            let spread = self.second[i].f_div_scalar(correct_2)?.f_sqrt()?.f_add_scalar(EPSILON)?;
            let update = self.first[i].f_mul_scalar(rate / correct_1)?.f_div(&spread)?;
            let kept = value.f_detach()?.f_mul_scalar(1.0 - rate * self.weight_decay)?;
            out.push(kept.f_sub(&update)?);
        }
        Ok(Some(out))
    }
}
