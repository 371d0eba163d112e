//! Trainings, by their names.

use super::{Journal, decode, encode};
use crate::{AttributorError, TrainingRecord, TrainingRequest, TrainingState};
use redb::{
    ReadableDatabase, ReadableTable, ReadableTableMetadata, Table, TableDefinition, WriteTransaction,
};

/// Name → [`TrainingRecord`] as JSON.
const TRAININGS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("trainings");
/// Names of those that are not finished: what is asked for often must not depend on all that ever was.
const OPEN_TRAININGS: TableDefinition<'_, &str, ()> = TableDefinition::new("open trainings");

/// Makes the tables, and the list of what is unfinished from what there is.
pub(super) fn prepare(transaction: &WriteTransaction) -> Result<(), AttributorError> {
    let trainings = transaction.open_table(TRAININGS).map_err(AttributorError::journal)?;
    let mut open = transaction.open_table(OPEN_TRAININGS).map_err(AttributorError::journal)?;
    for row in trainings.iter().map_err(AttributorError::journal)? {
        let (name, value) = row.map_err(AttributorError::journal)?;
        if decode::<TrainingRecord>(value.value())?.is_open() {
            open.insert(name.value(), ()).map_err(AttributorError::journal)?;
        }
    }
    Ok(())
}

/// The tables in a transaction.
struct Trainings<'t> {
    all: Table<'t, &'static str, &'static [u8]>,
    open: Table<'t, &'static str, ()>,
}

impl Trainings<'_> {
    fn get(&self, name: &str) -> Result<Option<TrainingRecord>, AttributorError> {
        let known = self.all.get(name).map_err(AttributorError::journal)?;
        known.map(|known| decode(known.value())).transpose()
    }

    /// The unfinished training of that order.
    fn unfinished(&self, request: &TrainingRequest) -> Result<Option<TrainingRecord>, AttributorError> {
        Ok(self.get(&request.name)?.filter(|known| known.is_open() && known.request == *request))
    }

    fn put(&mut self, record: &TrainingRecord) -> Result<(), AttributorError> {
        let name = record.request.name.as_str();
        self.all.insert(name, encode(record)?.as_slice()).map_err(AttributorError::journal)?;
        if record.is_open() {
            self.open.insert(name, ()).map_err(AttributorError::journal)?;
        } else {
            self.open.remove(name).map_err(AttributorError::journal)?;
        }
        Ok(())
    }
}

