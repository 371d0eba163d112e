//! The durable state: each change is one synced transaction.

mod jobs;
mod uploads;

use crate::{AnswerRecord, AnswerState, AttributorError, TrainingRecord, TrainingState};
use alloy_primitives::B256;
use redb::{Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition};
use serde::{Serialize, de::DeserializeOwned};
use std::path::Path;

pub(crate) use self::uploads::{Holding, PendingUpload, Quotas};

/// Name → [`TrainingRecord`] as JSON.
const TRAININGS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("trainings");
/// Request → [`AnswerRecord`] as JSON.
const ANSWERS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("answers");
/// Requests that are not finished: what is asked for often must not depend on all that ever was.
const OPEN_ANSWERS: TableDefinition<'_, &[u8], ()> = TableDefinition::new("open answers");
/// Settled requests whose receipts L1 does not hold yet.
const UNSAFE_ANSWERS: TableDefinition<'_, &[u8], ()> = TableDefinition::new("unsafe answers");

/// Trainings and requests on disk.
#[derive(Debug)]
pub(crate) struct Journal(Database);

impl Journal {
    /// Opens the file, making it when missing. Another process holding it is an error.
    pub(crate) fn open(path: &Path) -> Result<Self, AttributorError> {
        let fail = |error: &dyn std::fmt::Display| {
            AttributorError::Journal(format!(
                "{}: {error} (is another attributor using this folder?)",
                path.display()
            ))
        };
        let database = Database::create(path).map_err(|e| fail(&e))?;
        let transaction = database.begin_write().map_err(|e| fail(&e))?;
        transaction.open_table(TRAININGS).map_err(|e| fail(&e))?;
        transaction.open_table(UNSAFE_ANSWERS).map_err(|e| fail(&e))?;
        transaction.open_table(jobs::JOBS).map_err(|e| fail(&e))?;
        transaction.open_table(jobs::OPEN_JOBS).map_err(|e| fail(&e))?;
        {
            let answers = transaction.open_table(ANSWERS).map_err(|e| fail(&e))?;
            let mut open = transaction.open_table(OPEN_ANSWERS).map_err(|e| fail(&e))?;
            for row in answers.iter().map_err(|e| fail(&e))? {
                let (key, value) = row.map_err(|e| fail(&e))?;
                if decode::<AnswerRecord>(value.value())?.is_open() {
                    open.insert(key.value(), ()).map_err(|e| fail(&e))?;
                }
            }
        }
        transaction.commit().map_err(|e| fail(&e))?;
        Ok(Self(database))
    }

    pub(crate) fn put_training(&self, record: &TrainingRecord) -> Result<(), AttributorError> {
        let value = encode(record)?;
        let transaction = self.0.begin_write().map_err(AttributorError::journal)?;
        {
            let mut table = transaction.open_table(TRAININGS).map_err(AttributorError::journal)?;
            table.insert(record.request.name.as_str(), value.as_slice()).map_err(AttributorError::journal)?;
        }
        transaction.commit().map_err(AttributorError::journal)
    }

    /// Records what became of a training that is not finished; whether it still was unfinished. One that was cancelled
    /// stands as it is.
    pub(crate) fn go_on_training(&self, record: &TrainingRecord) -> Result<bool, AttributorError> {
        let name = record.request.name.as_str();
        let value = encode(record)?;
        let transaction = self.0.begin_write().map_err(AttributorError::journal)?;
        {
            let mut table = transaction.open_table(TRAININGS).map_err(AttributorError::journal)?;
            let known = table.get(name).map_err(AttributorError::journal)?;
            let known: Option<TrainingRecord> = known.map(|known| decode(known.value())).transpose()?;
            if !known.is_some_and(|known| known.is_open() && known.request == record.request) {
                return Ok(false);
            }
            table.insert(name, value.as_slice()).map_err(AttributorError::journal)?;
        }
        transaction.commit().map_err(AttributorError::journal)?;
        Ok(true)
    }

    /// Ends an unfinished training for good; the same name can be ordered again.
    pub(crate) fn cancel_training(&self, name: &str) -> Result<TrainingRecord, AttributorError> {
        let unknown = || AttributorError::NotFound(format!("no training is named {name}"));
        let known = self.training(name)?.ok_or_else(unknown)?;
        let state = TrainingState::Failed { reason: AttributorError::Cancelled.to_string() };
        let ended = TrainingRecord { state, ..known };
        if self.go_on_training(&ended)? {
            return Ok(ended);
        }
        Err(AttributorError::Conflict(format!("training {name} is finished")))
    }

