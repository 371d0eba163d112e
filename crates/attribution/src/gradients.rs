//! Exact per-sample gradients of the loss in an adapter's numbers.
//!
//! Sequences of like length go through one batched backward (see [`PerSample`]); several threads can each
//! take batches, with one copy of the weights between them.

use std::{
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
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
    let mut engine = PerSample::new(model, adapter)?;
    let mut taken = Taken::new(sequences.len(), engine.n_parameters());
    for batch in batches(sequences) {
        let (values, losses) = rows_of(&mut engine, cache, sequences, &batch)?;
        taken.add(&batch, &values, &losses);
    }
    Ok(taken.finish())
}

/// As [`gradients`], by so many threads of one libtorch thread each, and without a prefix cache.
pub fn gradients_on_threads(
    model: &BaseModel,
    adapter: &Adapter,
    sequences: &[&Sequence],
    threads: usize,
) -> Result<Gradients, AttributionError> {
    let mut taken = Taken::new(sequences.len(), adapter.n_parameters());
    each_gradient_on_threads(model, adapter, sequences, threads, |batch, values, losses| {
        taken.add(batch, values, losses);
        Ok(())
    })?;
    Ok(taken.finish())
}

/// As [`gradients_on_threads`], but holds no more than a few batches: each is handed to `each`, on the thread that calls,
/// while the next are computed. It is given the sequences' indices, their gradients one after the other, and their losses.
/// Shorter sequences come first, else their order is kept, but for batches that threads overtake each other with.
/// Ends with the first error, of a batch or of `each`.
pub fn each_gradient_on_threads(
    model: &BaseModel,
    adapter: &Adapter,
    sequences: &[&Sequence],
    threads: usize,
    mut each: impl FnMut(&[usize], &[f32], &[f64]) -> Result<(), AttributionError>,
) -> Result<(), AttributionError> {
    let batches = batches(sequences);
    let next = AtomicUsize::new(0);
    let workers: Vec<(BaseModel, Adapter)> = (0..threads.clamp(1, batches.len().max(1)))
        .map(|_| {
            let tensors = adapter.tensors().iter().map(tch::Tensor::shallow_clone).collect();
            Ok((model.share(), adapter.with_tensors(tensors)?))
        })
        .collect::<Result<_, AttributionError>>()?;
    thread::scope(|scope| {
        let (batches, next) = (&batches, &next);
        let (done, taken) = mpsc::sync_channel(workers.len());
        let work = |model: &BaseModel, adapter: &Adapter, done: mpsc::SyncSender<_>| {
            openledger_model::set_num_threads(1);
            let mut engine = PerSample::new(model, adapter)?;
            let mut cache = PrefixCache::new(0, 0);
            while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
                // Nobody takes it any more after an error.
                if done.send((batch, rows_of(&mut engine, &mut cache, sequences, batch)?)).is_err() {
                    break;
                }
            }
            Ok::<_, AttributionError>(())
        };
        let running: Vec<_> = workers
            .into_iter()
            .map(|(model, adapter)| {
                let done = done.clone();
                scope.spawn(move || {
                    let outcome = work(&model, &adapter, done);
                    if outcome.is_err() {
                        next.store(batches.len(), Ordering::Relaxed);
                    }
                    outcome
                })
            })
            .collect();
        drop(done);
        let handed =
            taken.into_iter().try_for_each(|(batch, (values, losses))| each(batch, &values, &losses));
        let ended: Vec<_> = running.into_iter().map(thread::ScopedJoinHandle::join).collect();
        for outcome in ended {
            outcome.map_err(|_| AttributionError::Invalid("a gradient thread panicked".into()))??;
        }
        handed
    })
}

/// Gradients and losses of a batch.
type Rows = (Vec<f32>, Vec<f64>);

fn rows_of(
    engine: &mut PerSample<'_>,
    cache: &mut PrefixCache,
    sequences: &[&Sequence],
    batch: &[usize],
) -> Result<Rows, AttributionError> {
    let batch: Vec<&Sequence> = batch.iter().map(|&i| sequences[i]).collect();
    let found = engine.gradients(&batch, cache)?;
    let matrix = found.gradients.f_to_device(Device::Cpu)?.f_contiguous()?;
    let losses = found.losses.f_to_device(Device::Cpu)?.f_to_kind(Kind::Double)?;
    let values = Vec::<f32>::try_from(&matrix.f_reshape([-1])?)?;
    if !values.iter().all(|v| v.is_finite()) {
        return Err(AttributionError::Invalid("a gradient is not finite".into()));
    }
    Ok((values, Vec::<f64>::try_from(&losses)?))
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

    fn add(&mut self, batch: &[usize], values: &[f32], losses: &[f64]) {
        for ((&i, row), loss) in batch.iter().zip(values.chunks_exact(self.parameters)).zip(losses) {
            self.values[i * self.parameters..(i + 1) * self.parameters].copy_from_slice(row);
            self.losses[i] = *loss;
        }
    }

    fn finish(self) -> Gradients {
        let Self { parameters, values, losses } = self;
        Gradients { n: losses.len(), parameters, values, losses }
    }
}