impl Journal {
    /// Reads and changes trainings in one step; an error changes nothing.
    fn change_trainings<T>(
        &self,
        change: impl FnOnce(&mut Trainings<'_>) -> Result<T, AttributorError>,
    ) -> Result<T, AttributorError> {
        let transaction = self.0.begin_write().map_err(AttributorError::journal)?;
        let changed = {
            let all = transaction.open_table(TRAININGS).map_err(AttributorError::journal)?;
            let open = transaction.open_table(OPEN_TRAININGS).map_err(AttributorError::journal)?;
            change(&mut Trainings { all, open })?
        };
        transaction.commit().map_err(AttributorError::journal)?;
        Ok(changed)
    }

    /// Takes a new order, in one step. A training of that name that has not failed stands as it is: when it was
    /// ordered alike it is the answer, else an error; so are more than `limit` unfinished ones.
    pub(crate) fn admit_training(
        &self,
        record: &TrainingRecord,
        limit: usize,
    ) -> Result<TrainingRecord, AttributorError> {
        let name = &record.request.name;
        self.change_trainings(|trainings| {
            let known = trainings.get(name)?;
            match known.filter(|known| !matches!(known.state, TrainingState::Failed { .. })) {
                Some(known) if known.request == record.request => return Ok(known),
                Some(_) => {
                    return Err(AttributorError::Conflict(format!("another training is named {name}")));
                }
                None => {}
            }
            if trainings.open.len().map_err(AttributorError::journal)? >= limit as u64 {
                return Err(AttributorError::Busy("too many trainings are unfinished"));
            }
            trainings.put(record)?;
            Ok(record.clone())
        })
    }

    /// Records what became of a training that is not finished; whether it still was unfinished. One that was cancelled
    /// stands as it is, and so does a later order of its name.
    pub(crate) fn go_on_training(&self, record: &TrainingRecord) -> Result<bool, AttributorError> {
        self.change_trainings(|trainings| {
            let goes_on = trainings.unfinished(&record.request)?.is_some();
            if goes_on {
                trainings.put(record)?;
            }
            Ok(goes_on)
        })
    }

    /// Records that an unfinished training cannot succeed. What was done on the way stays on record; a later order of
    /// its name stands as it is.
    pub(crate) fn fail_training(
        &self,
        request: &TrainingRequest,
        reason: String,
    ) -> Result<(), AttributorError> {
        self.change_trainings(|trainings| match trainings.unfinished(request)? {
            Some(known) => {
                trainings.put(&TrainingRecord { state: TrainingState::Failed { reason }, ..known })
            }
            None => Ok(()),
        })
    }

    /// Ends an unfinished training for good; the same name can be ordered again. One that is trained is on its way to
    /// the chain and cannot be called back.
    pub(crate) fn cancel_training(&self, name: &str) -> Result<TrainingRecord, AttributorError> {
        self.change_trainings(|trainings| {
            let unknown = || AttributorError::NotFound(format!("no training is named {name}"));
            let known = trainings.get(name)?.ok_or_else(unknown)?;
            let conflict = |why: &str| AttributorError::Conflict(format!("training {name} is {why}"));
            if !known.is_open() {
                return Err(conflict("finished"));
            }
            if known.trained.is_some() {
                return Err(conflict(
                    "trained and being registered on chain: it cannot be cancelled any more",
                ));
            }
            let state = TrainingState::Failed { reason: AttributorError::Cancelled.to_string() };
            let ended = TrainingRecord { state, ..known };
            trainings.put(&ended)?;
            Ok(ended)
        })
    }

    pub(crate) fn training(&self, name: &str) -> Result<Option<TrainingRecord>, AttributorError> {
        let table = self.0.begin_read().map_err(AttributorError::journal)?;
        let table = table.open_table(TRAININGS).map_err(AttributorError::journal)?;
        table.get(name).map_err(AttributorError::journal)?.map(|value| decode(value.value())).transpose()
    }

    /// Whether a training of that order is unfinished.
    pub(crate) fn training_goes_on(&self, request: &TrainingRequest) -> Result<bool, AttributorError> {
        let known = self.training(&request.name)?;
        Ok(known.is_some_and(|known| known.is_open() && known.request == *request))
    }

    pub(crate) fn trainings(&self) -> Result<Vec<TrainingRecord>, AttributorError> {
        let table = self.0.begin_read().map_err(AttributorError::journal)?;
        let table = table.open_table(TRAININGS).map_err(AttributorError::journal)?;
        let rows = table.iter().map_err(AttributorError::journal)?;
        rows.map(|row| decode(row.map_err(AttributorError::journal)?.1.value())).collect()
    }

    /// The unfinished trainings, by name.
    pub(crate) fn unfinished_trainings(&self) -> Result<Vec<TrainingRecord>, AttributorError> {
        let snapshot = self.0.begin_read().map_err(AttributorError::journal)?;
        let open = snapshot.open_table(OPEN_TRAININGS).map_err(AttributorError::journal)?;
        let all = snapshot.open_table(TRAININGS).map_err(AttributorError::journal)?;
        let mut found = Vec::new();
        for row in open.iter().map_err(AttributorError::journal)? {
            let (name, _) = row.map_err(AttributorError::journal)?;
            if let Some(record) = all.get(name.value()).map_err(AttributorError::journal)? {
                found.push(decode(record.value())?);
            }
        }
        Ok(found)
    }

    /// How many trainings are unfinished.
    pub(crate) fn unfinished_training_count(&self) -> Result<u64, AttributorError> {
        let table = self.0.begin_read().map_err(AttributorError::journal)?;
        let table = table.open_table(OPEN_TRAININGS).map_err(AttributorError::journal)?;
        table.len().map_err(AttributorError::journal)
    }

    /// Puts a training there as it is, for tests.
    #[cfg(test)]
    pub(crate) fn put_training(&self, record: &TrainingRecord) -> Result<(), AttributorError> {
        self.change_trainings(|trainings| trainings.put(record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stub;

    fn training(name: &str, datanet: u64, state: TrainingState) -> TrainingRecord {
        let request =
            TrainingRequest { name: name.into(), datanets: vec![datanet], training: Default::default() };
        TrainingRecord { request, state, trained: None }
    }

    fn failed() -> TrainingState {
        TrainingState::Failed { reason: "no rows".into() }
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

    #[test]
    fn training_on_its_way_to_the_chain_cannot_be_cancelled() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(&folder.path().join("journal.redb")).unwrap();
        let queued = training("a", 1, TrainingState::Queued);
        journal.admit_training(&queued, 2).unwrap();
        let on_its_way = TrainingRecord { trained: Some(stub::trained(0)), ..queued };
        assert!(journal.go_on_training(&on_its_way).unwrap());
        let refused = journal.cancel_training("a").unwrap_err();
        assert!(
            matches!(&refused, AttributorError::Conflict(said) if said.contains("registered")),
            "{refused}"
        );
        assert_eq!(journal.training("a").unwrap(), Some(on_its_way));
    }

    #[test]
    fn outcome_of_a_cancelled_training_never_touches_the_next_order_of_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(&folder.path().join("journal.redb")).unwrap();
        let old = training("a", 1, TrainingState::Queued);
        journal.admit_training(&old, 2).unwrap();
        journal.cancel_training("a").unwrap();
        let new = training("a", 2, TrainingState::Queued);
        journal.admit_training(&new, 2).unwrap();
        assert!(!journal.training_goes_on(&old.request).unwrap());
        journal.fail_training(&old.request, "no rows".into()).unwrap();
        let ready = TrainingRecord { state: TrainingState::Ready, trained: Some(stub::trained(0)), ..old };
        assert!(!journal.go_on_training(&ready).unwrap());
        assert_eq!(journal.training("a").unwrap(), Some(new.clone()), "the acknowledged order stands");
        assert_eq!(journal.unfinished_trainings().unwrap(), [new]);
    }

    #[test]
    fn unfinished_trainings_are_listed_and_counted_after_reopening() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.redb");
        let journal = Journal::open(&path).unwrap();
        for name in ["a", "b", "c"] {
            journal.admit_training(&training(name, 1, TrainingState::Queued), 9).unwrap();
        }
        journal.go_on_training(&training("a", 1, TrainingState::Ready)).unwrap();
        journal.fail_training(&training("b", 1, TrainingState::Queued).request, "no".into()).unwrap();
        drop(journal);
        let journal = Journal::open(&path).unwrap();
        assert_eq!(journal.unfinished_trainings().unwrap(), [training("c", 1, TrainingState::Queued)]);
        assert_eq!(journal.unfinished_training_count().unwrap(), 1);
    }
}
