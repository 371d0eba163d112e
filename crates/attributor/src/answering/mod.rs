//! From an escrowed request to its receipt.

mod inference;
mod inputs;
mod limits;
mod receipt;
mod recheck;

use self::{
    inference::answer,
    limits::Limits,
    receipt::{read_back, receipt},
};
use crate::{
    AnswerRecord, AnswerRequest, AnswerState, AttributorError, ModelRecord, TrainingRecord, TrainingState,
    answer_message,
    service::{MAX_UNFINISHED, Shared, to_its_end},
    signature::signed_by,
};
use alloy_primitives::{B256, U256, keccak256};
use metrics::histogram;
use openledger_abi::{IAttribution, IPayouts};
use openledger_attribution::{InfluenceConfig, ShareConfig};
use openledger_content_store::{Row, contribution_root};
use openledger_shares::{answer_hash, prompt_hash};
use std::{sync::Arc, time::Instant};
use tracing::info;

pub use self::inputs::{DISPATCH_VARIABLES, InfluenceSettings, RunSettings, ShareSettings, dispatch};
pub(crate) use self::{
    inference::{gradient, influence},
    inputs::RecordedInputs,
    recheck::recheck,
};

/// Longest prompt taken, bytes.
const MAX_PROMPT_BYTES: usize = 2_000;

/// Checks a prompt against its escrow and takes it into the journal.
pub(crate) async fn accept(
    shared: &Arc<Shared>,
    request: AnswerRequest,
) -> Result<AnswerRecord, AttributorError> {
    let request_id = request.request_id;
    if request.prompt.is_empty() || request.prompt.len() > MAX_PROMPT_BYTES {
        return Err(AttributorError::Invalid(format!("a prompt has 1 to {MAX_PROMPT_BYTES} bytes")));
    }
    if let Some(known) = shared.journal.answer(request_id)? {
        signed_by(known.payer, &answer_message(request_id), &request.signature)?;
        return Ok(known);
    }
    if shared.journal.unanswered_count()? >= MAX_UNFINISHED as u64 {
        return Err(AttributorError::Busy("too many requests are unanswered"));
    }
    let escrow = shared.chain.call(IPayouts::requestOfCall { requestId: request_id }).await?;
    signed_by(escrow.payer, &answer_message(request_id), &request.signature)?;
    if prompt_hash(request.salt, request.prompt.as_bytes()) != escrow.promptHash {
        return Err(AttributorError::Invalid(
            "prompt and salt do not hash to the escrowed prompt hash".into(),
        ));
    }
    if escrow.status != IPayouts::Status::Open {
        return Err(AttributorError::Conflict(format!("request {request_id} is not open")));
    }
    if escrow.deadline <= shared.chain.now().await? {
        return Err(AttributorError::Expired(request_id));
    }
    model_named(shared, escrow.model)?;
    let prompt = vec![Row { salt: request.salt, text: request.prompt }];
    let prompt_root = contribution_root(&prompt)?;
    let record = AnswerRecord::queued(request_id, &escrow, prompt_root);
    let shared = Arc::clone(shared);
    to_its_end(async move {
        shared.keep(prompt_root, prompt).await?;
        shared.journal.admit_answer(&record, MAX_UNFINISHED)
    })
    .await
}

/// Answers, scores and settles a request of the journal.
///
/// The answer is in the journal before anything is sent, so every later try settles the same receipt; and the chain
/// is asked before and after, for an earlier try may have got there.
pub(crate) async fn run(shared: Arc<Shared>, mut record: AnswerRecord) -> Result<(), AttributorError> {
    let request_id = record.request_id;
    shared.chain.nothing_pending().await?;
    let now = shared.chain.now().await?;
    let escrow = match shared.chain.call(IPayouts::requestOfCall { requestId: request_id }).await {
        // A reorganisation took the escrow back; its transaction is likely to come again.
        Err(AttributorError::NotFound(reason)) if now < record.deadline => {
            return Err(AttributorError::NotNow(reason));
        }
        escrow => escrow?,
    };
    match next_step(escrow.status, escrow.deadline, now) {
        Step::GiveUp => return Err(AttributorError::Expired(request_id)),
        Step::ReadBack => {}
        Step::Settle => {
            if record.answer_hash.is_none() {
                prepare(&shared, &mut record).await?;
            }
            match settle(&shared, &record).await {
                Ok((block, transaction)) => {
                    info!(request = %request_id, block, payees = record.credits.len(), "settled");
                    record.state = AnswerState::Settled { block, transaction };
                    return shared.journal.put_answer(&record);
                }
                Err(error) if error.is_retryable() => return Err(error),
                Err(error) => {
                    let escrow = shared.chain.call(IPayouts::requestOfCall { requestId: request_id }).await?;
                    if escrow.status != IPayouts::Status::Settled {
                        return Err(error);
                    }
                }
            }
        }
    }
    read_back(&shared, &mut record).await?;
    info!(request = %request_id, payees = record.credits.len(), "was settled already");
    shared.journal.put_answer(&record)
}

