//! Finishes trainings one after the other, and removes what those leave behind that come to nothing.

use super::run;
use crate::{
    AttributorError, TrainingState,
    progress::training_key,
    service::{RETRY, Shared, readable, record_failure, wait_for_work},
};
use metrics::counter;
use openledger_model::ModelError;
use std::{collections::HashSet, fs, io::ErrorKind, path::Path, sync::Arc};
use tracing::{info, warn};

/// Finishes trainings one after the other, by their names, for ever.
pub(crate) async fn finish_trainings(shared: Arc<Shared>) {
    loop {
        let mut pause = RETRY;
        for record in readable(shared.journal.unfinished_trainings()) {
            let (request, name) = (record.request.clone(), record.request.name.clone());
            match run(Arc::clone(&shared), record).await {
                Ok(()) => {}
                // The journal says so already, or holds the next order of that name.
                Err(AttributorError::Cancelled | AttributorError::Model(ModelError::Cancelled)) => {
                    info!(name, "training was cancelled");
                    shared.progress.end(&training_key(&name));
                    remove_folder(&shared.models.join(&name));
                }
                Err(error) if error.is_retryable() => {
                    warn!(name, %error, "training goes on later");
                    shared.progress.note(&training_key(&name), error.waits_for(), 0, 0);
                    pause = pause.max(error.pause());
                }
                Err(error) => {
                    warn!(name, %error, "training failed");
                    counter!("attributor_failures_total", "work" => "training").increment(1);
                    shared.progress.end(&training_key(&name));
                    record_failure(shared.journal.fail_training(&request, error.to_string()));
                }
            }
        }
        wait_for_work(&shared, pause).await;
    }
}

/// Removes the files of trainings that came to nothing while nobody was there to do it.
pub(crate) fn remove_stray_folders(shared: &Shared) -> Result<(), AttributorError> {
    let known = shared.journal.trainings()?.into_iter();
    let needed: HashSet<String> = known
        .filter(|training| {
            training.trained.is_some() || !matches!(training.state, TrainingState::Failed { .. })
        })
        .map(|training| training.request.name)
        .collect();
    let entries = match fs::read_dir(&shared.models) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries
            .map_err(|source| AttributorError::Io { path: shared.models.display().to_string(), source })?,
    };
    for entry in entries.flatten() {
        if !entry.file_name().to_str().is_some_and(|name| needed.contains(name)) {
            remove_folder(&entry.path());
        }
    }
    Ok(())
}

fn remove_folder(folder: &Path) {
    match fs::remove_dir_all(folder) {
        Ok(()) => info!(folder = %folder.display(), "removed what a training left behind"),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => warn!(folder = %folder.display(), %error, "cannot remove what a training left behind"),
    }
}
