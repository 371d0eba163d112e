//! Which rows shaped given answers.

use super::GivenAnswer;
use crate::{
    AttributorError, ModelRecord,
    answering::influence,
    lab::{Base, Models},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What shaped one answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ScoredAnswer {
    /// Mean loss of the answer under the model, nats a token.
    pub loss: f64,
    /// Share that no cluster would earn, parts per million.
    pub unattributed_ppm: u32,
    /// The rows with the highest scores, best first.
    pub rows: Vec<RowInfluence>,
}

/// A row's part in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RowInfluence {
    /// Its contribution.
    pub contribution: u64,
    /// Its index there.
    pub row: u32,
    /// Its score; positive where it helped.
    pub score: f64,
    /// What it would earn, parts per million.
    pub ppm: u32,
}

/// Scores one answer and names its `top` rows.
pub(super) fn score(
    base: &Base,
    models: &mut Models,
    name: &str,
    record: &ModelRecord,
    given: &GivenAnswer,
    top: usize,
) -> Result<ScoredAnswer, AttributorError> {
    let loaded = models.get(base, name)?;
    let prompt = base.tokenizer.chat_prompt(&given.question)?;
    let sequence = base.tokenizer.answer(&prompt, &base.tokenizer.encode(&given.answer)?)?;
    let found = influence(base, loaded, &sequence)?;
    let mut order: Vec<usize> = (0..found.values.len()).collect();
    order.sort_by(|&a, &b| found.values[b].total_cmp(&found.values[a]).then(a.cmp(&b)));
    let named = order.into_iter().take(top).filter_map(|at| {
        let place = record.rows.get(at)?;
        let ppm = found.shares.shares.iter().find(|share| share.cluster == at).map_or(0, |share| share.ppm);
        Some(RowInfluence { contribution: place.contribution, row: place.row, score: found.values[at], ppm })
    });
    Ok(ScoredAnswer {
        loss: found.loss,
        unattributed_ppm: found.shares.unattributed_ppm,
        rows: named.collect(),
    })
}
