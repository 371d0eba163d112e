//! The part of answering that runs on the model's thread: the answer, and what shaped it.

use super::limits::Limits;
use crate::{AttributorError, ClusterCredit, ModelRecord, lab::Bench};
use alloy_primitives::B256;
use openledger_attribution::{Scores, ShareConfig, attribute, gradients};
use openledger_model::PrefixCache;

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
    bench: &mut Bench,
    name: &str,
    record: &ModelRecord,
    question: &str,
    limits: &Limits,
) -> Result<Outcome, AttributorError> {
    let (model, tokenizer, loaded) = bench.loaded(name)?;
    let prompt = tokenizer.chat_prompt(question)?;
    let tokens_in = u32::try_from(prompt.len()).unwrap_or(u32::MAX);
    let max_tokens = limits.answer_tokens(tokens_in)?;
    let generation = model.generate(tokenizer, Some(&loaded.adapter), &prompt, max_tokens)?;
    if generation.tokens.is_empty() {
        return Err(AttributorError::Invalid("the model has no answer to this prompt".into()));
    }
    let sequence = tokenizer.answer(&prompt, &generation.tokens)?;
    let first_layer = loaded.adapter.config().first_layer(model.config());
    let mut cache = PrefixCache::new(first_layer, ANSWER_CACHE_BYTES);
    let taken = gradients(model, &loaded.adapter, &mut cache, &[&sequence])?;
    let scores = Scores::new(&loaded.scorer.scores(&taken)?)?;
    let shares = attribute(&scores, ShareConfig::default())?;
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
