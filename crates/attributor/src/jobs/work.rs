//! Does jobs one after the other, the oldest first.

use super::{
    JobOrder, JobRecord, JobResult, JobState,
    evaluation::evaluate,
    order::{model_called, ordered_text},
    scoring::score,
};
use crate::{
    AttributorError, dataset,
    progress::job_key,
    service::{Shared, wait_for_work},
    training::ChosenRows,
};
use metrics::{counter, histogram};
use openledger_attribution::{AttributionError, faithfulness::Plan, language::has_words};
use std::{ops::ControlFlow, sync::Arc, time::Instant};
use tracing::{info, warn};

/// Does jobs for ever.
pub(crate) async fn finish_jobs(shared: Arc<Shared>) {
    loop {
        let unfinished = shared.journal.unfinished_jobs().unwrap_or_else(|error| {
            warn!(%error, "the journal cannot be read");
            Vec::new()
        });
        for record in unfinished {
            finish(&shared, record).await;
        }
        wait_for_work(&shared).await;
    }
}

/// Does one job. What may pass leaves it in the queue.
async fn finish(shared: &Arc<Shared>, mut record: JobRecord) {
    let (id, started) = (record.id, Instant::now());
    let outcome = run(shared, &mut record).await;
    shared.progress.end(&job_key(id));
    let state = match outcome {
        Ok(result) => {
            histogram!("attributor_stage_seconds", "stage" => "job").record(started.elapsed().as_secs_f64());
            record.result = Some(result);
            JobState::Done
        }
        Err(AttributorError::Cancelled) => {
            info!(job = id, "was cancelled");
            return;
        }
        Err(error) if error.is_retryable() => {
            warn!(job = id, %error, "goes on later");
            return;
        }
        Err(error) => {
            counter!("attributor_failures_total", "work" => "job").increment(1);
            warn!(job = id, %error, "failed");
            JobState::Failed { reason: error.to_string() }
        }
    };
    record.state = state;
    match shared.journal.go_on_job(&record) {
        Ok(_) => forget_input(shared, &record).await,
        Err(error) => warn!(job = id, %error, "the journal does not take records"),
    }
}

/// Removes a finished job's questions.
pub(crate) async fn forget_input(shared: &Shared, record: &JobRecord) {
    if let Err(error) = shared.store.remove(record.input_root).await {
        warn!(job = record.id, %error, "the order's text is still stored");
    }
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
    if shared.journal.job(id)?.is_some_and(|job| job.is_open()) {
        return Ok(());
    }
    Err(AttributorError::Cancelled)
}

async fn run(shared: &Arc<Shared>, record: &mut JobRecord) -> Result<JobResult, AttributorError> {
    record.state = JobState::Running;
    if !shared.journal.go_on_job(record)? {
        return Err(AttributorError::Cancelled);
    }
    let id = record.id;
    let order: JobOrder = serde_json::from_str(&ordered_text(shared, record.input_root).await?)
        .map_err(|error| AttributorError::Journal(format!("job {id}: {error}")))?;
    let (_, trained) = model_called(shared, order.model())?;
    match order {
        JobOrder::Scores { model, answers, top } => {
            let (mut scored, of) = (Vec::with_capacity(answers.len()), answers.len());
            for (at, given) in answers.into_iter().enumerate() {
                step(shared, id, "scoring", at, of)?;
                let (model, trained) = (model.clone(), trained.clone());
                let ask = move |base: &_, models: &mut _| score(base, models, &model, &trained, &given, top);
                let found = shared.lab.ask(ask).await.map_err(|error| match error {
                    AttributorError::Model(error) => {
                        AttributorError::Invalid(format!("answer {at}: {error}"))
                    }
                    error => error,
                })?;
                scored.push(found);
            }
            Ok(JobResult::Scores(scored))
        }
        JobOrder::Evaluation { subsets, trainings, seed, .. } => {
            let rows = dataset::load(&shared.chain, &shared.store, &trained.datasets).await?;
            let plan = Plan { subsets, trainings, seed };
            let own = Arc::clone(shared);
            let evaluation = shared.lab.run(move |bench| {
                let chosen = ChosenRows::of(&rows, &bench.base.tokenizer, bench.base.model.config())?;
                // The language model that is judged reads words alone.
                let texts: Vec<String> =
                    chosen.used.iter().map(|row| row.text.clone()).filter(|text| has_words(text)).collect();
                evaluate(bench, &texts, plan, |done| match step(&own, id, "retraining", done, subsets) {
                    Err(AttributorError::Cancelled) => ControlFlow::Break(()),
                    _ => ControlFlow::Continue(()),
                })
            });
            match evaluation.await {
                Err(AttributorError::Attribution(AttributionError::Cancelled)) => {
                    Err(AttributorError::Cancelled)
                }
                found => Ok(JobResult::Evaluation(found?)),
            }
        }
    }
}
