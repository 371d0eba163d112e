//! Jobs, under quotas, with what they gave.

use super::{Journal, decode, encode};
use crate::{
    AttributorError,
    jobs::{Held, JobRecord, JobState, Quota},
};
use redb::{ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition};

/// Number → [`JobRecord`] as JSON.
pub(super) const JOBS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("jobs");
/// Jobs that are not finished.
pub(super) const OPEN_JOBS: TableDefinition<'_, u64, ()> = TableDefinition::new("open jobs");
/// Jobs that are unfinished at one time, of all callers together.
const MAX_UNFINISHED: u64 = 1_000;
/// Finished jobs whose results are kept; the oldest make room.
const MAX_KEPT: u64 = 10_000;

impl Journal {
    /// Takes a job in one step and gives it its number.
    pub(crate) fn admit_job(&self, record: &JobRecord, quota: Quota) -> Result<JobRecord, AttributorError> {
        let transaction = self.0.begin_write().map_err(AttributorError::journal)?;
        let mut record = record.clone();
        {
            let mut jobs = transaction.open_table(JOBS).map_err(AttributorError::journal)?;
            let mut open = transaction.open_table(OPEN_JOBS).map_err(AttributorError::journal)?;
            if open.len().map_err(AttributorError::journal)? >= MAX_UNFINISHED {
                return Err(AttributorError::Busy("too many jobs are unfinished"));
            }
            let job = Held { jobs: 1, rows: record.rows, bytes: record.bytes };
            quota.admit(job, unfinished(&open, &jobs, &record.caller)?)?;
            let last = jobs.last().map_err(AttributorError::journal)?;
            record.id = last.map_or(1, |(id, _)| id.value() + 1);
            while jobs.len().map_err(AttributorError::journal)? >= MAX_KEPT + MAX_UNFINISHED {
                let oldest = jobs.iter().map_err(AttributorError::journal)?.find_map(|row| {
                    let id = row.ok()?.0.value();
                    open.get(id).ok()?.is_none().then_some(id)
                });
                let Some(oldest) = oldest else { break };
                jobs.remove(oldest).map_err(AttributorError::journal)?;
            }
            jobs.insert(record.id, encode(&record)?.as_slice()).map_err(AttributorError::journal)?;
            open.insert(record.id, ()).map_err(AttributorError::journal)?;
        }
        transaction.commit().map_err(AttributorError::journal)?;
        Ok(record)
    }

    /// Records what became of a job; whether it still was unfinished. One that is finished stands as it is.
    pub(crate) fn go_on_job(&self, record: &JobRecord) -> Result<bool, AttributorError> {
        let transaction = self.0.begin_write().map_err(AttributorError::journal)?;
        {
            let mut jobs = transaction.open_table(JOBS).map_err(AttributorError::journal)?;
            let mut open = transaction.open_table(OPEN_JOBS).map_err(AttributorError::journal)?;
            if open.get(record.id).map_err(AttributorError::journal)?.is_none() {
                return Ok(false);
            }
            jobs.insert(record.id, encode(record)?.as_slice()).map_err(AttributorError::journal)?;
            if !record.is_open() {
                open.remove(record.id).map_err(AttributorError::journal)?;
            }
        }
        transaction.commit().map_err(AttributorError::journal)?;
        Ok(true)
    }

    /// Ends an unfinished job for good.
    pub(crate) fn cancel_job(&self, record: &JobRecord) -> Result<JobRecord, AttributorError> {
        let ended = JobRecord { state: JobState::Cancelled, ..record.clone() };
        if self.go_on_job(&ended)? {
            return Ok(ended);
        }
        Err(AttributorError::Conflict(format!("job {} is finished", record.id)))
    }

    pub(crate) fn job(&self, id: u64) -> Result<Option<JobRecord>, AttributorError> {
        let snapshot = self.0.begin_read().map_err(AttributorError::journal)?;
        let jobs = snapshot.open_table(JOBS).map_err(AttributorError::journal)?;
        jobs.get(id).map_err(AttributorError::journal)?.map(|value| decode(value.value())).transpose()
    }

    /// The newest jobs that are wanted, at most so many, without their results.
    pub(crate) fn jobs(
        &self,
        limit: usize,
        wanted: impl Fn(&JobRecord) -> bool,
    ) -> Result<Vec<JobRecord>, AttributorError> {
        let snapshot = self.0.begin_read().map_err(AttributorError::journal)?;
        let jobs = snapshot.open_table(JOBS).map_err(AttributorError::journal)?;
        let mut newest = Vec::new();
        for row in jobs.iter().map_err(AttributorError::journal)?.rev() {
            let job: JobRecord = decode(row.map_err(AttributorError::journal)?.1.value())?;
            if wanted(&job) {
                newest.push(JobRecord { result: None, ..job });
            }
            if newest.len() == limit {
                break;
            }
        }
        Ok(newest)
    }

