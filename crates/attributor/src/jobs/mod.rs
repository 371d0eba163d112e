//! Work that is ordered over HTTP and done when the model's thread has time: evaluations and scores.
//!
//! A job is in the journal before its order is answered and is taken up again, from its start, after a restart. What
//! it is about, questions among it, is kept encrypted with the rows until it is done.

mod callers;
mod evaluation;
mod order;
mod scoring;
mod work;

pub(crate) use self::{
    callers::{Caller, Callers, Held, Quota},
    order::{accept, cancel},
    work::{finish_jobs, remove_stray_inputs},
};
pub use self::{
    evaluation::{EvaluatedMethod, Evaluation},
    scoring::{RowInfluence, ScoredAnswer},
};

use alloy_primitives::B256;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An order.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum JobOrder {
    /// Retrain a small transformer on random halves of a model's rows and say how truly scores predict that.
    Evaluation {
        /// The model, by its name.
        model: String,
        /// Random halves.
        #[serde(default = "default_subsets")]
        subsets: usize,
        /// Trainings of each half.
        #[serde(default = "default_trainings")]
        trainings: u64,
        /// Draws the halves.
        #[serde(default)]
        seed: u64,
    },
    /// Say which rows of a model shaped answers that are given with their questions.
    Scores {
        /// The model, by its name.
        model: String,
        /// Questions with their answers.
        answers: Vec<GivenAnswer>,
        /// Rows that are named of each.
        #[serde(default = "default_top")]
        top: usize,
    },
}

/// A question and an answer to it.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GivenAnswer {
    /// The question.
    pub question: String,
    /// The answer.
    pub answer: String,
}

impl std::fmt::Debug for JobOrder {
    /// Without questions and answers.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JobOrder")
            .field("kind", &self.kind())
            .field("model", &self.model())
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for GivenAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("GivenAnswer(..)")
    }
}

impl JobOrder {
    pub(crate) const fn kind(&self) -> JobKind {
        match self {
            Self::Evaluation { .. } => JobKind::Evaluation,
            Self::Scores { .. } => JobKind::Scores,
        }
    }

    pub(crate) fn model(&self) -> &str {
        match self {
            Self::Evaluation { model, .. } | Self::Scores { model, .. } => model,
        }
    }
}

const fn default_subsets() -> usize {
    96
}

const fn default_trainings() -> u64 {
    1
}

const fn default_top() -> usize {
    20
}

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    /// How truly scores predict retraining.
    Evaluation,
    /// Which rows shaped given answers.
    Scores,
}

/// Where a job stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum JobState {
    /// Waiting for its turn.
    Queued,
    /// In hand.
    Running,
    /// Finished; its result is there.
    Done,
    /// It cannot succeed as ordered.
    Failed {
        /// Why.
        reason: String,
    },
    /// Ended by who ordered it.
    Cancelled,
}

/// What a job gave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobResult {
    /// Of an evaluation.
    Evaluation(Evaluation),
    /// Of each answer, in their order.
    Scores(Vec<ScoredAnswer>),
}

/// A job in the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JobRecord {
    /// Its number.
    pub id: u64,
    /// Who ordered it, by the name of their token.
    pub caller: String,
    /// What it does.
    pub kind: JobKind,
    /// The model, by its name.
    pub model: String,
    /// Rows that it counts for in its caller's quota: of an evaluation those of all its trainings, of scores the answers.
    pub rows: u64,
    /// Bytes of its order.
    pub bytes: u64,
    /// Root under which the order is kept until the job is finished.
    #[schema(value_type = String)]
    pub input_root: B256,
    /// Unix seconds.
    pub ordered_at: u64,
    /// Starts of it that no end is known of.
    #[serde(default)]
    pub attempts: u32,
    /// Where it stands.
    #[serde(flatten)]
    pub state: JobState,
    /// What it gave.
    pub result: Option<JobResult>,
}

impl JobRecord {
    /// Whether there is something left to do.
    pub(crate) const fn is_open(&self) -> bool {
        matches!(self.state, JobState::Queued | JobState::Running)
    }
}

#[cfg(test)]
mod tests;
