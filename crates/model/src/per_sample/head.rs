//! The vocabulary's end of the model: losses, and what comes back from them.

use openledger_matmul::{Right, add_mm, mm_into, strided};
use tch::{Kind, Tensor};

use crate::{
    error::ModelError,
    per_sample::layer::{normalise, normalise_back},
    sequence::Batch,
    transformer::BaseModel,
};

/// Logits that are held at a time: what stays near the processor while they become probabilities.
const LOGITS: i64 = 1 << 20;
/// What their products take at a time: parts of the vocabulary but the last are a multiple of it.
const TOKENS: i64 = 64;

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
    let Softmax { log_sum, mean } = Softmax::of(&input, embedding)?;
    let targets = embedding.f_index_select(0, &batch.targets)?;
    let at_target = input.f_mul(&targets)?.f_sum_dim_intlist(-1i64, false, Kind::Float)?;
    let losses = log_sum.f_sub(&at_target)?;
    let weights = batch.weights.f_unsqueeze(1)?;
    let at_normed = mean.f_sub(&targets)?.f_mul(&weights)?.f_mul(weight)?;
    let mut at_picked = Tensor::f_zeros_like(&picked)?;
    normalise_back(&mut at_picked, at_normed, &normed, &inverse)?;
    let back = Tensor::f_zeros_like(hidden)?.f_index_copy(0, &batch.positions, &at_picked)?;
    Ok((batch.row_losses(&losses)?, back))
}

/// What the losses need of the probabilities of all tokens at some positions.
struct Softmax {
    /// `[M]`: the logarithm of the sum of the logits' exponentials.
    log_sum: Tensor,
    /// `[M, d]`: the mean embedding under the probabilities.
    mean: Tensor,
}

impl Softmax {
    /// Of the products of `[M, d]` with `[vocabulary, d]`, a part of the vocabulary at a time: sums are kept
    /// relative to the largest logit so far (Milakov and Gimelshein, "Online normalizer calculation for softmax").
    fn of(input: &Tensor, embedding: &Tensor) -> Result<Self, ModelError> {
        let (count, vocabulary) = (input.size()[0], embedding.size()[0]);
        let part = (LOGITS / count.max(1) / TOKENS * TOKENS).clamp(TOKENS, vocabulary.max(TOKENS));
        let held = strided(count, part, input.device())?;
        let mut largest = input.f_new_full([count, 1], f64::NEG_INFINITY, (Kind::Float, input.device()))?;
        let mut sum = largest.f_zeros_like()?;
        let mut mean = input.f_zeros_like()?;
        for from in (0..vocabulary).step_by(part as usize) {
            let size = part.min(vocabulary - from);
            let tokens = embedding.f_narrow(0, from, size)?;
            let mut logits = held.f_narrow(1, 0, size)?;
            mm_into(&mut logits, input, Right::Transposed(&tokens))?;
            let now = logits.f_amax(-1i64, true)?.f_maximum(&largest)?;
            let shrunk = largest.f_sub(&now)?.f_exp()?;
            largest = now;
            let _ = logits.f_sub_(&largest)?.f_exp_()?;
            let added = logits.f_sum_dim_intlist(-1i64, true, Kind::Float)?;
            sum = sum.f_mul_(&shrunk)?.f_add_(&added)?;
            add_mm(&mut mean.f_mul_(&shrunk)?, &logits, Right::Plain(&tokens))?;
        }
        let log_sum = sum.f_log()?.f_add_(&largest)?.f_squeeze_dim(1)?;
        Ok(Self { log_sum, mean: mean.f_div_(&sum)? })
    }
}
