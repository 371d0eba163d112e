//! Takes an order: checks it, reckons its memory, and puts it where a restart finds it. Takes it back.

use super::{Caller, Held, JobOrder, JobRecord, JobState, evaluation::split_rows, work::forget_input};
use crate::{
    AttributorError, ModelRecord, TrainingRecord, TrainingState,
    memory::Needs,
    progress::job_key,
    service::{Shared, to_its_end},
    training,
};
use alloy_primitives::B256;
use openledger_content_store::{MAX_ROW_BYTES, Row, contribution_root};
use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

/// Answers of one job, rows named of each, and bytes of a question or an answer.
const MAX_ANSWERS: usize = 256;
const MAX_TOP: usize = 64;
const MAX_TEXT_BYTES: usize = 16 << 10;
/// Halves and trainings of one evaluation: more would hold the queue up for days.
const MAX_SUBSETS: usize = 1_024;
const MIN_SUBSETS: usize = 8;
const MAX_TRAININGS: u64 = 16;

/// Takes a job on.
pub(crate) async fn accept(
    shared: &Arc<Shared>,
    caller: &Caller,
    order: &JobOrder,
) -> Result<JobRecord, AttributorError> {
    check(order)?;
    let (training, trained) = model_called(shared, order.model())?;
    let n = trained.rows.len();
    let (needs, rows) = match order {
        JobOrder::Evaluation { subsets, trainings, .. } => {
            let (train, test) = split_rows(n);
            (Needs::of_evaluation(train, test), (n as u64).saturating_mul(*subsets as u64 * trainings))
        }
        JobOrder::Scores { answers, .. } => {
            let lora = training::config(&training.request.training).lora;
            (Needs::of_scoring(&shared.model_config, lora, n), answers.len() as u64)
        }
    };
    needs.can_fit(shared.device)?;
    let text = serde_json::to_string(order).map_err(AttributorError::journal)?;
    let held = Held { jobs: 1, rows, bytes: text.len() as u64 };
    // Before anything is stored; the journal asks again when it takes the job.
    caller.quota.admit(held, shared.journal.unfinished_of(&caller.name)?)?;
    let input = pages(&text);
    let input_root = contribution_root(&input)?;
    let record = JobRecord {
        id: 0,
        caller: caller.name.clone(),
        kind: order.kind(),
        model: order.model().to_owned(),
        rows: held.rows,
        bytes: held.bytes,
        input_root,
        ordered_at: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
        attempts: 0,
        state: JobState::Queued,
        result: None,
    };
    let (shared, quota) = (Arc::clone(shared), caller.quota);
    to_its_end(async move {
        // First the journal, so that nothing is stored that nobody would remove.
        shared.journal.note_input(input_root)?;
        let admitted = match shared.keep(input_root, input).await {
            Ok(()) => shared.journal.admit_job(&record, quota),
            Err(error) => Err(error),
        };
        if admitted.is_err() {
            forget_input(&shared, input_root).await;
        }
        admitted
    })
    .await
}

/// Ends an unfinished job and removes its text.
pub(crate) async fn cancel(shared: &Arc<Shared>, record: &JobRecord) -> Result<JobRecord, AttributorError> {
    let (shared, record) = (Arc::clone(shared), record.clone());
    to_its_end(async move {
        let ended = shared.journal.cancel_job(&record)?;
        shared.progress.end(&job_key(ended.id));
        forget_input(&shared, ended.input_root).await;
        Ok(ended)
    })
    .await
}

/// A text as rows, none larger than the store takes.
fn pages(text: &str) -> Vec<Row> {
    let mut rest = text;
    let mut pages = Vec::new();
    while !rest.is_empty() {
        let end = rest.floor_char_boundary(MAX_ROW_BYTES);
        let (page, next) = rest.split_at(end);
        pages.push(Row { salt: B256::random(), text: page.to_owned() });
        rest = next;
    }
    pages
}

/// The text of those rows.
pub(super) async fn ordered_text(shared: &Shared, root: B256) -> Result<String, AttributorError> {
    let rows = shared.store.rows(root).await?.into_iter().flatten();
    Ok(rows.map(|row| row.text).collect())
}

/// A model that can answer, by its name.
pub(super) fn model_called(
    shared: &Shared,
    name: &str,
) -> Result<(TrainingRecord, ModelRecord), AttributorError> {
    match shared.journal.training(name)? {
        Some(TrainingRecord { request, state: TrainingState::Ready, trained: Some(trained) }) => {
            let record =
                TrainingRecord { request, state: TrainingState::Ready, trained: Some(trained.clone()) };
            Ok((record, trained))
        }
        Some(_) => Err(AttributorError::Conflict(format!("model {name} is not ready"))),
        None => Err(AttributorError::NotFound(format!("no model is named {name}"))),
    }
}

fn check(order: &JobOrder) -> Result<(), AttributorError> {
    let invalid = |reason: String| Err(AttributorError::Invalid(reason));
    match order {
        JobOrder::Evaluation { subsets, trainings, .. } => {
            if !(MIN_SUBSETS..=MAX_SUBSETS).contains(subsets) || !(1..=MAX_TRAININGS).contains(trainings) {
                return invalid(format!(
                    "an evaluation has {MIN_SUBSETS} to {MAX_SUBSETS} subsets of 1 to {MAX_TRAININGS} trainings"
                ));
            }
        }
        JobOrder::Scores { answers, top, .. } => {
            if !(1..=MAX_ANSWERS).contains(&answers.len()) || !(1..=MAX_TOP).contains(top) {
                return invalid(format!(
                    "give 1 to {MAX_ANSWERS} answers, of which 1 to {MAX_TOP} rows are named"
                ));
            }
            let fits = |text: &String| (1..=MAX_TEXT_BYTES).contains(&text.len());
            if let Some(at) = answers.iter().position(|given| !fits(&given.question) || !fits(&given.answer))
            {
                return invalid(format!(
                    "answer {at}: question and answer have 1 to {MAX_TEXT_BYTES} bytes each"
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{super::GivenAnswer, *};

    #[test]
    fn order_larger_than_a_row_is_kept_in_several() {
        let text = "é".repeat(MAX_ROW_BYTES);
        let pages = pages(&text);
        assert!(pages.len() >= 2 && pages.iter().all(|page| page.text.len() <= MAX_ROW_BYTES));
        assert_eq!(pages.into_iter().map(|page| page.text).collect::<String>(), text);
    }

    #[test]
    fn orders_out_of_bounds_are_refused() {
        let evaluation = |subsets, trainings| {
            check(&JobOrder::Evaluation { model: "a".into(), subsets, trainings, seed: 0 })
        };
        evaluation(8, 1).unwrap();
        assert!(evaluation(7, 1).is_err() && evaluation(8, 0).is_err() && evaluation(1_025, 1).is_err());
        let given = |question: &str, n: usize, top: usize| {
            let one = GivenAnswer { question: question.into(), answer: "because".into() };
            check(&JobOrder::Scores { model: "a".into(), answers: vec![one; n], top })
        };
        given("why?", 256, 64).unwrap();
        assert!(
            given("why?", 257, 1).is_err() && given("why?", 0, 1).is_err() && given("why?", 1, 65).is_err()
        );
        assert!(given("", 1, 1).unwrap_err().to_string().contains("answer 0"));
        assert!(given(&"x".repeat(20_000), 1, 1).is_err());
    }
}
