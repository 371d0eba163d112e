//! Jobs, under quotas, with what they gave.
//!
//! Results lie apart from the jobs that gave them, so that listing jobs reads none; and each caller's finished jobs make
//! room for each other alone.

use super::{Journal, decode, encode};
use crate::{
    AttributorError,
    jobs::{Held, JobRecord, JobState, Quota},
};
use redb::{
    ReadableDatabase, ReadableTable, ReadableTableMetadata, Table, TableDefinition, WriteTransaction,
};

/// Number → [`JobRecord`] without its result, as JSON.
const JOBS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("jobs");
/// Jobs that are not finished.
const OPEN_JOBS: TableDefinition<'_, u64, ()> = TableDefinition::new("open jobs");
/// Caller and number → bytes of the result.
const OWN_JOBS: TableDefinition<'_, (&str, u64), u64> = TableDefinition::new("own jobs");
/// Number → result, as JSON.
const RESULTS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("job results");
/// Jobs that are unfinished at one time, of all callers together.
const MAX_UNFINISHED: u64 = 1_000;
/// Finished jobs of one caller that are kept, and bytes of their results; the oldest make room.
const MAX_KEPT: usize = 1_000;
const MAX_KEPT_BYTES: u64 = 32 << 20;

/// Makes the tables.
pub(super) fn prepare(transaction: &WriteTransaction) -> Result<(), AttributorError> {
    Jobs::open(transaction).map(drop)
}

/// The tables in a transaction.
struct Jobs<'t> {
    all: Table<'t, u64, &'static [u8]>,
    open: Table<'t, u64, ()>,
    own: Table<'t, (&'static str, u64), u64>,
    results: Table<'t, u64, &'static [u8]>,
}

impl<'t> Jobs<'t> {
    fn open(transaction: &'t WriteTransaction) -> Result<Self, AttributorError> {
        Ok(Self {
            all: transaction.open_table(JOBS).map_err(AttributorError::journal)?,
            open: transaction.open_table(OPEN_JOBS).map_err(AttributorError::journal)?,
            own: transaction.open_table(OWN_JOBS).map_err(AttributorError::journal)?,
            results: transaction.open_table(RESULTS).map_err(AttributorError::journal)?,
        })
    }

    fn is_open(&self, id: u64) -> Result<bool, AttributorError> {
        Ok(self.open.get(id).map_err(AttributorError::journal)?.is_some())
    }

    fn put(&mut self, record: &JobRecord) -> Result<(), AttributorError> {
        let (id, result) = (record.id, record.result.as_ref().map(encode).transpose()?);
        let bytes = result.as_ref().map_or(0, Vec::len) as u64;
        let without = encode(&JobRecord { result: None, ..record.clone() })?;
        self.all.insert(id, without.as_slice()).map_err(AttributorError::journal)?;
        self.own.insert((record.caller.as_str(), id), bytes).map_err(AttributorError::journal)?;
        if let Some(result) = result {
            self.results.insert(id, result.as_slice()).map_err(AttributorError::journal)?;
        }
        if record.is_open() {
            self.open.insert(id, ()).map_err(AttributorError::journal)?;
        } else {
            self.open.remove(id).map_err(AttributorError::journal)?;
            self.make_room(&record.caller, id)?;
        }
        Ok(())
    }

    /// Forgets a caller's oldest finished jobs, but never the one that was just finished.
    fn make_room(&mut self, caller: &str, just: u64) -> Result<(), AttributorError> {
        let mut finished = Vec::new();
        for row in self.own.range((caller, 0)..=(caller, u64::MAX)).map_err(AttributorError::journal)? {
            let (key, bytes) = row.map_err(AttributorError::journal)?;
            let id = key.value().1;
            if !self.is_open(id)? {
                finished.push((id, bytes.value()));
            }
        }
        let (mut jobs, mut bytes) = (finished.len(), finished.iter().map(|(_, bytes)| bytes).sum::<u64>());
        for (id, size) in finished {
            if (jobs <= MAX_KEPT && bytes <= MAX_KEPT_BYTES) || id == just {
                break;
            }
            self.all.remove(id).map_err(AttributorError::journal)?;
            self.own.remove((caller, id)).map_err(AttributorError::journal)?;
            self.results.remove(id).map_err(AttributorError::journal)?;
            (jobs, bytes) = (jobs - 1, bytes - size);
        }
        Ok(())
    }
}