    pub(crate) fn training(&self, name: &str) -> Result<Option<TrainingRecord>, AttributorError> {
        let table = self.0.begin_read().map_err(AttributorError::journal)?;
        let table = table.open_table(TRAININGS).map_err(AttributorError::journal)?;
        table.get(name).map_err(AttributorError::journal)?.map(|value| decode(value.value())).transpose()
    }

    pub(crate) fn trainings(&self) -> Result<Vec<TrainingRecord>, AttributorError> {
        let table = self.0.begin_read().map_err(AttributorError::journal)?;
        let table = table.open_table(TRAININGS).map_err(AttributorError::journal)?;
        let rows = table.iter().map_err(AttributorError::journal)?;
        rows.map(|row| decode(row.map_err(AttributorError::journal)?.1.value())).collect()
    }

    /// Takes a new order, in one step. A training of that name that has not failed stands as it is: when it was
    /// ordered alike it is the answer, else an error; so are more than `limit` unfinished ones.
    pub(crate) fn admit_training(
        &self,
        record: &TrainingRecord,
        limit: usize,
    ) -> Result<TrainingRecord, AttributorError> {
        let name = record.request.name.as_str();
        let value = encode(record)?;
        let transaction = self.0.begin_write().map_err(AttributorError::journal)?;
        {
            let mut table = transaction.open_table(TRAININGS).map_err(AttributorError::journal)?;
            let mut unfinished = 0;
            for row in table.iter().map_err(AttributorError::journal)? {
                let known: TrainingRecord = decode(row.map_err(AttributorError::journal)?.1.value())?;
                unfinished += usize::from(known.is_open());
                let failed = matches!(known.state, TrainingState::Failed { .. });
                if known.request.name == name && !failed {
                    return if known.request == record.request {
                        Ok(known)
                    } else {
                        Err(AttributorError::Conflict(format!("another training is named {name}")))
                    };
                }
            }
            if unfinished >= limit {
                return Err(AttributorError::Busy("too many trainings are unfinished"));
            }
            table.insert(name, value.as_slice()).map_err(AttributorError::journal)?;
        }
        transaction.commit().map_err(AttributorError::journal)?;
        Ok(record.clone())
    }

    /// Takes a new request, in one step. One that is known stands as it is and is the answer; more than `limit`
    /// unfinished ones are an error.
    pub(crate) fn admit_answer(
        &self,
        record: &AnswerRecord,
        limit: usize,
    ) -> Result<AnswerRecord, AttributorError> {
        let key = record.request_id.as_slice();
        let value = encode(record)?;
        let transaction = self.0.begin_write().map_err(AttributorError::journal)?;
        {
            let mut table = transaction.open_table(ANSWERS).map_err(AttributorError::journal)?;
            if let Some(known) = table.get(key).map_err(AttributorError::journal)? {
                return decode(known.value());
            }
            let mut open = transaction.open_table(OPEN_ANSWERS).map_err(AttributorError::journal)?;
            if open.len().map_err(AttributorError::journal)? >= limit as u64 {
                return Err(AttributorError::Busy("too many requests are unanswered"));
            }
            table.insert(key, value.as_slice()).map_err(AttributorError::journal)?;
            open.insert(key, ()).map_err(AttributorError::journal)?;
        }
        transaction.commit().map_err(AttributorError::journal)?;
        Ok(record.clone())
    }

    pub(crate) fn put_answer(&self, record: &AnswerRecord) -> Result<(), AttributorError> {
        let key = record.request_id.as_slice();
        let value = encode(record)?;
        let transaction = self.0.begin_write().map_err(AttributorError::journal)?;
        {
            let mut table = transaction.open_table(ANSWERS).map_err(AttributorError::journal)?;
            table.insert(key, value.as_slice()).map_err(AttributorError::journal)?;
            let mut open = transaction.open_table(OPEN_ANSWERS).map_err(AttributorError::journal)?;
            if record.is_open() {
                open.insert(key, ()).map_err(AttributorError::journal)?;
            } else {
                open.remove(key).map_err(AttributorError::journal)?;
            }
            let mut not_safe = transaction.open_table(UNSAFE_ANSWERS).map_err(AttributorError::journal)?;
            if matches!(record.state, AnswerState::Settled { .. }) {
                not_safe.insert(key, ()).map_err(AttributorError::journal)?;
            } else {
                not_safe.remove(key).map_err(AttributorError::journal)?;
            }
        }
        transaction.commit().map_err(AttributorError::journal)
    }

