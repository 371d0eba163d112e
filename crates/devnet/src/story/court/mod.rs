//! What is disputed: receipts that are lies, receipts that are not, and those who challenge and judge them.

mod cases;
mod lie;

use serde::{Deserialize, Serialize};

/// Judges, and what they get to judge.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CourtPlan {
    /// The accounts that judge first.
    pub first: Vec<String>,
    /// The accounts that hear appeals, more than the first.
    pub appeal: Vec<String>,
    /// Those of them that hold a stake and never vote.
    #[serde(default)]
    pub absent: Vec<String>,
    /// The receipts that are challenged; those that are honest come last.
    pub disputes: Vec<DisputePlan>,
}

/// A receipt and its challenge.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisputePlan {
    /// Who pays for the answer.
    pub payer: String,
    /// The model asked.
    pub model: String,
    /// The question.
    pub text: String,
    /// What its receipt is.
    pub receipt: Receipt,
    /// Who challenges it.
    pub challenger: String,
}

/// What a receipt is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Receipt {
    /// The attestor's key gives the highest share to another contribution than the one that earned it; its service
    /// delivers the evidence.
    Swapped,
    /// The attestor's key makes a receipt up; its service was never asked and has no evidence.
    Withheld,
    /// As the attributor computed it.
    Honest,
}
