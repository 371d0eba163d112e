//! Jobs on a real model's thread.

use super::{
    Callers, GivenAnswer, JobKind, JobOrder, JobRecord, JobResult, JobState, accept, cancel, finish_jobs,
    remove_stray_inputs,
};
use crate::{
    AttributorError, ModelRecord, RowRef, TrainingRecord, TrainingRequest, TrainingState,
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
    ready(&shared, trained);
    shared
}

fn ready(shared: &Shared, trained: ModelRecord) {
    let request = TrainingRequest { name: "joint".into(), datanets: vec![1], training: stub::toy_settings() };
    let record = TrainingRecord { request, state: TrainingState::Ready, trained: Some(trained) };
    shared.journal.put_training(&record).unwrap();
}

fn evaluation() -> JobOrder {
    JobOrder::Evaluation { model: "joint".into(), subsets: 8, trainings: 1, seed: 0 }
}

async fn until(shared: &Shared, id: u64, reached: impl Fn(&JobRecord) -> bool) -> JobRecord {
    let asked = async {
        loop {
            if let Some(job) = shared.journal.job(id).unwrap().filter(&reached) {
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
    let worker = tokio::spawn(finish_jobs(Arc::clone(&shared), JobKind::Scores));
    until(&shared, job.id, |job| job.state == JobState::Running).await;
    worker.abort();
    assert!(worker.await.is_err());
    drop(shared);

    let shared = stub::service_with(folder.path(), stub::no_chain(), lab(folder.path()).await);
    let worker = tokio::spawn(finish_jobs(Arc::clone(&shared), JobKind::Scores));
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
    let worker = tokio::spawn(finish_jobs(Arc::clone(&shared), JobKind::Scores));
    let (key, progress) = (job_key(job.id), &shared.progress);
    let begun = async {
        while progress.stage(&key).is_none() {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, begun).await.unwrap();
    let ended = cancel(&shared, &job).await.unwrap();
    assert_eq!(ended.state, JobState::Cancelled);
    let stopped = async {
        while progress.stage(&key).is_some() {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, stopped).await.unwrap();
    input_is_gone(&shared, &job).await;
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
    assert_eq!(shared.journal.jobs(None, 9).unwrap().len(), 1);
    assert_eq!(format!("{:?}", Callers::default()), "[]");
}

#[tokio::test(flavor = "multi_thread")]
async fn answer_longer_than_the_context_fails_its_job_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let shared = service(folder.path()).await;
    let long = GivenAnswer { question: "why?".into(), answer: "because ".repeat(200) };
    let order = JobOrder::Scores { model: "joint".into(), answers: vec![long], top: 1 };
    let job = accept(&shared, &ann(), &order).await.unwrap();
    let worker = tokio::spawn(finish_jobs(Arc::clone(&shared), JobKind::Scores));
    let failed = until(&shared, job.id, |job| !job.is_open()).await;
    worker.abort();
    assert!(
        matches!(&failed.state, JobState::Failed { reason } if reason.contains("answer 0")),
        "{failed:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn evaluation_that_the_machine_has_no_memory_for_is_refused_when_it_is_ordered() {
    let folder = tempfile::tempdir().unwrap();
    let shared = service(folder.path()).await;
    let (_, trained) = super::order::model_called(&shared, "joint").unwrap();
    let rows = vec![RowRef { contribution: 1, row: 0 }; 1 << 19];
    ready(&shared, ModelRecord { rows, ..trained });
    let most = Caller { quota: Quota { jobs: 1, rows: u64::MAX, bytes: 1 << 20 }, ..ann() };
    let refused = accept(&shared, &most, &evaluation()).await.unwrap_err();
    assert!(matches!(refused, AttributorError::NoMemory { .. }), "{refused}");
    assert!(!refused.is_retryable(), "{refused}");
    assert!(shared.journal.jobs(None, 9).unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn evaluation_counts_for_the_rows_of_all_its_trainings() {
    let folder = tempfile::tempdir().unwrap();
    let shared = service(folder.path()).await;
    let (_, trained) = super::order::model_called(&shared, "joint").unwrap();
    let n = trained.rows.len() as u64;
    let enough = Caller { quota: Quota { rows: 8 * n, ..ann().quota }, ..ann() };
    assert_eq!(accept(&shared, &enough, &evaluation()).await.unwrap().rows, 8 * n);
    let small =
        Caller { name: "bob".into(), quota: Quota { rows: 8 * n - 1, ..ann().quota }, is_operator: false };
    assert!(matches!(accept(&shared, &small, &evaluation()).await, Err(AttributorError::AboveQuota(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn job_in_hand_when_the_service_stopped_too_often_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let shared = service(folder.path()).await;
    let job = accept(&shared, &ann(), &scores(1)).await.unwrap();
    let stopped = JobRecord { state: JobState::Running, attempts: 5, ..job.clone() };
    shared.journal.go_on_job(&stopped).unwrap();
    let worker = tokio::spawn(finish_jobs(Arc::clone(&shared), JobKind::Scores));
    let ended = until(&shared, job.id, |job| !job.is_open()).await;
    worker.abort();
    let JobState::Failed { reason } = &ended.state else { panic!("{ended:?}") };
    assert!(reason.contains("stopped 5 times"), "{reason}");
    input_is_gone(&shared, &ended).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn job_that_waits_for_what_may_come_is_no_attempt_and_says_what_it_waits_for() {
    let folder = tempfile::tempdir().unwrap();
    let shared = service(folder.path()).await;
    // Its rows are read from a chain that is away.
    let job = accept(&shared, &ann(), &evaluation()).await.unwrap();
    let worker = tokio::spawn(finish_jobs(Arc::clone(&shared), JobKind::Evaluation));
    let said = async {
        loop {
            match shared.progress.stage(&job_key(job.id)) {
                Some(stage) => return serde_json::to_value(stage).unwrap(),
                None => sleep(Duration::from_millis(5)).await,
            }
        }
    };
    let stage = timeout(PATIENCE, said).await.unwrap();
    assert_eq!(stage["stage"], "waiting for the chain");
    let waiting = until(&shared, job.id, |job| job.state == JobState::Queued).await;
    worker.abort();
    assert_eq!(waiting.attempts, 0);
    cancel(&shared, &waiting).await.unwrap();
    assert!(shared.progress.stage(&job_key(job.id)).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn scores_do_not_wait_for_an_evaluation_to_end() {
    let folder = tempfile::tempdir().unwrap();
    let shared = service(folder.path()).await;
    let (_, trained) = super::order::model_called(&shared, "joint").unwrap();
    // Without Datanets it gets as far as the model's thread, which other long work holds.
    ready(&shared, ModelRecord { datasets: vec![], ..trained });
    let (release, held) = std::sync::mpsc::channel::<()>();
    let lab = shared.lab.clone();
    let long = tokio::spawn(async move {
        lab.run(move |bench| {
            while held.try_recv().is_err() {
                bench.desk.serve(&bench.base);
                std::thread::sleep(Duration::from_millis(1));
            }
            Ok(())
        })
        .await
    });
    let evaluation = accept(&shared, &ann(), &evaluation()).await.unwrap();
    let asked = accept(&shared, &ann(), &scores(2)).await.unwrap();
    let workers = [JobKind::Scores, JobKind::Evaluation]
        .map(|kind| tokio::spawn(finish_jobs(Arc::clone(&shared), kind)));
    assert_eq!(until(&shared, asked.id, |job| !job.is_open()).await.state, JobState::Done);
    assert!(shared.journal.job(evaluation.id).unwrap().unwrap().is_open());
    release.send(()).unwrap();
    long.await.unwrap().unwrap();
    workers.iter().for_each(|worker| worker.abort());
}

#[tokio::test(flavor = "multi_thread")]
async fn order_whose_client_hangs_up_is_taken_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let shared = service(folder.path()).await;
    let (caller, order) = (ann(), scores(3));
    {
        let mut asked = Box::pin(accept(&shared, &caller, &order));
        assert!(futures_util::poll!(&mut asked).is_pending());
    }
    let taken = until(&shared, 1, |job| job.state == JobState::Queued).await;
    assert!(shared.store.contains(taken.input_root).await.unwrap());
    assert!(shared.journal.stray_inputs().unwrap().is_empty());
    // So is its end.
    {
        let mut asked = Box::pin(cancel(&shared, &taken));
        assert!(futures_util::poll!(&mut asked).is_pending());
    }
    input_is_gone(&shared, &taken).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn text_that_a_stop_left_behind_is_removed_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let shared = service(folder.path()).await;
    let waiting = accept(&shared, &ann(), &scores(1)).await.unwrap();
    let ended = accept(&shared, &ann(), &scores(2)).await.unwrap();
    // Stopped between the journal's word and the removal.
    shared.journal.cancel_job(&ended).unwrap();
    remove_stray_inputs(&shared).await.unwrap();
    input_is_gone(&shared, &ended).await;
    assert!(shared.store.contains(waiting.input_root).await.unwrap());
    assert!(shared.journal.stray_inputs().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn job_that_is_cancelled_as_it_begins_is_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    let shared = service(folder.path()).await;
    let job = accept(&shared, &ann(), &scores(1)).await.unwrap();
    // Its text is removed before it is read.
    shared.store.remove(job.input_root).await.unwrap();
    shared.journal.cancel_job(&job).unwrap();
    super::work::finish(&shared, job.clone()).await;
    assert_eq!(shared.journal.job(job.id).unwrap().unwrap().state, JobState::Cancelled);
}
