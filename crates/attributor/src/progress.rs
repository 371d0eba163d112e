//! How far work in hand is, and how long its stage will take. Kept in memory: work that is taken up again after a
//! restart begins its stage anew.

use crate::TrainingState;
use serde::Serialize;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Instant,
};
use utoipa::ToSchema;

/// The stages of all work in hand, by its name.
#[derive(Debug, Default)]
pub(crate) struct Progress(Mutex<HashMap<String, Stage>>);

/// How fast steps are taken since they were first counted.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    since: Instant,
    first: usize,
}

impl Pace {
    /// Begins where `done` steps are taken.
    pub fn new(done: usize) -> Self {
        Self { since: Instant::now(), first: done }
    }

    /// Seconds until `of` steps are done, at the pace so far; `None` before a step is taken.
    pub fn seconds_left(&self, done: usize, of: usize) -> Option<f64> {
        let taken = done.checked_sub(self.first).filter(|taken| *taken > 0)?;
        let pace = self.since.elapsed().as_secs_f64() / taken as f64;
        Some(pace * of.saturating_sub(done) as f64)
    }
}

#[derive(Debug, Clone, Copy)]
struct Stage {
    name: &'static str,
    pace: Pace,
    done: usize,
    of: usize,
}

/// A stage as callers see it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct StageView {
    stage: &'static str,
    /// Steps that are done.
    done: usize,
    /// Steps in all.
    of: usize,
    /// Until the stage is done, at the pace so far.
    seconds_left: Option<f64>,
}

impl Progress {
    /// `done` of `of` steps of a stage are taken.
    pub(crate) fn note(&self, work: &str, name: &'static str, done: usize, of: usize) {
        let mut stages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match stages.get_mut(work) {
            Some(stage) if stage.name == name && stage.pace.first <= done => {
                (stage.done, stage.of) = (done, of)
            }
            _ => {
                let begun = Stage { name, pace: Pace::new(done), done, of };
                stages.insert(work.to_owned(), begun);
            }
        }
    }

    /// As [`Self::note`], from a training's state.
    pub(crate) fn training(&self, name: &str, state: &TrainingState) {
        let work = training_key(name);
        match *state {
            TrainingState::Training { step, steps, .. } => self.note(&work, "training", step, steps),
            TrainingState::Scoring { done, rows } => self.note(&work, "gradients", done, rows),
            TrainingState::Queued | TrainingState::Ready | TrainingState::Failed { .. } => self.end(&work),
        }
    }

    /// The work is done or given up.
    pub(crate) fn end(&self, work: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(work);
    }

    /// The stage in hand.
    pub(crate) fn stage(&self, work: &str) -> Option<StageView> {
        let stage = *self.0.lock().unwrap_or_else(PoisonError::into_inner).get(work)?;
        let Stage { name, pace, done, of } = stage;
        Some(StageView { stage: name, done, of, seconds_left: pace.seconds_left(done, of) })
    }

    /// Seconds until the stage is done, at the pace so far; `None` before its second step.
    pub(crate) fn seconds_left(&self, work: &str) -> Option<f64> {
        self.stage(work)?.seconds_left
    }
}

/// The name of a training among all work.
pub(crate) fn training_key(name: &str) -> String {
    format!("training {name}")
}

/// The name of a job among all work.
pub(crate) fn job_key(id: u64) -> String {
    format!("job {id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_left_follows_the_pace_of_the_stage_in_hand() {
        let progress = Progress::default();
        assert_eq!(progress.seconds_left("a"), None);
        progress.note("a", "training", 1, 100);
        assert_eq!(progress.seconds_left("a"), None, "one step has no pace");
        progress.note("a", "training", 51, 100);
        let half = progress.seconds_left("a").unwrap();
        progress.note("a", "training", 100, 100);
        assert_eq!(progress.seconds_left("a"), Some(0.0));
        assert!(half >= 0.0);
        // Another stage has another pace.
        progress.note("a", "gradients", 1, 10);
        assert_eq!(progress.seconds_left("a"), None);
        progress.end("a");
        assert_eq!(progress.seconds_left("a"), None);
    }
}
