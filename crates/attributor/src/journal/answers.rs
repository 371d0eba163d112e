//! Paid requests and their receipts.

use super::{Journal, decode, encode};
use crate::{AnswerRecord, AnswerState, AttributorError};
use alloy_primitives::B256;
use redb::{ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition, WriteTransaction};

/// Request → [`AnswerRecord`] as JSON.
const ANSWERS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("answers");
/// Requests that are not finished: what is asked for often must not depend on all that ever was.
const OPEN_ANSWERS: TableDefinition<'_, &[u8], ()> = TableDefinition::new("open answers");
/// Settled requests whose receipts L1 does not hold yet.
const UNSAFE_ANSWERS: TableDefinition<'_, &[u8], ()> = TableDefinition::new("unsafe answers");

/// Makes the tables, and the list of what is unfinished from what there is.
pub(super) fn prepare(transaction: &WriteTransaction) -> Result<(), AttributorError> {
    transaction.open_table(UNSAFE_ANSWERS).map_err(AttributorError::journal)?;
    let answers = transaction.open_table(ANSWERS).map_err(AttributorError::journal)?;
    let mut open = transaction.open_table(OPEN_ANSWERS).map_err(AttributorError::journal)?;
    for row in answers.iter().map_err(AttributorError::journal)? {
        let (key, value) = row.map_err(AttributorError::journal)?;
        if decode::<AnswerRecord>(value.value())?.is_open() {
            open.insert(key.value(), ()).map_err(AttributorError::journal)?;
        }
    }
    Ok(())
}

impl Journal {
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
