//! Exact per-sample gradients of the loss in an adapter's numbers.
//!
//! Sequences of like length go through one batched backward (see [`PerSample`]); several threads can each
//! take batches, with one copy of the weights between them.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use openledger_model::{Adapter, BaseModel, PerSample, PrefixCache, Sequence};
use tch::{Device, Kind};

use crate::error::AttributionError;

/// Tokens of a batch: what a layer leaves for the backward should stay near the processor.
const BATCH_TOKENS: usize = 512;

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
    let engine = PerSample::new(model, adapter)?;
    let mut taken = Taken::new(sequences.len(), engine.n_parameters());
    for batch in batches(sequences) {
        taken.add(&batch, rows_of(&engine, cache, sequences, &batch)?);
    }
    taken.finish()
}

/// As [`gradients`], by so many threads of one libtorch thread each, and without a prefix cache.
pub fn gradients_on_threads(
    model: &BaseModel,
    adapter: &Adapter,
    sequences: &[&Sequence],
    threads: usize,
) -> Result<Gradients, AttributionError> {
    let batches = batches(sequences);
    let next = AtomicUsize::new(0);
    let mut taken = Taken::new(sequences.len(), adapter.n_parameters());
    let workers: Vec<(BaseModel, Adapter)> = (0..threads.clamp(1, batches.len().max(1)))
        .map(|_| {
            let tensors = adapter.tensors().iter().map(tch::Tensor::shallow_clone).collect();
            Ok((model.share(), adapter.with_tensors(tensors)?))
        })
        .collect::<Result<_, AttributionError>>()?;
    let parts = thread::scope(|scope| {
        let (batches, next) = (&batches, &next);
        let running: Vec<_> = workers
            .into_iter()
            .map(|(model, adapter)| {
                scope.spawn(move || {
                    openledger_model::set_num_threads(1);
                    let engine = PerSample::new(&model, &adapter)?;
                    let mut cache = PrefixCache::new(0, 0);
                    let mut parts = Vec::new();
                    while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
                        parts.push((batch, rows_of(&engine, &mut cache, sequences, batch)?));
                    }
                    Ok::<_, AttributionError>(parts)
                })
            })
            .collect();
        running.into_iter().map(thread::ScopedJoinHandle::join).collect::<Vec<_>>()
    });
    for part in parts {
        let part = part.map_err(|_| AttributionError::Invalid("a gradient thread panicked".into()))??;
        for (batch, rows) in part {
            taken.add(batch, rows);
        }
    }
    taken.finish()
}

/// Gradients and losses of a batch.
type Rows = (Vec<f32>, Vec<f64>);

fn rows_of(
    engine: &PerSample<'_>,
    cache: &mut PrefixCache,
    sequences: &[&Sequence],
    batch: &[usize],
) -> Result<Rows, AttributionError> {
    let batch: Vec<&Sequence> = batch.iter().map(|&i| sequences[i]).collect();
    let found = engine.gradients(&batch, cache)?;
    let matrix = found.gradients.f_to_device(Device::Cpu)?.f_contiguous()?;
    let losses = found.losses.f_to_device(Device::Cpu)?.f_to_kind(Kind::Double)?;
    Ok((Vec::<f32>::try_from(&matrix.f_reshape([-1])?)?, Vec::<f64>::try_from(&losses)?))
}

/// Sequences of like length together, each batch of at most [`BATCH_TOKENS`] or one sequence.
fn batches(sequences: &[&Sequence]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..sequences.len()).collect();
    order.sort_by_key(|&i| (sequences[i].tokens().len(), i));
    let mut batches: Vec<Vec<usize>> = Vec::new();
    for i in order {
        // The longest comes last, and the batch is padded to it.
        match batches.last_mut() {
            Some(batch) if sequences[i].tokens().len() * (batch.len() + 1) <= BATCH_TOKENS => batch.push(i),
            _ => batches.push(vec![i]),
        }
    }
    batches
}

/// Gradients put back in the order of their sequences.
struct Taken {
    parameters: usize,
    values: Vec<f32>,
    losses: Vec<f64>,
}

impl Taken {
    fn new(n: usize, parameters: usize) -> Self {
        Self { parameters, values: vec![0.0; n * parameters], losses: vec![0.0; n] }
    }

    fn add(&mut self, batch: &[usize], (values, losses): Rows) {
        for ((&i, row), loss) in batch.iter().zip(values.chunks_exact(self.parameters)).zip(losses) {
            self.values[i * self.parameters..(i + 1) * self.parameters].copy_from_slice(row);
            self.losses[i] = loss;
        }
    }

    fn finish(self) -> Result<Gradients, AttributionError> {
        if !self.values.iter().all(|v| v.is_finite()) {
            return Err(AttributionError::Invalid("a gradient is not finite".into()));
        }
        let Self { parameters, values, losses } = self;
        Ok(Gradients { n: losses.len(), parameters, values, losses })
    }
}
