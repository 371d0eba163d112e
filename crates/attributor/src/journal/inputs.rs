//! Where the texts of jobs are stored: what a stop leaves behind is found again and removed.

use super::Journal;
use crate::AttributorError;
use alloy_primitives::B256;
use redb::{ReadableDatabase, ReadableTable, Table, TableDefinition, WriteTransaction};

/// Roots under which orders are stored, or are about to be.
const INPUTS: TableDefinition<'_, &[u8], ()> = TableDefinition::new("job inputs");

/// Makes the table.
pub(super) fn prepare(transaction: &WriteTransaction) -> Result<(), AttributorError> {
    transaction.open_table(INPUTS).map(drop).map_err(AttributorError::journal)
}

impl Journal {
    /// An order is about to be stored under that root.
    pub(crate) fn note_input(&self, root: B256) -> Result<(), AttributorError> {
        self.change_inputs(|inputs| inputs.insert(root.as_slice(), ()).map(drop))
    }

    /// Nothing is stored under that root any more.
    pub(crate) fn forget_input(&self, root: B256) -> Result<(), AttributorError> {
        self.change_inputs(|inputs| inputs.remove(root.as_slice()).map(drop))
    }

    fn change_inputs(
        &self,
        change: impl FnOnce(&mut Table<'_, &'static [u8], ()>) -> Result<(), redb::StorageError>,
    ) -> Result<(), AttributorError> {
        let transaction = self.0.begin_write().map_err(AttributorError::journal)?;
        change(&mut transaction.open_table(INPUTS).map_err(AttributorError::journal)?)
            .map_err(AttributorError::journal)?;
        transaction.commit().map_err(AttributorError::journal)
    }

    /// Roots of orders that no unfinished job needs.
    pub(crate) fn stray_inputs(&self) -> Result<Vec<B256>, AttributorError> {
        let needed: Vec<B256> = self.unfinished_jobs()?.into_iter().map(|job| job.input_root).collect();
        let snapshot = self.0.begin_read().map_err(AttributorError::journal)?;
        let inputs = snapshot.open_table(INPUTS).map_err(AttributorError::journal)?;
        let mut stray = Vec::new();
        for row in inputs.iter().map_err(AttributorError::journal)? {
            let (root, _) = row.map_err(AttributorError::journal)?;
            let root = B256::try_from(root.value()).map_err(AttributorError::journal)?;
            if !needed.contains(&root) {
                stray.push(root);
            }
        }
        Ok(stray)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        jobs::JobRecord,
        journal::jobs::tests::{QUOTA, job},
    };

    #[test]
    fn orders_text_is_known_from_before_it_is_stored_until_it_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(&folder.path().join("journal.redb")).unwrap();
        let root = B256::repeat_byte;
        journal.note_input(root(1)).unwrap();
        journal.note_input(root(2)).unwrap();
        let taken = journal.admit_job(&JobRecord { input_root: root(1), ..job("ann", 1) }, QUOTA).unwrap();
        assert_eq!(journal.stray_inputs().unwrap(), [root(2)]);
        journal.cancel_job(&taken).unwrap();
        assert_eq!(journal.stray_inputs().unwrap(), [root(1), root(2)]);
        journal.forget_input(root(1)).unwrap();
        assert_eq!(journal.stray_inputs().unwrap(), [root(2)]);
    }
}
