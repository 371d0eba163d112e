//! Exact per-sample gradients of the loss in an adapter's numbers.
//!
//! Each sequence of a batch gets its own copy of the adapter (a leading dimension). The gradient of
//! the *summed* loss in those copies is then every sequence's own gradient, from one backward pass.

use openledger_model::{Adapter, BaseModel, PrefixCache, Sequence, bounded_batches};
use tch::{Device, Kind, Tensor};

use crate::error::AttributionError;

/// Sequences a backward pass: their copies of the adapter are small beside their activations.
const BATCH_ROWS: usize = 16;

/// The gradients of some sequences, in f32 on the CPU.
#[derive(Debug)]
pub struct Gradients {
    n: usize,
    parameters: usize,
    values: Vec<f32>,
    losses: Vec<f64>,
}

impl Gradients {
    /// Sequences.
    pub const fn len(&self) -> usize {
        self.n
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.n == 0
    }

    /// Numbers a gradient.
    pub const fn n_parameters(&self) -> usize {
        self.parameters
    }

    /// The gradient of sequence `i`, in the order of the adapter's tensors.
    pub fn row(&self, i: usize) -> Option<&[f32]> {
        self.values.chunks_exact(self.parameters).nth(i)
    }

    /// All gradients, one after the other.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The loss of each sequence: its mean over predicted tokens.
    pub fn losses(&self) -> &[f64] {
        &self.losses
    }
}

/// Gradients of every sequence's loss (the mean over its predicted tokens, see [`Sequence`]).
///
/// For rows use [`openledger_model::Tokenizer::row`], for an answer
/// [`openledger_model::Tokenizer::answer`]: then only the answer's tokens count, given the prompt.
pub fn gradients(
    model: &BaseModel,
    adapter: &Adapter,
    cache: &mut PrefixCache,
    sequences: &[&Sequence],
) -> Result<Gradients, AttributionError> {
    let parameters = adapter.n_parameters();
    let mut values = Vec::with_capacity(sequences.len() * parameters);
    let mut losses = Vec::with_capacity(sequences.len());
    for batch in bounded_batches(sequences, BATCH_ROWS) {
        let n = batch.len() as i64;
        let mut copies = Vec::with_capacity(adapter.tensors().len());
        for tensor in adapter.tensors() {
            let (rows, columns) = tensor.size2()?;
            let copy = tensor.f_detach()?.f_unsqueeze(0)?.f_expand([n, rows, columns], false)?;
            copies.push(copy.f_contiguous()?.f_detach()?.f_set_requires_grad(true)?);
        }
        let batch_losses = model.losses(batch, Some(adapter.lora_with(&copies)), cache)?;
        let total = batch_losses.f_sum(Kind::Float)?;
        let gradients = Tensor::f_run_backward(&[total], &copies, false, false)?;
        let flat = gradients.iter().map(|g| g.f_reshape([n, -1])).collect::<Result<Vec<Tensor>, _>>()?;
        let matrix = Tensor::f_cat(&flat, 1)?.f_to_device(Device::Cpu)?.f_contiguous()?;
        values.extend(Vec::<f32>::try_from(&matrix.f_reshape([-1])?)?);
        let batch_losses = batch_losses.f_detach()?.f_to_device(Device::Cpu)?;
        losses.extend(Vec::<f64>::try_from(&batch_losses.f_to_kind(Kind::Double)?)?);
    }
    if !values.iter().all(|v| v.is_finite()) {
        return Err(AttributionError::Invalid("a gradient is not finite".into()));
    }
    Ok(Gradients { n: sequences.len(), parameters, values, losses })
}
