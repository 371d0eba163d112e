//! The durable state: each change is one synced transaction.

mod answers;
mod inputs;
mod jobs;
mod trainings;
mod uploads;

use crate::AttributorError;
use redb::Database;
use serde::{Serialize, de::DeserializeOwned};
use std::path::Path;

pub(crate) use self::uploads::{Holding, PendingUpload, Quotas};

/// What is on disk.
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
        answers::prepare(&transaction)?;
        inputs::prepare(&transaction)?;
        jobs::prepare(&transaction)?;
        trainings::prepare(&transaction)?;
        transaction.commit().map_err(|e| fail(&e))?;
        Ok(Self(database))
    }
}

fn encode<T: Serialize>(record: &T) -> Result<Vec<u8>, AttributorError> {
    serde_json::to_vec(record).map_err(AttributorError::journal)
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, AttributorError> {
    serde_json::from_slice(bytes).map_err(AttributorError::journal)
}
