//! Puts a case together from what the service recorded.

use super::{Case, CaseContribution, ContributionFacts, Facts, VERSION};
use crate::{
    AttributorError,
    answering::{RecordedInputs, answer_salt, model_named},
    lab::ADAPTER_FILE,
    service::Shared,
};
use alloy_primitives::B256;

/// The case of a receipt that was settled from here.
pub(crate) async fn collect(shared: &Shared, request: B256) -> Result<Case, AttributorError> {
    let record = shared
        .journal
        .answer(request)?
        .ok_or_else(|| AttributorError::NotFound(format!("request {request} was not asked here")))?;
    let inputs = record.inputs_root.ok_or_else(|| {
        AttributorError::NotFound(format!(
            "of request {request} no inputs were recorded: it has no answer yet"
        ))
    })?;
    let inputs: RecordedInputs = serde_json::from_str(&shared.store.row(inputs, 0).await?.text)
        .map_err(|error| AttributorError::Journal(format!("inputs of {request}: {error}")))?;
    let (training, trained) = model_named(shared, record.model)?;
    let prompt = shared.store.row(record.prompt_root, 0).await?;
    let mut contributions = Vec::new();
    for facts in ContributionFacts::read(&shared.chain, &trained.datasets).await? {
        let rows: Option<Vec<_>> = shared.store.rows(facts.root).await?.into_iter().collect();
        let rows = rows.ok_or_else(|| {
            AttributorError::Conflict(format!("rows of contribution {} were erased", facts.contribution))
        })?;
        contributions.push(CaseContribution { facts, rows });
    }
    let path = shared.models.join(&training.request.name).join(ADAPTER_FILE);
    let adapter = tokio::fs::read(&path)
        .await
        .map_err(|source| AttributorError::Io { path: path.display().to_string(), source })?;
    Ok(Case {
        version: VERSION,
        facts: Facts::read(&shared.chain, request).await?,
        trained_on: trained.datasets,
        contributions,
        answer_salt: answer_salt(prompt.salt, request),
        prompt,
        answer_tokens: inputs.tokens,
        adapter: adapter.into(),
        settings: inputs.settings,
    })
}
