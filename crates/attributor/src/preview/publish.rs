//! The service's part: sketches of settled answers, and of the model what a row's side is computed with.

use crate::{
    AnswerState, AttributorError, TrainingRecord, TrainingState,
    answering::{RecordedInputs, gradient, model_named},
    lab::ADAPTER_FILE,
    service::Shared,
};
use alloy_primitives::B256;
use openledger_attribution::{AnswerSketch, ShareConfig};
use serde::{Deserialize, Serialize};
use std::{io::ErrorKind, path::PathBuf, sync::Arc};
use tokio::sync::Mutex;
use utoipa::ToSchema;

/// Buckets of a sketch: inner products of unit vectors come out to about 0.008.
const BUCKETS: usize = 16_384;
/// One for all sketches: several of one answer would say more than one does.
const SEED: u64 = 0;

/// A settled answer's side of scores. Rows are whitened by the model's weights, and sketched with the same seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PublishedSketch {
    /// The receipt, by its request.
    #[schema(value_type = String)]
    pub request_id: B256,
    /// The adapter whose gradients these are.
    #[schema(value_type = String)]
    pub adapter_hash: B256,
    /// Whether gradients are scaled to length one.
    pub unit_length: bool,
    /// Draws buckets and signs.
    pub seed: u64,
    /// Rows that could earn.
    pub rows: usize,
    /// λ of the damped system.
    pub lambda: f64,
    /// Sum of the rows' positive scores.
    pub positive: f64,
    /// A row earns with a score above this.
    pub floor: f64,
    /// The sketch.
    pub direction: Vec<f32>,
}

impl From<&PublishedSketch> for AnswerSketch {
    fn from(sketch: &PublishedSketch) -> Self {
        let PublishedSketch { seed, rows, lambda, positive, floor, .. } = *sketch;
        Self { seed, rows, lambda, positive, floor, direction: sketch.direction.clone() }
    }
}

/// What is published, if it is.
#[derive(Debug)]
pub(crate) struct Previews {
    given: bool,
    /// Sketches that were taken.
    folder: PathBuf,
    /// Taking one is a pass over all gradients: strangers may cause one at a time.
    taking: Mutex<()>,
}

impl Previews {
    pub(crate) fn new(given: bool, folder: PathBuf) -> Self {
        Self { given, folder, taking: Mutex::default() }
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

    /// A model that can answer, by its name.
    fn ready(&self, shared: &Shared, name: &str) -> Result<(), AttributorError> {
        self.allowed()?;
        match shared.journal.training(name)? {
            Some(TrainingRecord { state: TrainingState::Ready, .. }) => Ok(()),
            _ => Err(AttributorError::NotFound(format!("no model is named {name}"))),
        }
    }

    /// The adapter's file.
    pub(crate) async fn adapter(&self, shared: &Shared, name: &str) -> Result<Vec<u8>, AttributorError> {
        self.ready(shared, name)?;
        let path = shared.models.join(name).join(ADAPTER_FILE);
        let read = tokio::fs::read(&path).await;
        read.map_err(|source| AttributorError::Io { path: path.display().to_string(), source })
    }

    /// The weights of the model's inner products, f64 little-endian.
    pub(crate) async fn weights(&self, shared: &Shared, name: &str) -> Result<Vec<u8>, AttributorError> {
        self.ready(shared, name)?;
        let name = name.to_owned();
        shared
            .lab
            .ask(move |base, models| {
                let weights = models.get(base, &name)?.scorer.weights();
                Ok(weights.iter().flat_map(|weight| weight.to_le_bytes()).collect())
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
        let path = self.folder.join(format!("{request:x}.json"));
        let io = |source| AttributorError::Io { path: path.display().to_string(), source };
        match tokio::fs::read(&path).await {
            Ok(bytes) => return serde_json::from_slice(&bytes).map_err(AttributorError::journal),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(io(error)),
        }
        let _one =
            self.taking.try_lock().map_err(|_| AttributorError::Busy("another sketch is being taken"))?;
        let inputs = shared.store.row(record.inputs_root.ok_or_else(none)?, 0).await?;
        let inputs: RecordedInputs = serde_json::from_str(&inputs.text).map_err(AttributorError::journal)?;
        let (training, trained) = model_named(shared, record.model)?;
        let prompt = shared.store.row(record.prompt_root, 0).await?;
        let name = training.request.name;
        let taken = shared.lab.ask(move |base, models| {
            let loaded = models.get(base, &name)?;
            let prompt = base.tokenizer.chat_prompt(&prompt.text)?;
            let answer = gradient(base, loaded, &base.tokenizer.answer(&prompt, &inputs.tokens)?)?;
            let sketch = AnswerSketch::take(&loaded.scorer, &answer, ShareConfig::default(), BUCKETS, SEED)?;
            Ok((sketch, loaded.scorer.unit_length()))
        });
        let (AnswerSketch { seed, rows, lambda, positive, floor, direction }, unit_length) = taken.await?;
        let adapter_hash = trained.adapter_hash;
        let request_id = request;
        let published = PublishedSketch {
            request_id,
            adapter_hash,
            unit_length,
            seed,
            rows,
            lambda,
            positive,
            floor,
            direction,
        };
        tokio::fs::create_dir_all(&self.folder).await.map_err(io)?;
        let partial = path.with_extension("partial");
        let bytes = serde_json::to_vec(&published).map_err(AttributorError::journal)?;
        tokio::fs::write(&partial, bytes).await.map_err(io)?;
        tokio::fs::rename(&partial, &path).await.map_err(io)?;
        Ok(published)
    }
}