    pub(crate) fn answer(&self, request: B256) -> Result<Option<AnswerRecord>, AttributorError> {
        let table = self.0.begin_read().map_err(AttributorError::journal)?;
        let table = table.open_table(ANSWERS).map_err(AttributorError::journal)?;
        let found = table.get(request.as_slice()).map_err(AttributorError::journal)?;
        found.map(|value| decode(value.value())).transpose()
    }

    /// How many requests are unfinished.
    pub(crate) fn unanswered_count(&self) -> Result<u64, AttributorError> {
        let table = self.0.begin_read().map_err(AttributorError::journal)?;
        let table = table.open_table(OPEN_ANSWERS).map_err(AttributorError::journal)?;
        table.len().map_err(AttributorError::journal)
    }

    /// The unfinished requests.
    pub(crate) fn unanswered(&self) -> Result<Vec<AnswerRecord>, AttributorError> {
        self.listed_in(OPEN_ANSWERS, usize::MAX)
    }

    /// Settled requests, at most so many, whose receipts are not known to be safe.
    pub(crate) fn unsafe_answers(&self, limit: usize) -> Result<Vec<AnswerRecord>, AttributorError> {
        self.listed_in(UNSAFE_ANSWERS, limit)
    }

    /// A receipt need not be looked at again.
    pub(crate) fn receipt_is_safe(&self, request: B256) -> Result<(), AttributorError> {
        let transaction = self.0.begin_write().map_err(AttributorError::journal)?;
        {
            let mut table = transaction.open_table(UNSAFE_ANSWERS).map_err(AttributorError::journal)?;
            table.remove(request.as_slice()).map_err(AttributorError::journal)?;
        }
        transaction.commit().map_err(AttributorError::journal)
    }

    fn listed_in(
        &self,
        list: TableDefinition<'_, &[u8], ()>,
        limit: usize,
    ) -> Result<Vec<AnswerRecord>, AttributorError> {
        let snapshot = self.0.begin_read().map_err(AttributorError::journal)?;
        let listed = snapshot.open_table(list).map_err(AttributorError::journal)?;
        let records = snapshot.open_table(ANSWERS).map_err(AttributorError::journal)?;
        let mut found = Vec::new();
        for row in listed.iter().map_err(AttributorError::journal)?.take(limit) {
            let (key, ()) = row.map(|(key, value)| (key, value.value())).map_err(AttributorError::journal)?;
            if let Some(record) = records.get(key.value()).map_err(AttributorError::journal)? {
                found.push(decode(record.value())?);
            }
        }
        Ok(found)
    }
}

