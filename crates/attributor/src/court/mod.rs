//! The game that keeps receipts honest: verify, challenge, deliver evidence, judge.
//!
//! Procedure and money are the court's and Attribution's, on chain. Here is what each player does off chain.

mod challenge;
mod deliver;
mod judge;
mod review;
mod sealed;

pub use self::{
    challenge::{Appointment, ChallengeReport, JudgeSets, appeal, appoint, challenge, stake},
    judge::{Judge, JudgeConfig, Verdict},
    review::{CaseSource, Review, VerifyReport, verify},
    sealed::EvidenceKey,
};
pub(crate) use self::{deliver::Deliveries, review::fetch};
