//! Training an adapter on rows: AdamW, seeded order, a transcript that commits to every step.

use std::ops::ControlFlow;

use alloy_primitives::{B256, Keccak256};
use tch::Tensor;

use crate::{
    adamw::AdamW,
    checkpoint::Checkpoint,
    error::ModelError,
    lora::{Adapter, LoraConfig},
    prefix::PrefixCache,
    seeded::Seeded,
    sequence::Sequence,
    transformer::BaseModel,
};

/// Rows times padded length of one forward pass: bounds the memory that logits take.
const MAX_BATCH_TOKENS: usize = 2048;
/// Most rows of one training.
const MAX_ROWS: usize = 1 << 20;

/// How to train.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainConfig {
    /// The adapter's size.
    pub lora: LoraConfig,
    /// Passes over the rows.
    pub epochs: usize,
    /// Rows a step.
    pub batch_rows: usize,
    /// Peak learning rate; it rises over the first tenth of the steps and falls linearly to zero.
    pub learning_rate: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// The gradient's norm is cut to this.
    pub max_gradient_norm: f64,
    /// Seeds the adapter's first values and the order of rows.
    pub seed: u64,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            lora: LoraConfig::default(),
            epochs: 2,
            batch_rows: 8,
            learning_rate: 3e-3,
            weight_decay: 0.0,
            max_gradient_norm: 1.0,
            seed: 0,
        }
    }
}

/// A step that was taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Steps taken, from 1.
    pub step: usize,
    /// Steps in all.
    pub steps: usize,
    /// Mean loss of the step's rows before the step.
    pub loss: f64,
}

/// What training gives.
#[derive(Debug)]
pub struct Trained {
    /// The adapter.
    pub adapter: Adapter,
    /// Loss of each step.
    pub losses: Vec<f64>,
    /// Mean loss of the held-out rows without the adapter; `None` without such rows.
    pub held_out_before: Option<f64>,
    /// The same with the trained adapter.
    pub held_out_after: Option<f64>,
    /// keccak256 chain over base model, configuration, rows, and each step's rows and loss.
    pub transcript_hash: B256,
}

