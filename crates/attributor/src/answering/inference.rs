//! The part of answering that runs on the model's thread: the answer, and what shaped it.

use super::limits::Limits;
use crate::{
    AttributorError, ClusterCredit, ModelRecord,
    lab::{Base, Loaded, Models},
};
use alloy_primitives::B256;
use metrics::histogram;
use openledger_attribution::{Gradients, Scores, ShareConfig, Shares, attribute, gradients};
use openledger_model::{PrefixCache, Sequence};
use std::time::Instant;

/// Cache for the one sequence of an answer, bytes.
const ANSWER_CACHE_BYTES: usize = 64 << 20;

/// An answer and what shaped it.
pub(super) struct Outcome {
    pub(super) text: String,
    pub(super) tokens: Vec<u32>,
    pub(super) tokens_in: u32,
    pub(super) unattributed_ppm: u32,
    pub(super) credits: Vec<ClusterCredit>,
    pub(super) score_root: B256,
    /// keccak256 of the gradients' file.
    pub(super) store: B256,
    pub(super) device: String,
}

/// Answers `question` with a trained model and scores every row of it.
pub(super) fn answer(
    base: &Base,
    models: &mut Models,
    name: &str,
    record: &ModelRecord,
    question: &str,
    limits: &Limits,
) -> Result<Outcome, AttributorError> {
    let (model, tokenizer, loaded) = (&base.model, &base.tokenizer, models.get(base, name)?);
    let started = Instant::now();
    let prompt = tokenizer.chat_prompt(question)?;
    let tokens_in = u32::try_from(prompt.len()).unwrap_or(u32::MAX);
    let max_tokens = limits.answer_tokens(tokens_in)?;
    let generation = model.generate(tokenizer, Some(&loaded.adapter), &prompt, max_tokens)?;
    if generation.tokens.is_empty() {
        return Err(AttributorError::Invalid("the model has no answer to this prompt".into()));
    }
    let sequence = tokenizer.answer(&prompt, &generation.tokens)?;
    histogram!("attributor_stage_seconds", "stage" => "generation").record(started.elapsed().as_secs_f64());
    let Influence { scores, shares, .. } = influence(base, loaded, &sequence)?;
    let mut credits: Vec<ClusterCredit> = shares
        .shares
        .iter()
        .filter_map(|share| {
            let place = record.rows.get(share.cluster)?;
            Some(ClusterCredit { contribution: place.contribution, row: place.row, ppm: share.ppm })
        })
        .collect();
    credits.sort_unstable_by_key(|credit| (credit.contribution, credit.row));
    Ok(Outcome {
        text: tokenizer.decode(&generation.tokens)?,
        tokens: generation.tokens,
        tokens_in,
        unattributed_ppm: shares.unattributed_ppm,
        credits,
        score_root: scores.root(),
        store: loaded.store,
        device: format!("{:?}", model.device()),
    })
}

/// What shaped an answer.
pub(crate) struct Influence {
    /// Of every row, in their order.
    pub(crate) values: Vec<f64>,
    pub(crate) scores: Scores,
    pub(crate) shares: Shares,
    /// Mean loss of the answer, nats a token.
    pub(crate) loss: f64,
}

/// The gradient of an answer, which `sequence` holds with its prompt.
pub(crate) fn gradient(
    base: &Base,
    loaded: &Loaded,
    sequence: &Sequence,
) -> Result<Gradients, AttributorError> {
    let first_layer = loaded.adapter.config().first_layer(base.model.config());
    let mut cache = PrefixCache::new(first_layer, ANSWER_CACHE_BYTES);
    Ok(gradients(&base.model, &loaded.adapter, &mut cache, &[sequence])?)
}

/// Scores every row for an answer.
pub(crate) fn influence(
    base: &Base,
    loaded: &Loaded,
    sequence: &Sequence,
) -> Result<Influence, AttributorError> {
    let started = Instant::now();
    let taken = gradient(base, loaded, sequence)?;
    let values = loaded.scorer.scores(&taken)?;
    let scores = Scores::new(&values)?;
    let shares = attribute(&scores, ShareConfig::default())?;
    histogram!("attributor_stage_seconds", "stage" => "scoring").record(started.elapsed().as_secs_f64());
    Ok(Influence { loss: taken.losses().first().copied().unwrap_or(f64::NAN), values, scores, shares })
}
