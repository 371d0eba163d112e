//! Computes a receipt again from its case, as the service did: adapter, rows' gradients, scores.

use super::Case;
use crate::{
    AttributorError,
    dataset::{self, DatasetRow},
    records::RowRef,
    training::ChosenRows,
};
use alloy_primitives::B256;
use openledger_attribution::{GradientStore, Scorer, Scores, gradients};
use openledger_model::{Adapter, BaseModel, PrefixCache, Sequence, Tokenizer};
use std::ops::ControlFlow;

/// Memory for the lower layers' outputs, bytes.
const PREFIX_CACHE_BYTES: usize = 1 << 30;

/// What a re-run gives.
#[derive(Debug)]
pub(crate) struct Rerun {
    /// The rows that can earn: one a cluster, in the order of their scores.
    pub(crate) rows: Vec<RowRef>,
    pub(crate) scores: Vec<f64>,
    pub(crate) score_root: B256,
    pub(crate) sequences: Vec<Sequence>,
    pub(crate) answer: Sequence,
    pub(crate) adapter: Adapter,
    scorer: Scorer,
    /// Holds the gradients' file, which goes with it.
    _folder: tempfile::TempDir,
}

impl Rerun {
    pub(crate) fn gradient(&self, row: usize) -> Result<Vec<f32>, AttributorError> {
        Ok(self.scorer.store().row(row)?)
    }
}

/// Runs a checked case again.
pub(crate) fn rerun(case: &Case, model: &BaseModel, tokenizer: &Tokenizer) -> Result<Rerun, AttributorError> {
    if model.hash() != case.facts.base {
        let reason = format!("the receipt's base model is {}, this one is {}", case.facts.base, model.hash());
        return Err(AttributorError::Conflict(reason));
    }
    let folder = tempfile::tempdir()
        .map_err(|source| AttributorError::Io { path: "a temporary folder".into(), source })?;
    let file = folder.path().join("adapter.safetensors");
    std::fs::write(&file, &case.adapter)
        .map_err(|source| AttributorError::Io { path: file.display().to_string(), source })?;
    let adapter = Adapter::load(model, &file)?;
    if adapter.hash()? != case.facts.adapter_hash {
        return Err(AttributorError::Invalid("the case holds another adapter than the model's".into()));
    }
    let (places, sequences) = ordered_rows(case, model, tokenizer)?;
    let answer = tokenizer.answer(&tokenizer.chat_prompt(&case.prompt.text)?, &case.answer_tokens)?;

    let mut cache = PrefixCache::new(adapter.config().first_layer(model.config()), PREFIX_CACHE_BYTES);
    let file = folder.path().join("gradients.bin");
    let store =
        GradientStore::build(&file, model, &adapter, &mut cache, &sequences, |_| ControlFlow::Continue(()))?;
    let scorer = Scorer::new(store, case.settings.influence.config()?)?;
    let taken = gradients(model, &adapter, &mut cache, &[&answer])?;
    let scores = scorer.scores(&taken)?;
    Ok(Rerun {
        rows: places,
        score_root: Scores::new(&scores)?.root(),
        scores,
        sequences,
        answer,
        adapter,
        scorer,
        _folder: folder,
    })
}

/// The rows that were trained on and can earn, one a cluster, in the order of their commitments.
pub(crate) fn ordered_rows(
    case: &Case,
    model: &BaseModel,
    tokenizer: &Tokenizer,
) -> Result<(Vec<RowRef>, Vec<Sequence>), AttributorError> {
    let mut rows: Vec<DatasetRow> = Vec::new();
    for held in &case.contributions {
        rows.extend((0..).zip(&held.rows).map(|(row, text)| DatasetRow {
            place: RowRef { contribution: held.facts.contribution, row },
            datanet: held.facts.datanet,
            priority: held.facts.priority,
            text: text.text.clone(),
        }));
    }
    rows.sort_by_key(|row| (row.priority, row.place.row));
    let chosen = ChosenRows::of(&rows, &dataset::clusters(&rows)?, tokenizer, model.config())?;
    Ok((chosen.used.iter().map(|row| row.place).collect(), chosen.used_sequences))
}
