#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod answering;
mod case;
mod chain;
mod config;
mod court;
mod dataset;
mod error;
mod http;
mod jobs;
mod journal;
mod lab;
mod memory;
mod preview;
mod progress;
mod records;
mod service;
mod signature;
#[cfg(test)]
mod stub;
mod token;
mod training;
mod transcript;
mod uploads;

pub use answering::{DISPATCH_VARIABLES, InfluenceSettings, RunSettings, ShareSettings, dispatch};
pub use case::{
    Case, CaseContribution, ClusterDifference, ContributionFacts, Decision, Facts, MAX_CASE_BYTES,
};
pub use config::AttributorConfig;
pub use court::{
    Appointment, CaseSource, ChallengeReport, EvidenceKey, Judge, JudgeConfig, JudgeSets, Review, Verdict,
    VerifyReport, appeal, appoint, challenge, stake, verify,
};
pub use error::AttributorError;
pub use jobs::{
    EvaluatedMethod, Evaluation, GivenAnswer, JobKind, JobOrder, JobRecord, JobResult, JobState,
    RowInfluence, ScoredAnswer,
};
pub use preview::{
    PreviewPlan, PreviewReport, PublishedSketch, ReceiptPreview, RowPreview, RowReason, Trend, preview,
};
pub use progress::Pace;
pub use records::{
    AnswerRecord, AnswerRequest, AnswerState, ClusterCredit, ContributionUpload, DatasetVersion, HeldOut,
    ModelRecord, OnChain, RowRef, TrainingRecord, TrainingRequest, TrainingSettings, TrainingState,
    answer_message, upload_message,
};
pub use service::{Attributor, RunningAttributor};
pub use training::method_hash;
pub use transcript::{Hyperparameters, ReplayReport, replay_segment};