/// What is left to do for a request, by its escrow.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Settle,
    ReadBack,
    GiveUp,
}

/// `deadline` and `now`, the time of the latest block, are Unix seconds; the next block is later than `now`.
fn next_step(status: IPayouts::Status, deadline: u64, now: u64) -> Step {
    match status {
        IPayouts::Status::Settled => Step::ReadBack,
        IPayouts::Status::Open if now < deadline => Step::Settle,
        _ => Step::GiveUp,
    }
}

/// Has the model answer, and puts the answer and what shaped it into store and journal.
async fn prepare(shared: &Arc<Shared>, record: &mut AnswerRecord) -> Result<(), AttributorError> {
    let (training, model) = model_named(shared, record.model)?;
    let on_chain = shared.chain.call(IAttribution::modelOfCall { model: record.model }).await?;
    let prompt = shared.store.row(record.prompt_root, 0).await?;
    let name = training.request.name.clone();
    let salt = answer_salt(prompt.salt, record.request_id);
    let limits = Limits::of(&on_chain.spec.price, record.max_fee_wei, shared.max_answer_tokens);
    let lab = shared.lab.clone();
    let outcome =
        lab.ask(move |base, models| answer(base, models, &name, &model, &prompt.text, &limits)).await?;

    // Tokens that are no text leave nothing to keep.
    if !outcome.text.is_empty() {
        let text = vec![Row { salt, text: outcome.text }];
        let root = contribution_root(&text)?;
        shared.keep(root, text).await?;
        record.answer_root = Some(root);
    }
    let settings = RunSettings {
        program: env!("CARGO_PKG_VERSION").to_owned(),
        store: outcome.store,
        influence: InfluenceConfig::default().into(),
        shares: ShareConfig::default().into(),
        seed: training.request.training.seed.unwrap_or_default(),
        threads: shared.threads,
        device: outcome.device,
        dispatch: dispatch(),
    };
    let inputs = RecordedInputs { tokens: outcome.tokens.clone(), settings };
    let text = serde_json::to_string(&inputs).map_err(AttributorError::journal)?;
    let inputs = vec![Row { salt, text }];
    let root = contribution_root(&inputs)?;
    shared.keep(root, inputs).await?;
    record.inputs_root = Some(root);
    record.answer_hash = Some(answer_hash(salt, &outcome.tokens));
    record.score_root = Some(outcome.score_root);
    record.tokens_in = outcome.tokens_in;
    record.tokens_out = u32::try_from(outcome.tokens.len()).unwrap_or(u32::MAX);
    record.unattributed_ppm = outcome.unattributed_ppm;
    record.credits = outcome.credits;
    shared.journal.put_answer(record)
}

/// Sends the receipt; block and transaction.
async fn settle(shared: &Shared, record: &AnswerRecord) -> Result<(u64, B256), AttributorError> {
    let started = Instant::now();
    let sent = shared.chain.send(IAttribution::settleCall { receipt: receipt(record) }, U256::ZERO).await?;
    histogram!("attributor_stage_seconds", "stage" => "settlement").record(started.elapsed().as_secs_f64());
    Ok((sent.block_number.unwrap_or_default(), sent.transaction_hash))
}

/// The training whose model has that number on chain and can answer.
pub(crate) fn model_named(
    shared: &Shared,
    model: u64,
) -> Result<(TrainingRecord, ModelRecord), AttributorError> {
    for training in shared.journal.trainings()? {
        if let (TrainingState::Ready, Some(trained)) = (&training.state, &training.trained)
            && trained.model == Some(model)
        {
            let trained = trained.clone();
            return Ok((training, trained));
        }
    }
    Err(AttributorError::NotFound(format!("model {model} is not served here")))
}

/// Known to the payer, who knows the prompt's salt, and to nobody else.
pub(crate) fn answer_salt(prompt_salt: B256, request_id: B256) -> B256 {
    keccak256([b"openledger answer".as_slice(), prompt_salt.as_slice(), request_id.as_slice()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use openledger_abi::IPayouts::Status;

    #[test]
    fn escrow_decides_what_is_left_to_do() {
        assert_eq!(next_step(Status::Open, 100, 99), Step::Settle);
        assert_eq!(next_step(Status::Open, 100, 100), Step::GiveUp);
        assert_eq!(next_step(Status::Settled, 100, 500), Step::ReadBack);
        assert_eq!(next_step(Status::Refunded, 100, 1), Step::GiveUp);
        assert_eq!(next_step(Status::None, 100, 1), Step::GiveUp);
    }
}
