//! Does jobs, those of each kind one after the other, the oldest first.

use super::{
    GivenAnswer, JobKind, JobOrder, JobRecord, JobResult, JobState,
    evaluation::evaluate,
    order::{model_called, ordered_text},
    scoring::score,
};
use crate::{
    AttributorError, ModelRecord, dataset,
    progress::job_key,
    service::{RETRY, Shared, wait_for_work},
    training::ChosenRows,
};
use alloy_primitives::B256;
use metrics::{counter, histogram};
use openledger_attribution::{
    faithfulness::{Plan, Stage, Step},
    language::has_words,
};
use std::{
    ops::ControlFlow,
    sync::Arc,
    time::{Duration, Instant},
};
use tracing::{info, warn};

/// Starts of a job without a known end, after which it is given up: it may be what stops the service.
const MAX_ATTEMPTS: u32 = 5;

/// Does jobs of one kind for ever.
pub(crate) async fn finish_jobs(shared: Arc<Shared>, kind: JobKind) {
    loop {
        let unfinished = shared.journal.unfinished_jobs().unwrap_or_else(|error| {
            warn!(%error, "the journal cannot be read");
            Vec::new()
        });
        let mut pause = RETRY;
        for record in unfinished.into_iter().filter(|job| job.kind == kind) {
            pause = pause.max(finish(&shared, record).await);
        }
        wait_for_work(&shared, pause).await;
    }
}

/// Does one job; how long to wait before it is tried again, if it has to be. What may pass leaves it in the queue.
pub(super) async fn finish(shared: &Arc<Shared>, mut record: JobRecord) -> Duration {
    let (id, started) = (record.id, Instant::now());
    let outcome = run(shared, &mut record).await;
    let goes_on = shared.journal.job_goes_on(id).unwrap_or(true);
    let mut pause = Duration::ZERO;
    let state = match outcome {
        // Whatever came of it: its text may have been removed under it.
        _ if !goes_on => {
            info!(job = id, "was cancelled");
            shared.progress.end(&job_key(id));
            forget_input(shared, record.input_root).await;
            return Duration::ZERO;
        }
        Ok(result) => {
            histogram!("attributor_stage_seconds", "stage" => "job").record(started.elapsed().as_secs_f64());
            record.result = Some(result);
            JobState::Done
        }
        Err(error) if error.is_retryable() => {
            warn!(job = id, %error, "goes on later");
            pause = error.pause();
            shared.progress.note(&job_key(id), error.waits_for(), 0, 0);
            record.attempts = record.attempts.saturating_sub(1);
            JobState::Queued
        }
        Err(error) => {
            counter!("attributor_failures_total", "work" => "job").increment(1);
            warn!(job = id, %error, "failed");
            JobState::Failed { reason: error.to_string() }
        }
    };
    record.state = state;
    match shared.journal.go_on_job(&record) {
        Ok(_) if record.is_open() => {}
        Ok(_) => {
            shared.progress.end(&job_key(id));
            forget_input(shared, record.input_root).await;
        }
        Err(error) => warn!(job = id, %error, "the journal does not take records"),
    }
    pause
}

/// Removes a finished job's order with its questions. What cannot be removed now is tried again at the next start.
pub(super) async fn forget_input(shared: &Shared, root: B256) {
    let removed = match shared.store.remove(root).await {
        Ok(()) => shared.journal.forget_input(root),
        Err(error) => Err(error.into()),
    };
    if let Err(error) = removed {
        warn!(%root, %error, "an order's text is still stored");
    }
}

/// Removes orders that an earlier life of this process stored for no job, or had no time to remove.
pub(crate) async fn remove_stray_inputs(shared: &Shared) -> Result<(), AttributorError> {
    for root in shared.journal.stray_inputs()? {
        forget_input(shared, root).await;
    }
    Ok(())
}

/// A step of the job is done; whether it goes on.
fn step(
    shared: &Shared,
    id: u64,
    stage: &'static str,
    done: usize,
    of: usize,
) -> Result<(), AttributorError> {
    shared.progress.note(&job_key(id), stage, done, of);
    if shared.journal.job_goes_on(id)? { Ok(()) } else { Err(AttributorError::Cancelled) }
}

async fn run(shared: &Arc<Shared>, record: &mut JobRecord) -> Result<JobResult, AttributorError> {
    if record.attempts >= MAX_ATTEMPTS {
        return Err(AttributorError::Invalid(format!(
            "the service stopped {MAX_ATTEMPTS} times while this job was in hand: order less at a time, or again"
        )));
    }
    record.state = JobState::Running;
    record.attempts += 1;
    if !shared.journal.go_on_job(record)? {
        return Err(AttributorError::Cancelled);
    }
    let id = record.id;
    let order: JobOrder = serde_json::from_str(&ordered_text(shared, record.input_root).await?)
        .map_err(|error| AttributorError::Journal(format!("job {id}: {error}")))?;
    let (_, trained) = model_called(shared, order.model())?;
    match order {
        JobOrder::Scores { model, answers, top } => scores(shared, id, &model, &trained, answers, top).await,
        JobOrder::Evaluation { subsets, trainings, seed, .. } => {
            evaluation(shared, id, &trained, Plan { subsets, trainings, seed }).await
        }
    }
}

async fn scores(
    shared: &Shared,
    id: u64,
    model: &str,
    trained: &ModelRecord,
    answers: Vec<GivenAnswer>,
    top: usize,
) -> Result<JobResult, AttributorError> {
    let (mut scored, of) = (Vec::with_capacity(answers.len()), answers.len());
    for (at, given) in answers.into_iter().enumerate() {
        step(shared, id, "scoring", at, of)?;
        let (model, trained) = (model.to_owned(), trained.clone());
        let ask = move |base: &_, models: &mut _| score(base, models, &model, &trained, &given, top);
        let found = shared.lab.ask(ask).await.map_err(|error| match error {
            AttributorError::Model(error) => AttributorError::Invalid(format!("answer {at}: {error}")),
            error => error,
        })?;
        scored.push(found);
    }
    Ok(JobResult::Scores(scored))
}

async fn evaluation(
    shared: &Arc<Shared>,
    id: u64,
    trained: &ModelRecord,
    plan: Plan,
) -> Result<JobResult, AttributorError> {
    let rows = dataset::load(&shared.chain, &shared.store, &trained.datasets).await?;
    let (rows, clusters) = dataset::clustered(rows).await?;
    let own = Arc::clone(shared);
    let found = shared.lab.run(move |bench| {
        let chosen = ChosenRows::of(&rows, &clusters, &bench.base.tokenizer, bench.base.model.config())?;
        // The language model that is judged reads words alone.
        let texts: Vec<&str> =
            chosen.used.iter().map(|row| row.text.as_str()).filter(|text| has_words(text)).collect();
        evaluate(bench, &texts, plan, |Step { stage, done, of }| {
            let stage = match stage {
                Stage::Retraining => "retraining",
                Stage::Judging => "judging",
            };
            match step(&own, id, stage, done, of) {
                Err(AttributorError::Cancelled) => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        })
    });
    Ok(JobResult::Evaluation(found.await?))
}
