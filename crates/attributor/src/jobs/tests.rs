//! Jobs on a real model's thread.

use super::{Callers, GivenAnswer, JobOrder, JobRecord, JobResult, JobState, accept, finish_jobs};
use crate::{
    AttributorError, TrainingRecord, TrainingRequest, TrainingState,
    jobs::{Caller, Quota},
    lab::Lab,
    progress::job_key,
    service::Shared,
    stub,
};
use openledger_content_store::ContentStoreError;
use openledger_model::Device;
use std::{path::Path, sync::Arc, time::Duration};
use tokio::time::{sleep, timeout};

const PATIENCE: Duration = Duration::from_secs(120);

fn ann() -> Caller {
    let quota = Quota { jobs: 4, rows: 400, bytes: 1 << 20 };
    Caller { name: "ann".into(), quota, is_operator: false }
}

fn scores(answers: usize) -> JobOrder {
    let given = |at: usize| GivenAnswer { question: format!("What is {at}?"), answer: "a0 b10 c20".into() };
    JobOrder::Scores { model: "joint".into(), answers: (0..answers).map(given).collect(), top: 5 }
}

async fn lab(folder: &Path) -> Lab {
    Lab::start(stub::toy_model(), Device::Cpu, 1, folder.join("models")).await.unwrap()
}

/// A service with a model that can answer.
async fn service(folder: &Path) -> Arc<Shared> {
    let lab = lab(folder).await;
    let trained = stub::train(&lab, "joint", &stub::toy_rows(24)).await;
    let shared = stub::service_with(folder, stub::no_chain(), lab);
    let request = TrainingRequest { name: "joint".into(), datanets: vec![1], training: stub::toy_settings() };
    let record = TrainingRecord { request, state: TrainingState::Ready, trained: Some(trained) };
    shared.journal.put_training(&record).unwrap();
    shared
}

async fn until(shared: &Shared, id: u64, reached: impl Fn(&JobRecord) -> bool) -> JobRecord {
    let asked = async {
        loop {
            let job = shared.journal.job(id).unwrap().unwrap();
            if reached(&job) {
                return job;
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, asked).await.unwrap()
}

async fn input_is_gone(shared: &Shared, job: &JobRecord) {
    let asked = async {
        while !matches!(
            shared.store.rows(job.input_root).await,
            Err(ContentStoreError::UnknownContribution(_))
        ) {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, asked).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn job_that_was_ordered_before_a_stop_is_done_after_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let shared = service(folder.path()).await;
    let job = accept(&shared, &ann(), &scores(3)).await.unwrap();
    assert_eq!((job.id, &job.state, job.rows), (1, &JobState::Queued, 3));
    drop(shared);

    // The next life, whose thread is gone at once: it takes the job up and keeps it.
    let shared = stub::service(folder.path(), stub::no_chain());
    let worker = tokio::spawn(finish_jobs(Arc::clone(&shared)));
    until(&shared, job.id, |job| job.state == JobState::Running).await;
    worker.abort();
    assert!(worker.await.is_err());
    drop(shared);

    let shared = stub::service_with(folder.path(), stub::no_chain(), lab(folder.path()).await);
    let worker = tokio::spawn(finish_jobs(Arc::clone(&shared)));
    let done = until(&shared, job.id, |job| !job.is_open()).await;
    worker.abort();
    assert_eq!(done.state, JobState::Done);
    let Some(JobResult::Scores(answers)) = &done.result else { panic!("{done:?}") };
    assert_eq!(answers.len(), 3);
    for answer in answers {
        assert_eq!(answer.rows.len(), 5);
        assert!(answer.rows.is_sorted_by(|a, b| a.score >= b.score) && answer.loss > 0.0, "{answer:?}");
        assert!(answer.rows.iter().map(|row| row.ppm).sum::<u32>() + answer.unattributed_ppm <= 1_000_000);
    }
    assert_eq!(answers[0].rows[0].contribution, 1);
    input_is_gone(&shared, &done).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelled_job_stops_between_its_steps_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let shared = service(folder.path()).await;
    let job = accept(&shared, &ann(), &scores(256)).await.unwrap();
    let worker = tokio::spawn(finish_jobs(Arc::clone(&shared)));
    let (key, progress) = (job_key(job.id), &shared.progress);
    let begun = async {
        while progress.stage(&key).is_none() {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, begun).await.unwrap();
    let ended = shared.journal.cancel_job(&job).unwrap();
    assert_eq!(ended.state, JobState::Cancelled);
    let stopped = async {
        while progress.stage(&key).is_some() {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, stopped).await.unwrap();
    worker.abort();
    let known = shared.journal.job(job.id).unwrap().unwrap();
    assert_eq!(
        (known.state, known.result),
        (JobState::Cancelled, None),
        "what was scored on the way is dropped"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_above_the_quota_or_of_no_model_leave_nothing_stored() {
    let folder = tempfile::tempdir().unwrap();
    let shared = service(folder.path()).await;
    let small = Caller { quota: Quota { jobs: 2, rows: 4, bytes: 1 << 20 }, ..ann() };
    accept(&shared, &small, &scores(3)).await.unwrap();
    let full = accept(&shared, &small, &scores(2)).await.unwrap_err();
    assert!(matches!(full, AttributorError::QuotaFull(_)), "{full}");
    let above = accept(&shared, &small, &scores(5)).await.unwrap_err();
    assert!(matches!(above, AttributorError::AboveQuota(_)), "{above}");
    let unknown = JobOrder::Evaluation { model: "none".into(), subsets: 96, trainings: 1, seed: 0 };
    assert!(matches!(accept(&shared, &small, &unknown).await, Err(AttributorError::NotFound(_))));
    assert_eq!(shared.journal.jobs(9, |_| true).unwrap().len(), 1);
    assert_eq!(format!("{:?}", Callers::default()), "[]");
}

#[tokio::test(flavor = "multi_thread")]
async fn answer_longer_than_the_context_fails_its_job_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let shared = service(folder.path()).await;
    let long = GivenAnswer { question: "why?".into(), answer: "because ".repeat(200) };
    let order = JobOrder::Scores { model: "joint".into(), answers: vec![long], top: 1 };
    let job = accept(&shared, &ann(), &order).await.unwrap();
    let worker = tokio::spawn(finish_jobs(Arc::clone(&shared)));
    let failed = until(&shared, job.id, |job| !job.is_open()).await;
    worker.abort();
    assert!(
        matches!(&failed.state, JobState::Failed { reason } if reason.contains("answer 0")),
        "{failed:?}"
    );
}
