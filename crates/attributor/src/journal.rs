//! The durable state: each change is one synced transaction.

use crate::{AnswerRecord, AttributorError, TrainingRecord};
use alloy_primitives::B256;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use serde::{Serialize, de::DeserializeOwned};
use std::path::Path;

/// Name → [`TrainingRecord`] as JSON.
const TRAININGS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("trainings");
/// Request → [`AnswerRecord`] as JSON.
const ANSWERS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("answers");

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
        transaction.open_table(ANSWERS).map_err(|e| fail(&e))?;
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

    pub(crate) fn put_answer(&self, record: &AnswerRecord) -> Result<(), AttributorError> {
        let value = encode(record)?;
        let transaction = self.0.begin_write().map_err(AttributorError::journal)?;
        {
            let mut table = transaction.open_table(ANSWERS).map_err(AttributorError::journal)?;
            table.insert(record.request_id.as_slice(), value.as_slice()).map_err(AttributorError::journal)?;
        }
        transaction.commit().map_err(AttributorError::journal)
    }

    pub(crate) fn answer(&self, request: B256) -> Result<Option<AnswerRecord>, AttributorError> {
        let table = self.0.begin_read().map_err(AttributorError::journal)?;
        let table = table.open_table(ANSWERS).map_err(AttributorError::journal)?;
        let found = table.get(request.as_slice()).map_err(AttributorError::journal)?;
        found.map(|value| decode(value.value())).transpose()
    }

    pub(crate) fn answers(&self) -> Result<Vec<AnswerRecord>, AttributorError> {
        let table = self.0.begin_read().map_err(AttributorError::journal)?;
        let table = table.open_table(ANSWERS).map_err(AttributorError::journal)?;
        let rows = table.iter().map_err(AttributorError::journal)?;
        rows.map(|row| decode(row.map_err(AttributorError::journal)?.1.value())).collect()
    }
}

fn encode<T: Serialize>(record: &T) -> Result<Vec<u8>, AttributorError> {
    serde_json::to_vec(record).map_err(AttributorError::journal)
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, AttributorError> {
    serde_json::from_slice(bytes).map_err(AttributorError::journal)
}
