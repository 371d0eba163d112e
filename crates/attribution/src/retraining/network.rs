//! A task's model at a checkpoint, linearised: logits and their exact derivatives.
//!
//! Every parameter sits in a linear map, so the derivative of a row's logit `c` in a weight `[out, in]`
//! is the outer product of that logit's derivative in the map's output and of the map's input. Only
//! these two factors are kept: `[n, classes, out]` and `[n, in]`. A bias is one more input, always one;
//! the order of parameters in a file does not matter to any score.

use tch::{Device, Kind, Tensor};

use crate::{
    error::AttributionError,
    retraining::{
        npz::Array,
        task::{ModelKind, Task},
    },
};

/// A weight's inputs and the derivatives of the logits in its outputs.
#[derive(Debug)]
pub(crate) struct Site {
    /// `[n, in]`
    pub(crate) input: Tensor,
    /// `[n, classes, out]`
    pub(crate) output: Tensor,
}

/// Logits of some rows and their derivatives in all parameters.
#[derive(Debug)]
pub(crate) struct Linearised {
    /// `[n, classes]`
    pub(crate) logits: Tensor,
    pub(crate) sites: Vec<Site>,
}

impl Site {
    /// Outputs and inputs of the weight.
    pub(crate) fn shape(&self) -> (i64, i64) {
        (self.output.size()[2], self.input.size()[1])
    }

    pub(crate) fn parameters(&self) -> i64 {
        let (outputs, inputs) = self.shape();
        outputs * inputs
    }
}

impl Linearised {
    /// Parameters over all sites.
    pub(crate) fn parameters(&self) -> i64 {
        self.sites.iter().map(Site::parameters).sum()
    }

    pub(crate) fn rows(&self) -> i64 {
        self.logits.size()[0]
    }

    /// Linearises a checkpoint at some rows `[n, inputs]`.
    pub(crate) fn new(task: &Task, checkpoint: &[f32], rows: &Array<f32>) -> Result<Self, AttributionError> {
        let x = tensor(&rows.values, &[rows.shape[0], rows.shape[1]])?;
        let mut weights = Weights { rest: checkpoint };
        let (inputs, classes) = (rows.shape[1], task.classes);
        match task.kind {
            ModelKind::LogisticRegression => {
                let (weight, bias) = (weights.take(&[classes, inputs])?, weights.take(&[classes])?);
                let logits = x.f_linear(&weight, Some(&bias))?;
                let sites = vec![Site { input: with_one(&x)?, output: identity(rows.shape[0], classes)? }];
                Ok(Self { logits, sites })
            }
            ModelKind::Mlp => {
                let hidden = task.width;
                let (w1, b1) = (weights.take(&[hidden, inputs])?, weights.take(&[hidden])?);
                let (w2, b2) = (weights.take(&[classes, hidden])?, weights.take(&[classes])?);
                let active = x.f_linear(&w1, Some(&b1))?.f_relu()?;
                let logits = active.f_linear(&w2, Some(&b2))?;
                let below = w2.f_unsqueeze(0)?.f_mul(&gate(&active)?)?;
                let above = identity(rows.shape[0], classes)?;
                let sites = vec![
                    Site { input: with_one(&x)?, output: below },
                    Site { input: with_one(&active)?, output: above },
                ];
                Ok(Self { logits, sites })
            }
            ModelKind::Lora => lora(task, &mut weights, x),
        }
    }
}

/// Scale of a LoRA update.
pub(crate) const LORA_SCALE: f64 = 2.0;

fn lora(task: &Task, weights: &mut Weights<'_>, x: Tensor) -> Result<Linearised, AttributionError> {
    let (rank, classes) = (task.width, task.classes);
    let mut layers = Vec::with_capacity(task.frozen.len());
    for frozen in &task.frozen {
        let [outputs, inputs] = frozen.shape;
        let (a, b) = (weights.take(&[rank, inputs])?, weights.take(&[outputs, rank])?);
        let weight = tensor(&frozen.weight, &frozen.shape)?;
        let weight = weight.f_add(&b.f_matmul(&a)?.f_mul_scalar(LORA_SCALE)?)?;
        layers.push((a, b, weight, tensor(&frozen.bias, &[outputs])?));
    }
    // Inputs of each layer; the last entry is the logits.
    let rows = x.size()[0] as usize;
    let mut inputs = vec![x];
    for (i, (_, _, weight, bias)) in layers.iter().enumerate() {
        let output = inputs[i].f_linear(weight, Some(bias))?;
        inputs.push(if i + 1 < layers.len() { output.f_relu()? } else { output });
    }
    let mut output = identity(rows, classes)?;
    let mut sites = Vec::new();
    for (i, (a, b, weight, _)) in layers.iter().enumerate().rev() {
        let input = &inputs[i];
        let narrow = input.f_matmul(&a.f_transpose(0, 1)?)?.f_mul_scalar(LORA_SCALE)?;
        let through_b = output.f_matmul(b)?.f_mul_scalar(LORA_SCALE)?;
        let below = if i > 0 { output.f_matmul(weight)?.f_mul(&gate(input)?)? } else { Tensor::new() };
        sites.push(Site { input: narrow, output });
        sites.push(Site { input: input.shallow_clone(), output: through_b });
        output = below;
    }
    let logits = inputs.pop().ok_or_else(|| AttributionError::Invalid("no layers".into()))?;
    Ok(Linearised { logits, sites })
}

/// The checkpoint's numbers that are not yet taken.
struct Weights<'a> {
    rest: &'a [f32],
}

impl Weights<'_> {
    fn take(&mut self, shape: &[usize]) -> Result<Tensor, AttributionError> {
        let (taken, rest) = self
            .rest
            .split_at_checked(shape.iter().product())
            .ok_or_else(|| AttributionError::Invalid("checkpoint is too short".into()))?;
        self.rest = rest;
        tensor(taken, shape)
    }
}

/// A tensor of row-major values.
pub(crate) fn tensor(values: &[f32], shape: &[usize]) -> Result<Tensor, AttributionError> {
    let shape: Vec<i64> = shape.iter().map(|&n| n as i64).collect();
    Ok(Tensor::f_from_slice(values)?.f_reshape(shape.as_slice())?)
}

/// `[n, in + 1]`: inputs and a one.
fn with_one(x: &Tensor) -> Result<Tensor, AttributionError> {
    let one = Tensor::f_ones([x.size()[0], 1], (Kind::Float, Device::Cpu))?;
    Ok(Tensor::f_cat(&[x, &one], 1)?)
}

/// `[n, 1, width]`: one where a ReLU passes.
fn gate(active: &Tensor) -> Result<Tensor, AttributionError> {
    Ok(active.f_gt(0.0)?.f_to_kind(Kind::Float)?.f_unsqueeze(1)?)
}

/// `[n, classes, classes]`: each logit's derivative in itself.
fn identity(rows: usize, classes: usize) -> Result<Tensor, AttributionError> {
    let (rows, classes) = (rows as i64, classes as i64);
    let eye = Tensor::f_eye(classes, (Kind::Float, Device::Cpu))?;
    Ok(eye.f_unsqueeze(0)?.f_expand([rows, classes, classes], false)?.f_contiguous()?)
}
