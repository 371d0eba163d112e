//! The vocabulary's end of the model: losses, and what comes back from them.

use tch::{Kind, Tensor};

use crate::{
    error::ModelError,
    per_sample::layer::{normalise, normalise_back},
    sequence::Batch,
    transformer::BaseModel,
};

/// Positions whose logits are held at a time.
const POSITIONS: i64 = 128;

/// `[N]` losses of the last layer's output `[M, d]`, and the gradient of their sum in it.
pub(super) fn losses_and_gradient(
    model: &BaseModel,
    batch: &Batch,
    hidden: &Tensor,
) -> Result<(Tensor, Tensor), ModelError> {
    let config = model.config();
    let (embedding, weight) = model.output();
    let picked = hidden.f_index_select(0, &batch.positions)?;
    let (inverse, normed) = normalise(&picked, config.rms_epsilon)?;
    let input = normed.f_mul(weight)?;
    let count = picked.size()[0];
    let options = (Kind::Float, hidden.device());
    let held = POSITIONS.min(count);
    let logits = Tensor::f_empty([held, config.vocab_size as i64], options)?;
    let softmax = logits.f_empty_like()?;
    let losses = Tensor::f_empty([count], options)?;
    let at_input = input.f_empty_like()?;
    for from in (0..count).step_by(POSITIONS as usize) {
        let size = held.min(count - from);
        let (logits, mut softmax) = (logits.f_narrow(0, 0, size)?, softmax.f_narrow(0, 0, size)?);
        let targets = batch.targets.f_narrow(0, from, size)?.f_unsqueeze(1)?;
        let _ = input.f_narrow(0, from, size)?.f_mm_out(&logits, &embedding.f_transpose(0, 1)?)?;
        let _ = logits.f_internal_log_softmax_out(&softmax, -1, false)?;
        let found = softmax.f_gather(1, &targets, false)?.f_neg()?.f_squeeze_dim(1)?;
        losses.f_narrow(0, from, size)?.f_copy_(&found)?;
        // In place: the logarithms become the derivative, probabilities less one at the target.
        let _ = softmax.f_exp_()?;
        let _ = softmax.f_scatter_add_(1, &targets, &Tensor::f_full([size, 1], -1.0, options)?)?;
        let _ = softmax.f_mm_out(&at_input.f_narrow(0, from, size)?, embedding)?;
    }
    let weights = batch.weights.f_unsqueeze(1)?;
    let at_normed = at_input.f_mul(&weights)?.f_mul(weight)?;
    let mut at_picked = Tensor::f_zeros_like(&picked)?;
    normalise_back(&mut at_picked, at_normed, &normed, &inverse)?;
    let back = Tensor::f_zeros_like(hidden)?.f_index_copy(0, &batch.positions, &at_picked)?;
    Ok((batch.row_losses(&losses)?, back))
}
