//! The service's part: sketches of settled answers, and of the model what a row's side is computed with.

use super::shelf::Shelf;
use crate::{
    AnswerRecord, AnswerState, AttributorError, ModelRecord, TrainingRecord, TrainingState,
    answering::{RecordedInputs, gradient, model_named},
    lab::ADAPTER_FILE,
    service::{Shared, to_its_end},
};
use alloy_primitives::B256;
use openledger_attribution::{AnswerSketch, ShareConfig};
use serde::{Deserialize, Serialize};
use std::{path::PathBuf, sync::Arc};
use tokio::{
    fs::File,
    sync::{Mutex, OwnedMutexGuard},
};
use tracing::warn;
use utoipa::ToSchema;

/// The most buckets of a sketch: inner products of unit vectors come out to about 0.008.
const MAX_BUCKETS: usize = 16_384;
/// Numbers of a gradient for each bucket, at the least: with about as many buckets as numbers the sketch would be the
/// gradient itself in another order.
const NUMBERS_A_BUCKET: usize = 16;
/// Fewest rows of a model that gives previews. Weights and directions are sums over the rows' gradients: over a few rows
/// they would say much of each.
const MIN_ROWS: usize = 16;
/// One for all sketches: several of one answer would say more than one does.
const SEED: u64 = 0;

/// A settled answer's side of scores. Rows are whitened by the model's weights, and sketched with the same seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PublishedSketch {
    /// The receipt, by its request.
    #[schema(value_type = String)]
    pub request_id: B256,
    /// The adapter whose gradients these are.
    #[schema(value_type = String)]
    pub adapter_hash: B256,
    /// Whether gradients are scaled to length one.
    pub unit_length: bool,
    /// The sketch.
    #[serde(flatten)]
    pub sketch: AnswerSketch,
}

/// Buckets of a sketch of so many numbers.
fn buckets(parameters: usize) -> usize {
    (parameters / NUMBERS_A_BUCKET).clamp(1, MAX_BUCKETS)
}

/// What is published, if it is.
#[derive(Debug)]
pub(crate) struct Previews {
    given: bool,
    shelf: Shelf,
    /// Taking a sketch or weights is a pass over all gradients: strangers may cause one at a time.
    taking: Arc<Mutex<()>>,
}

impl Previews {
    pub(crate) fn new(given: bool, folder: PathBuf) -> Self {
        Self { given, shelf: Shelf::new(folder), taking: Arc::default() }
    }

    pub(crate) const fn are_given(&self) -> bool {
        self.given
    }

    fn allowed(&self) -> Result<(), AttributorError> {
        if self.given {
            return Ok(());
        }
        Err(AttributorError::Forbidden(
            "this attributor gives no previews: it was started without --previews".into(),
        ))
    }

    /// The right to take one thing. It goes with the work, which a client that hangs up does not end.
    fn take_one(&self) -> Result<OwnedMutexGuard<()>, AttributorError> {
        let taking = Arc::clone(&self.taking).try_lock_owned();
        taking.map_err(|_| AttributorError::Busy("another preview is being taken"))
    }

    /// A model that can answer and gives previews, by its name.
    fn ready(&self, shared: &Shared, name: &str) -> Result<ModelRecord, AttributorError> {
        self.allowed()?;
        match shared.journal.training(name)? {
            Some(TrainingRecord { state: TrainingState::Ready, trained: Some(trained), .. }) => {
                enough_rows(&trained)?;
                Ok(trained)
            }
            _ => Err(AttributorError::NotFound(format!("no model is named {name}"))),
        }
    }

    /// The adapter's file.
    pub(crate) async fn adapter(&self, shared: &Shared, name: &str) -> Result<File, AttributorError> {
        self.ready(shared, name)?;
        let path = shared.models.join(name).join(ADAPTER_FILE);
        let opened = File::open(&path).await;
        opened.map_err(|source| AttributorError::Io { path: path.display().to_string(), source })
    }

    /// The weights of the model's inner products, f64 little-endian, taken when they are first asked for.
    pub(crate) async fn weights(&self, shared: &Arc<Shared>, name: &str) -> Result<File, AttributorError> {
        let trained = self.ready(shared, name)?;
        let file = format!("weights-{:x}", trained.adapter_hash);
        if let Some(weights) = self.shelf.open(&file).await? {
            return Ok(weights);
        }
        let one = self.take_one()?;
        let (shared, name) = (Arc::clone(shared), name.to_owned());
        to_its_end(async move {
            let _one = one;
            let taken = shared.lab.ask(move |base, models| {
                let weights = models.get(base, &name)?.scorer.weights();
                Ok(weights.iter().flat_map(|weight| weight.to_le_bytes()).collect::<Vec<u8>>())
            });
            shared.previews.shelf.put(&file, taken.await?).await?;
            let none = || AttributorError::NotFound("the weights were removed just now: ask again".into());
            shared.previews.shelf.open(&file).await?.ok_or_else(none)
        })
        .await
    }