/// Trains an adapter. `progress` is called after each step and may stop the training.
///
/// The loss of a step is the mean of its rows' losses (each a mean over tokens, see [`Sequence`]).
pub fn train(
    model: &BaseModel,
    cache: &mut PrefixCache,
    rows: &[Sequence],
    held_out: &[Sequence],
    config: &TrainConfig,
    progress: impl FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Trained, ModelError> {
    train_checkpointed(model, cache, rows, held_out, config, usize::MAX, |_| Ok(()), progress)
}

/// As [`train`]; `keep` is given the state before the first step, after every `every` steps and after the last,
/// from which [`replay`] goes on.
#[allow(clippy::too_many_arguments)]
pub fn train_checkpointed(
    model: &BaseModel,
    cache: &mut PrefixCache,
    rows: &[Sequence],
    held_out: &[Sequence],
    config: &TrainConfig,
    every: usize,
    mut keep: impl FnMut(&Checkpoint) -> Result<(), ModelError>,
    mut progress: impl FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Trained, ModelError> {
    config.validate()?;
    if rows.is_empty() || rows.len() > MAX_ROWS {
        return Err(ModelError::Invalid(format!("training needs 1 to {MAX_ROWS} rows")));
    }
    let mut adapter = Adapter::new(model, config.lora, config.seed)?;
    let held_out_before = mean_loss(model, None, cache, held_out)?;
    let mut transcript = Transcript::new(model, rows, config);
    let mut optimiser = AdamW::new(adapter.tensors(), config)?;
    let batches = order(rows, config);
    let steps = batches.len();
    let mut losses = Vec::with_capacity(steps);
    keep(&optimiser.checkpoint(&adapter)?)?;
    for indices in &batches {
        let step = losses.len() + 1;
        let loss;
        (adapter, loss) =
            take_step(model, cache, rows, config, adapter, &mut optimiser, indices, step, steps)?;
        transcript.step(indices, loss);
        losses.push(loss);
        if step.is_multiple_of(every) {
            keep(&optimiser.checkpoint(&adapter)?)?;
        }
        if progress(&Progress { step, steps, loss }).is_break() {
            return Err(ModelError::Cancelled);
        }
    }
    if !steps.is_multiple_of(every) && every < usize::MAX {
        keep(&optimiser.checkpoint(&adapter)?)?;
    }
    let held_out_after = mean_loss(model, Some(&adapter), cache, held_out)?;
    let transcript_hash = transcript.finish(&adapter)?;
    Ok(Trained { adapter, losses, held_out_before, held_out_after, transcript_hash })
}

/// Takes `steps` steps of a training again from a checkpoint; the state after them and their losses.
pub fn replay(
    model: &BaseModel,
    cache: &mut PrefixCache,
    rows: &[Sequence],
    config: &TrainConfig,
    from: &Checkpoint,
    steps: usize,
) -> Result<(Checkpoint, Vec<f64>), ModelError> {
    config.validate()?;
    if rows.is_empty() || rows.len() > MAX_ROWS {
        return Err(ModelError::Invalid(format!("training needs 1 to {MAX_ROWS} rows")));
    }
    let batches = order(rows, config);
    let some = from.step.checked_add(steps).and_then(|end| batches.get(from.step..end));
    let some = some.ok_or_else(|| ModelError::Invalid("the training has not so many steps".into()))?;
    let mut optimiser = AdamW::resume(from, config)?;
    let mut adapter = optimiser.checkpoint(&from.adapter)?.adapter;
    let mut losses = Vec::with_capacity(steps);
    for (step, indices) in (from.step + 1..).zip(some) {
        let loss;
        let all = batches.len();
        (adapter, loss) = take_step(model, cache, rows, config, adapter, &mut optimiser, indices, step, all)?;
        losses.push(loss);
    }
    Ok((optimiser.checkpoint(&adapter)?, losses))
}

/// The rows of every step, which seed and configuration alone decide.
fn order(rows: &[Sequence], config: &TrainConfig) -> Vec<Vec<usize>> {
    let mut random = Seeded::new(config.seed ^ 0x6f72_6465_7200);
    (0..config.epochs).flat_map(|_| epoch_batches(rows, config.batch_rows, &mut random)).collect()
}

/// One step; the adapter after it and the loss before it.
#[allow(clippy::too_many_arguments)]
fn take_step(
    model: &BaseModel,
    cache: &mut PrefixCache,
    rows: &[Sequence],
    config: &TrainConfig,
    adapter: Adapter,
    optimiser: &mut AdamW,
    indices: &[usize],
    step: usize,
    steps: usize,
) -> Result<(Adapter, f64), ModelError> {
    let batch: Vec<&Sequence> = indices.iter().map(|&i| &rows[i]).collect();
    let leaves = adapter
        .tensors()
        .iter()
        .map(|t| t.f_detach()?.f_set_requires_grad(true))
        .collect::<Result<Vec<Tensor>, _>>()?;
    let (loss, gradients) = mean_loss_gradients(model, &adapter, &leaves, cache, &batch)?;
    let diverged = ModelError::Diverged { step };
    if !loss.is_finite() {
        return Err(diverged);
    }
    let rate = config.learning_rate * schedule(step, steps);
    match optimiser.step(&leaves, &gradients, rate)? {
        Some(tensors) => Ok((adapter.with_tensors(tensors)?, loss)),
        None => Err(diverged),
    }
}

/// Mean loss of sequences; `None` when there are none.
pub fn mean_loss(
    model: &BaseModel,
    adapter: Option<&Adapter>,
    cache: &mut PrefixCache,
    sequences: &[Sequence],
) -> Result<Option<f64>, ModelError> {
    let _guard = tch::no_grad_guard();
    let mut sum = 0.0;
    let all: Vec<&Sequence> = sequences.iter().collect();
    for batch in bounded_batches(&all, 16) {
        let losses = model.losses(batch, adapter.map(Adapter::lora), cache)?;
        sum += losses.f_sum(tch::Kind::Double)?.f_double_value(&[])?;
    }
    Ok((!sequences.is_empty()).then(|| sum / sequences.len() as f64))
}

/// Splits sequences into runs of at most `max_rows` whose padded size stays bounded.
pub fn bounded_batches<'a, 'b>(
    sequences: &'b [&'a Sequence],
    max_rows: usize,
) -> impl Iterator<Item = &'b [&'a Sequence]> {
    let mut rest = sequences;
    std::iter::from_fn(move || {
        let mut longest = 0;
        let mut rows = 0;
        for sequence in rest.iter().take(max_rows.max(1)) {
            longest = longest.max(sequence.tokens().len());
            if rows > 0 && longest * (rows + 1) > MAX_BATCH_TOKENS {
                break;
            }
            rows += 1;
        }
        let (batch, tail) = rest.split_at(rows);
        rest = tail;
        (!batch.is_empty()).then_some(batch)
    })
}