impl Journal {
    /// Reads and changes jobs in one step; an error changes nothing.
    fn change_jobs<T>(
        &self,
        change: impl FnOnce(&mut Jobs<'_>) -> Result<T, AttributorError>,
    ) -> Result<T, AttributorError> {
        let transaction = self.0.begin_write().map_err(AttributorError::journal)?;
        let changed = change(&mut Jobs::open(&transaction)?)?;
        transaction.commit().map_err(AttributorError::journal)?;
        Ok(changed)
    }

    /// Takes a job in one step and gives it its number.
    pub(crate) fn admit_job(&self, record: &JobRecord, quota: Quota) -> Result<JobRecord, AttributorError> {
        self.change_jobs(|jobs| {
            if jobs.open.len().map_err(AttributorError::journal)? >= MAX_UNFINISHED {
                return Err(AttributorError::Busy("too many jobs are unfinished"));
            }
            let held = Held { jobs: 1, rows: record.rows, bytes: record.bytes };
            quota.admit(held, unfinished(&jobs.open, &jobs.all, &record.caller)?)?;
            let last = jobs.all.last().map_err(AttributorError::journal)?;
            let id = last.map_or(1, |(id, _)| id.value() + 1);
            let record = JobRecord { id, ..record.clone() };
            jobs.put(&record)?;
            Ok(record)
        })
    }

    /// Records what became of a job; whether it still was unfinished. One that is finished stands as it is.
    pub(crate) fn go_on_job(&self, record: &JobRecord) -> Result<bool, AttributorError> {
        self.change_jobs(|jobs| {
            let goes_on = jobs.is_open(record.id)?;
            if goes_on {
                jobs.put(record)?;
            }
            Ok(goes_on)
        })
    }

    /// Ends an unfinished job for good.
    pub(crate) fn cancel_job(&self, record: &JobRecord) -> Result<JobRecord, AttributorError> {
        let ended = JobRecord { state: JobState::Cancelled, result: None, ..record.clone() };
        if self.go_on_job(&ended)? {
            return Ok(ended);
        }
        Err(AttributorError::Conflict(format!("job {} is finished", record.id)))
    }

    /// A job with its result.
    pub(crate) fn job(&self, id: u64) -> Result<Option<JobRecord>, AttributorError> {
        let snapshot = self.0.begin_read().map_err(AttributorError::journal)?;
        let jobs = snapshot.open_table(JOBS).map_err(AttributorError::journal)?;
        let results = snapshot.open_table(RESULTS).map_err(AttributorError::journal)?;
        let Some(known) = jobs.get(id).map_err(AttributorError::journal)? else { return Ok(None) };
        let mut job: JobRecord = decode(known.value())?;
        if let Some(result) = results.get(id).map_err(AttributorError::journal)? {
            job.result = Some(decode(result.value())?);
        }
        Ok(Some(job))
    }

    /// Whether a job is unfinished.
    pub(crate) fn job_goes_on(&self, id: u64) -> Result<bool, AttributorError> {
        let snapshot = self.0.begin_read().map_err(AttributorError::journal)?;
        let open = snapshot.open_table(OPEN_JOBS).map_err(AttributorError::journal)?;
        Ok(open.get(id).map_err(AttributorError::journal)?.is_some())
    }

    /// The newest jobs of a caller, or of all, at most so many and without their results.
    pub(crate) fn jobs(&self, caller: Option<&str>, limit: usize) -> Result<Vec<JobRecord>, AttributorError> {
        let snapshot = self.0.begin_read().map_err(AttributorError::journal)?;
        let jobs = snapshot.open_table(JOBS).map_err(AttributorError::journal)?;
        let own = snapshot.open_table(OWN_JOBS).map_err(AttributorError::journal)?;
        let mut newest = Vec::new();
        let Some(caller) = caller else {
            for row in jobs.iter().map_err(AttributorError::journal)?.rev().take(limit) {
                newest.push(decode(row.map_err(AttributorError::journal)?.1.value())?);
            }
            return Ok(newest);
        };
        let of_caller = own.range((caller, 0)..=(caller, u64::MAX)).map_err(AttributorError::journal)?;
        for row in of_caller.rev().take(limit) {
            let id = row.map_err(AttributorError::journal)?.0.value().1;
            if let Some(job) = jobs.get(id).map_err(AttributorError::journal)? {
                newest.push(decode(job.value())?);
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

    /// How many jobs are unfinished.
    pub(crate) fn unfinished_job_count(&self) -> Result<u64, AttributorError> {
        let snapshot = self.0.begin_read().map_err(AttributorError::journal)?;
        let open = snapshot.open_table(OPEN_JOBS).map_err(AttributorError::journal)?;
        open.len().map_err(AttributorError::journal)
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
pub(super) mod tests {
    use super::*;
    use crate::jobs::{JobKind, JobResult, RowInfluence, ScoredAnswer};
    use alloy_primitives::B256;

    pub(in super::super) const QUOTA: Quota = Quota { jobs: 2, rows: 10, bytes: 1_000 };

    pub(in super::super) fn job(caller: &str, rows: u64) -> JobRecord {
        JobRecord {
            id: 0,
            caller: caller.into(),
            kind: JobKind::Scores,
            model: "a".into(),
            rows,
            bytes: 10,
            input_root: B256::ZERO,
            ordered_at: 1,
            attempts: 0,
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
        assert_eq!(journal.jobs(None, 9).unwrap().iter().map(|job| job.id).collect::<Vec<_>>(), [3, 2, 1]);
        assert!(matches!(journal.cancel_job(&done), Err(AttributorError::Conflict(_))));
        assert_eq!(journal.cancel_job(&second).unwrap().state, JobState::Cancelled);
        assert_eq!(journal.unfinished_jobs().unwrap().len(), 1);
    }

    fn finished(journal: &Journal, caller: &str, answers: usize) -> u64 {
        let quota = Quota { jobs: 9, rows: 10, bytes: 1_000 };
        let taken = journal.admit_job(&job(caller, 1), quota).unwrap();
        let row = RowInfluence { contribution: 1, row: 2, score: 0.5, ppm: 3 };
        let answer = ScoredAnswer { loss: 1.0, unattributed_ppm: 5, rows: vec![row; 64] };
        let result = Some(JobResult::Scores(vec![answer; answers]));
        assert!(journal.go_on_job(&JobRecord { state: JobState::Done, result, ..taken.clone() }).unwrap());
        taken.id
    }

    #[test]
    fn finished_jobs_make_room_for_their_callers_newer_ones_and_for_nobody_elses() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(&folder.path().join("journal.redb")).unwrap();
        let anns = finished(&journal, "ann", 1);
        let waiting = journal.admit_job(&job("bob", 1), QUOTA).unwrap().id;
        // Some 6 MB each.
        let bobs: Vec<u64> = (0..7).map(|_| finished(&journal, "bob", 2_000)).collect();
        let known = |id: u64| journal.job(id).unwrap();
        assert!(known(anns).is_some_and(|job| job.result.is_some()), "another's flood costs her nothing");
        assert!(known(bobs[0]).is_none() && known(waiting).is_some());
        assert!(known(bobs[6]).is_some_and(|job| job.result.is_some()));
        let huge = finished(&journal, "bob", 12_000);
        assert!(known(huge).is_some_and(|job| job.result.is_some()), "the last one is always kept");
        assert!(known(bobs[6]).is_none());
        let listed = |caller| journal.jobs(caller, 9).unwrap().iter().map(|job| job.id).collect::<Vec<_>>();
        assert_eq!(listed(Some("bob")), [huge, waiting]);
        assert_eq!(listed(Some("bo")), [0; 0], "a name is not the start of one");
        assert_eq!(listed(None), [huge, waiting, anns]);
        assert!(journal.jobs(None, 9).unwrap().iter().all(|job| job.result.is_none()));
    }
}
