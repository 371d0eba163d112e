#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod answering;
mod chain;
mod config;
mod dataset;
mod error;
mod http;
mod journal;
mod lab;
mod records;
mod service;
mod signature;
#[cfg(test)]
mod stub;
mod token;
mod training;
mod uploads;

pub use config::AttributorConfig;
pub use error::AttributorError;
pub use records::{
    AnswerRecord, AnswerRequest, AnswerState, ClusterCredit, ContributionUpload, DatasetVersion, HeldOut,
    ModelRecord, OnChain, RowRef, TrainingRecord, TrainingRequest, TrainingSettings, TrainingState,
    answer_message, upload_message,
};
pub use service::{Attributor, RunningAttributor};