    /// The unfinished jobs, oldest first.
    pub(crate) fn unfinished_jobs(&self) -> Result<Vec<JobRecord>, AttributorError> {
        let snapshot = self.0.begin_read().map_err(AttributorError::journal)?;
        let open = snapshot.open_table(OPEN_JOBS).map_err(AttributorError::journal)?;
        let jobs = snapshot.open_table(JOBS).map_err(AttributorError::journal)?;
        listed(&open, &jobs)
    }

    /// What a caller has unfinished.
    pub(crate) fn unfinished_of(&self, caller: &str) -> Result<Held, AttributorError> {
        let snapshot = self.0.begin_read().map_err(AttributorError::journal)?;
        let open = snapshot.open_table(OPEN_JOBS).map_err(AttributorError::journal)?;
        unfinished(&open, &snapshot.open_table(JOBS).map_err(AttributorError::journal)?, caller)
    }
}

fn listed(
    open: &impl ReadableTable<u64, ()>,
    jobs: &impl ReadableTable<u64, &'static [u8]>,
) -> Result<Vec<JobRecord>, AttributorError> {
    let mut found = Vec::new();
    for row in open.iter().map_err(AttributorError::journal)? {
        let id = row.map_err(AttributorError::journal)?.0.value();
        if let Some(job) = jobs.get(id).map_err(AttributorError::journal)? {
            found.push(decode(job.value())?);
        }
    }
    Ok(found)
}

fn unfinished(
    open: &impl ReadableTable<u64, ()>,
    jobs: &impl ReadableTable<u64, &'static [u8]>,
    caller: &str,
) -> Result<Held, AttributorError> {
    let own = listed(open, jobs)?.into_iter().filter(|job| job.caller == caller);
    Ok(own.fold(Held::default(), |held, job| Held {
        jobs: held.jobs + 1,
        rows: held.rows.saturating_add(job.rows),
        bytes: held.bytes.saturating_add(job.bytes),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::{JobKind, JobResult};
    use alloy_primitives::B256;

    const QUOTA: Quota = Quota { jobs: 2, rows: 10, bytes: 1_000 };

    fn job(caller: &str, rows: u64) -> JobRecord {
        JobRecord {
            id: 0,
            caller: caller.into(),
            kind: JobKind::Scores,
            model: "a".into(),
            rows,
            bytes: 10,
            input_root: B256::ZERO,
            ordered_at: 1,
            state: JobState::Queued,
            result: None,
        }
    }

    #[test]
    fn unfinished_jobs_survive_reopening_in_their_order_and_fill_their_callers_quota_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.redb");
        let journal = Journal::open(&path).unwrap();
        let first = journal.admit_job(&job("ann", 4), QUOTA).unwrap();
        let second = journal.admit_job(&job("bob", 9), QUOTA).unwrap();
        assert_eq!((first.id, second.id), (1, 2));
        assert!(matches!(journal.admit_job(&job("ann", 7), QUOTA), Err(AttributorError::QuotaFull(_))));
        assert!(matches!(journal.admit_job(&job("ann", 11), QUOTA), Err(AttributorError::AboveQuota(_))));
        let running = JobRecord { state: JobState::Running, ..first.clone() };
        assert!(journal.go_on_job(&running).unwrap());
        drop(journal);
        let journal = Journal::open(&path).unwrap();
        assert_eq!(journal.unfinished_jobs().unwrap(), [running, second.clone()]);

        let done =
            JobRecord { state: JobState::Done, result: Some(JobResult::Scores(vec![])), ..first.clone() };
        assert!(journal.go_on_job(&done).unwrap());
        assert!(!journal.go_on_job(&first).unwrap(), "it is finished");
        assert_eq!(journal.job(1).unwrap(), Some(done.clone()));
        assert_eq!(journal.unfinished_of("ann").unwrap(), Held::default());
        journal.admit_job(&job("ann", 7), QUOTA).unwrap();
        assert_eq!(
            journal.jobs(9, |_| true).unwrap().iter().map(|job| job.id).collect::<Vec<_>>(),
            [3, 2, 1]
        );
        assert!(matches!(journal.cancel_job(&done), Err(AttributorError::Conflict(_))));
        assert_eq!(journal.cancel_job(&second).unwrap().state, JobState::Cancelled);
        assert_eq!(journal.unfinished_jobs().unwrap().len(), 1);
    }
}