    /// The sketch of a settled answer, taken when it is first asked for.
    pub(crate) async fn sketch(
        &self,
        shared: &Arc<Shared>,
        request: B256,
    ) -> Result<PublishedSketch, AttributorError> {
        self.allowed()?;
        let record = shared.journal.answer(request)?;
        let settled = record.filter(|record| matches!(record.state, AnswerState::Settled { .. }));
        let none = || AttributorError::NotFound(format!("request {request} was not settled here"));
        let record = settled.ok_or_else(none)?;
        let (training, trained) = model_named(shared, record.model)?;
        enough_rows(&trained)?;
        let file = format!("sketch-{request:x}");
        if let Some(bytes) = self.shelf.read(&file).await? {
            match serde_json::from_slice(&bytes) {
                Ok(sketch) => return Ok(sketch),
                Err(_) => warn!(%request, "a kept sketch is damaged and is taken again"),
            }
        }
        let one = self.take_one()?;
        let shared = Arc::clone(shared);
        to_its_end(async move {
            let _one = one;
            let sketch = take(&shared, &record, training.request.name, trained.adapter_hash).await?;
            let bytes = serde_json::to_vec(&sketch).map_err(AttributorError::journal)?;
            if let Err(error) = shared.previews.shelf.put(&file, bytes).await {
                warn!(%request, %error, "a sketch is given out and not kept");
            }
            Ok(sketch)
        })
        .await
    }
}

fn enough_rows(trained: &ModelRecord) -> Result<(), AttributorError> {
    if trained.rows.len() >= MIN_ROWS {
        return Ok(());
    }
    Err(AttributorError::NotFound(format!(
        "a model of fewer than {MIN_ROWS} rows gives no previews: they would say too much of each row"
    )))
}

async fn take(
    shared: &Shared,
    record: &AnswerRecord,
    name: String,
    adapter_hash: B256,
) -> Result<PublishedSketch, AttributorError> {
    let request_id = record.request_id;
    let none = || AttributorError::NotFound(format!("nothing is kept of request {request_id}"));
    let inputs = shared.store.row(record.inputs_root.ok_or_else(none)?, 0).await?;
    let inputs: RecordedInputs = serde_json::from_str(&inputs.text).map_err(AttributorError::journal)?;
    let prompt = shared.store.row(record.prompt_root, 0).await?;
    let taken = shared.lab.ask(move |base, models| {
        let loaded = models.get(base, &name)?;
        let prompt = base.tokenizer.chat_prompt(&prompt.text)?;
        let answer = gradient(base, loaded, &base.tokenizer.answer(&prompt, &inputs.tokens)?)?;
        let buckets = buckets(loaded.adapter.n_parameters());
        let sketch = AnswerSketch::take(&loaded.scorer, &answer, ShareConfig::default(), buckets, SEED)?;
        Ok((sketch, loaded.scorer.unit_length()))
    });
    let (sketch, unit_length) = taken.await?;
    Ok(PublishedSketch { request_id, adapter_hash, unit_length, sketch })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sketch_is_far_smaller_than_what_it_is_of() {
        for (parameters, expected) in [(460_800, 16_384), (15_360, 960), (262_144, 16_384), (7, 1)] {
            assert_eq!(buckets(parameters), expected);
        }
    }

    #[test]
    fn published_sketch_is_one_flat_object() {
        let sketch =
            AnswerSketch { seed: 0, rows: 3, lambda: 0.5, positive: 2.0, floor: 0.1, direction: vec![0.1] };
        let published =
            PublishedSketch { request_id: B256::ZERO, adapter_hash: B256::ZERO, unit_length: true, sketch };
        let wire = serde_json::to_value(&published).unwrap();
        let mut fields: Vec<&String> = wire.as_object().unwrap().keys().collect();
        fields.sort_unstable();
        let expected = [
            "adapter_hash",
            "direction",
            "floor",
            "lambda",
            "positive",
            "request_id",
            "rows",
            "seed",
            "unit_length",
        ];
        assert_eq!(fields, expected);
        assert_eq!(serde_json::from_value::<PublishedSketch>(wire).unwrap(), published);
    }
}