fn mean_loss_gradients(
    model: &BaseModel,
    adapter: &Adapter,
    leaves: &[Tensor],
    cache: &mut PrefixCache,
    batch: &[&Sequence],
) -> Result<(f64, Vec<Tensor>), ModelError> {
    let mut total = 0.0;
    let mut sums: Option<Vec<Tensor>> = None;
    for part in bounded_batches(batch, batch.len()) {
        let losses = model.losses(part, Some(adapter.lora_with(leaves)), cache)?;
        let loss = losses.f_sum(tch::Kind::Float)?.f_div_scalar(batch.len() as f64)?;
        total += loss.f_double_value(&[])?;
        let gradients = Tensor::f_run_backward(&[loss], leaves, false, false)?;
        sums = Some(match sums {
            None => gradients,
            Some(sums) => {
                let pairs = sums.iter().zip(&gradients);
                pairs.map(|(a, b)| a.f_add(b)).collect::<Result<_, _>>()?
            }
        });
    }
    Ok((total, sums.unwrap_or_default()))
}

/// Rows in a seeded order, cut into batches of rows of like length so that little is padding.
fn epoch_batches(rows: &[Sequence], batch_rows: usize, order: &mut Seeded) -> Vec<Vec<usize>> {
    let mut indices: Vec<usize> = (0..rows.len()).collect();
    order.shuffle(&mut indices);
    for window in indices.chunks_mut(batch_rows * 4) {
        window.sort_by_key(|&i| (rows[i].tokens().len(), i));
    }
    let mut batches: Vec<Vec<usize>> = indices.chunks(batch_rows).map(<[usize]>::to_vec).collect();
    order.shuffle(&mut batches);
    batches
}

fn schedule(step: usize, steps: usize) -> f64 {
    let warm_up = (steps / 10).max(1);
    if step <= warm_up {
        return step as f64 / warm_up as f64;
    }
    (steps + 1 - step) as f64 / (steps + 1 - warm_up) as f64
}

impl TrainConfig {
    /// Refuses values that no training can do with. Whether the adapter fits a model is
    /// [`LoraConfig::validate`]'s to say.
    pub fn validate(&self) -> Result<(), ModelError> {
        let invalid = |what: &str| Err(ModelError::Invalid(what.to_owned()));
        if self.epochs == 0 || self.epochs > 100 {
            return invalid("epochs must be 1 to 100");
        }
        if self.batch_rows == 0 || self.batch_rows > 1024 {
            return invalid("batch rows must be 1 to 1024");
        }
        if !(self.learning_rate > 0.0 && self.learning_rate <= 1.0) {
            return invalid("learning rate must be above 0 and at most 1");
        }
        if !(0.0..=1.0).contains(&self.weight_decay) {
            return invalid("weight decay must be 0 to 1");
        }
        if !(self.max_gradient_norm.is_finite() && self.max_gradient_norm > 0.0) {
            return invalid("gradient norm limit must be positive");
        }
        Ok(())
    }
}

/// A hash chain over what was trained on and what came of each step.
struct Transcript(B256);

impl Transcript {
    fn new(model: &BaseModel, rows: &[Sequence], config: &TrainConfig) -> Self {
        let mut hasher = Keccak256::new();
        hasher.update("openledger-training-v1");
        hasher.update(model.hash());
        let lora = config.lora;
        for size in [lora.rank, lora.n_layers, config.epochs, config.batch_rows, rows.len()] {
            hasher.update((size as u64).to_be_bytes());
        }
        hasher.update(config.seed.to_be_bytes());
        let reals = [lora.alpha, config.learning_rate, config.weight_decay, config.max_gradient_norm];
        for real in reals {
            hasher.update(real.to_be_bytes());
        }
        for row in rows {
            hasher.update((row.tokens().len() as u64).to_be_bytes());
            hasher.update((row.predicted_from() as u64).to_be_bytes());
            for token in row.tokens() {
                hasher.update(token.to_be_bytes());
            }
        }
        Self(hasher.finalize())
    }

    fn step(&mut self, indices: &[usize], loss: f64) {
        let mut hasher = Keccak256::new();
        hasher.update(self.0);
        for &index in indices {
            hasher.update((index as u64).to_be_bytes());
        }
        hasher.update((loss as f32).to_be_bytes());
        self.0 = hasher.finalize();
    }

    fn finish(self, adapter: &Adapter) -> Result<B256, ModelError> {
        let mut hasher = Keccak256::new();
        hasher.update(self.0);
        hasher.update(adapter.hash()?);
        Ok(hasher.finalize())
    }
}