fn encode<T: Serialize>(record: &T) -> Result<Vec<u8>, AttributorError> {
    serde_json::to_vec(record).map_err(AttributorError::journal)
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, AttributorError> {
    serde_json::from_slice(bytes).map_err(AttributorError::journal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AnswerState, TrainingRequest};

    fn answer(byte: u8) -> AnswerRecord {
        let escrow = openledger_abi::IPayouts::Request {
            payer: Default::default(),
            model: 1,
            deadline: 100,
            createdAt: 0,
            status: openledger_abi::IPayouts::Status::Open,
            maxFee: Default::default(),
            promptHash: B256::ZERO,
        };
        AnswerRecord::queued(B256::repeat_byte(byte), &escrow, B256::ZERO)
    }

    fn training(name: &str, datanet: u64, state: TrainingState) -> TrainingRecord {
        let request =
            TrainingRequest { name: name.into(), datanets: vec![datanet], training: Default::default() };
        TrainingRecord { request, state, trained: None }
    }

    fn failed() -> TrainingState {
        TrainingState::Failed { reason: "no rows".into() }
    }

    #[test]
    fn request_that_was_settled_is_not_queued_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.redb");
        let journal = Journal::open(&path).unwrap();
        assert_eq!(journal.admit_answer(&answer(1), 2).unwrap().state, AnswerState::Queued);
        let settled =
            AnswerRecord { state: AnswerState::Settled { block: 5, transaction: B256::ZERO }, ..answer(1) };
        journal.put_answer(&settled).unwrap();
        assert_eq!(journal.admit_answer(&answer(1), 2).unwrap(), settled);
        assert_eq!(journal.answer(settled.request_id).unwrap().unwrap(), settled);
        assert!(Journal::open(&path).is_err(), "two processes must not share a journal");
        drop(journal);
        assert!(Journal::open(&path).unwrap().unanswered().unwrap().is_empty());
    }

    #[test]
    fn receipt_is_listed_until_it_is_safe_and_queued_again_when_it_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.redb");
        let journal = Journal::open(&path).unwrap();
        journal.admit_answer(&answer(1), 2).unwrap();
        assert!(journal.unsafe_answers(9).unwrap().is_empty());
        let settled =
            AnswerRecord { state: AnswerState::Settled { block: 5, transaction: B256::ZERO }, ..answer(1) };
        journal.put_answer(&settled).unwrap();
        drop(journal);
        let journal = Journal::open(&path).unwrap();
        assert_eq!(journal.unsafe_answers(9).unwrap(), std::slice::from_ref(&settled));
        journal.put_answer(&answer(1)).unwrap();
        assert!(journal.unsafe_answers(9).unwrap().is_empty());
        assert_eq!(journal.unanswered().unwrap(), [answer(1)]);
        journal.put_answer(&settled).unwrap();
        journal.receipt_is_safe(settled.request_id).unwrap();
        assert!(journal.unsafe_answers(9).unwrap().is_empty());
        assert_eq!(journal.answer(settled.request_id).unwrap().unwrap(), settled);
    }

    #[test]
    fn unfinished_requests_are_bounded_and_survive_reopening() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.redb");
        let journal = Journal::open(&path).unwrap();
        journal.admit_answer(&answer(1), 2).unwrap();
        journal.admit_answer(&answer(2), 2).unwrap();
        assert!(matches!(journal.admit_answer(&answer(3), 2), Err(AttributorError::Busy(_))));
        assert!(journal.answer(answer(3).request_id).unwrap().is_none(), "a refusal changes nothing");
        journal.admit_answer(&answer(2), 2).unwrap();
        let failed = AnswerRecord { state: AnswerState::Failed { reason: "no".into() }, ..answer(1) };
        journal.put_answer(&failed).unwrap();
        journal.admit_answer(&answer(3), 2).unwrap();
        drop(journal);
        let journal = Journal::open(&path).unwrap();
        assert_eq!(journal.unanswered().unwrap(), [answer(2), answer(3)]);
        assert_eq!(journal.unanswered_count().unwrap(), 2);
    }

    #[test]
    fn training_is_ordered_once_and_again_only_after_it_failed() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(&folder.path().join("journal.redb")).unwrap();
        let order =
            |name, datanet| journal.admit_training(&training(name, datanet, TrainingState::Queued), 2);
        order("a", 1).unwrap();
        journal.put_training(&training("a", 1, TrainingState::Ready)).unwrap();
        assert_eq!(order("a", 1).unwrap().state, TrainingState::Ready);
        assert!(matches!(order("a", 2), Err(AttributorError::Conflict(_))));
        order("b", 1).unwrap();
        order("c", 1).unwrap();
        assert!(matches!(order("d", 1), Err(AttributorError::Busy(_))));
        journal.put_training(&training("b", 1, failed())).unwrap();
        assert_eq!(order("b", 2).unwrap().state, TrainingState::Queued);
    }

    #[test]
    fn cancelled_training_takes_no_more_progress_and_can_be_ordered_again() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(&folder.path().join("journal.redb")).unwrap();
        let order = || journal.admit_training(&training("a", 1, TrainingState::Queued), 2);
        let step = |step| training("a", 1, TrainingState::Training { step, steps: 9, loss: 1.0 });
        assert!(!journal.go_on_training(&step(1)).unwrap(), "it was never ordered");
        order().unwrap();
        assert!(journal.go_on_training(&step(1)).unwrap());
        let cancelled = journal.cancel_training("a").unwrap();
        assert!(matches!(&cancelled.state, TrainingState::Failed { reason } if reason.contains("cancelled")));
        assert!(!journal.go_on_training(&step(2)).unwrap());
        assert_eq!(journal.training("a").unwrap(), Some(cancelled));
        assert!(matches!(journal.cancel_training("a"), Err(AttributorError::Conflict(_))));
        assert!(matches!(journal.cancel_training("b"), Err(AttributorError::NotFound(_))));
        assert_eq!(order().unwrap().state, TrainingState::Queued);
    }
}
