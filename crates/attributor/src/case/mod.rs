//! A receipt with all that shaped it: what whoever is entitled to it needs to compute the receipt again.

mod check;
mod collect;
mod decide;
mod facts;
mod rerun;

pub(crate) use self::collect::collect;
pub(crate) use self::{
    decide::decide,
    rerun::{ordered_rows, rerun},
};
pub use self::{
    decide::{ClusterDifference, Decision},
    facts::{ContributionFacts, Facts},
};

use crate::{DatasetVersion, answering::RunSettings};
use alloy_primitives::{B256, Bytes};
use openledger_content_store::Row;
use serde::{Deserialize, Serialize};

/// Version of the format.
const VERSION: u32 = 1;
/// Largest case, bytes of JSON: bounds what a judge reads from a stranger.
pub const MAX_CASE_BYTES: usize = 256 << 20;

/// A receipt's case. It holds rows and a prompt: it is given to those who may see them alone, and never logged.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Version of this format.
    pub version: u32,
    /// What the chain says.
    pub facts: Facts,
    /// The versions that the adapter was trained on.
    pub trained_on: Vec<DatasetVersion>,
    /// Every contribution of those versions with its rows.
    pub contributions: Vec<CaseContribution>,
    /// The prompt.
    pub prompt: Row,
    /// Salt of the answer's hash.
    pub answer_salt: B256,
    /// The answer's tokens.
    pub answer_tokens: Vec<u32>,
    /// The adapter's file.
    pub adapter: Bytes,
    /// How the receipt was computed.
    pub settings: RunSettings,
}

/// A contribution with its rows.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseContribution {
    /// What the chain says.
    pub facts: ContributionFacts,
    /// The rows, in order.
    pub rows: Vec<Row>,
}

impl std::fmt::Debug for Case {
    /// Without prompt, answer and rows.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Case").field("facts", &self.facts).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for CaseContribution {
    /// Without the rows.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CaseContribution").field("facts", &self.facts).finish_non_exhaustive()
    }
}
