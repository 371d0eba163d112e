//! What a receipt is computed from besides model, rows and prompt, recorded so that it can be computed again.

use crate::AttributorError;
use alloy_primitives::B256;
use openledger_attribution::{InfluenceConfig, ShareConfig};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, env};

/// Environment variables by which libtorch and its libraries choose instructions.
pub const DISPATCH_VARIABLES: [&str; 5] =
    ["ATEN_CPU_CAPABILITY", "MKL_CBWR", "ONEDNN_MAX_CPU_ISA", "MKL_NUM_THREADS", "OMP_NUM_THREADS"];

/// How influence is computed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InfluenceSettings {
    /// λ as a fraction of the mean squared length of a gradient.
    pub damping: f64,
    /// Whether each number is divided by its root mean square over the rows first.
    pub whiten: bool,
    /// Whether gradients are then scaled to length one.
    pub unit_length: bool,
}

/// How shares are made of scores.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShareSettings {
    /// How far above the median a score must lie, standard deviations of the noise.
    pub noise_deviations: f64,
    /// The most clusters that earn.
    pub max_shares: usize,
}

/// How a receipt was computed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunSettings {
    /// Version of the program.
    pub program: String,
    /// keccak256 of the gradients' file, the store's version.
    pub store: B256,
    /// How influence was computed.
    pub influence: InfluenceSettings,
    /// How shares were made.
    pub shares: ShareSettings,
    /// Seed of the training; answers are greedy and have none.
    pub seed: u64,
    /// CPU threads.
    pub threads: u32,
    /// Where tensors lay.
    pub device: String,
    /// What of [`DISPATCH_VARIABLES`] was set.
    pub dispatch: BTreeMap<String, String>,
}

/// What is kept, encrypted, of each answer.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecordedInputs {
    pub(crate) tokens: Vec<u32>,
    pub(crate) settings: RunSettings,
}

/// What of [`DISPATCH_VARIABLES`] is set for this process.
pub fn dispatch() -> BTreeMap<String, String> {
    DISPATCH_VARIABLES.iter().filter_map(|name| Some(((*name).to_owned(), env::var(name).ok()?))).collect()
}

impl From<InfluenceConfig> for InfluenceSettings {
    fn from(config: InfluenceConfig) -> Self {
        Self { damping: config.damping, whiten: config.whiten, unit_length: config.unit_length }
    }
}

impl From<ShareConfig> for ShareSettings {
    fn from(config: ShareConfig) -> Self {
        Self { noise_deviations: config.noise_deviations, max_shares: config.max_shares }
    }
}

/// The method names its parameters: a receipt that was computed with others was computed by another method.
fn is_the_methods<T: PartialEq>(given: &T, own: &T, what: &str) -> Result<(), AttributorError> {
    if given == own {
        return Ok(());
    }
    Err(AttributorError::Invalid(format!("the {what} recorded are not the method's")))
}

impl InfluenceSettings {
    pub(crate) fn config(&self) -> Result<InfluenceConfig, AttributorError> {
        let own = InfluenceConfig::default();
        is_the_methods(self, &own.into(), "parameters of influence")?;
        Ok(own)
    }
}

impl ShareSettings {
    pub(crate) fn config(&self) -> Result<ShareConfig, AttributorError> {
        let own = ShareConfig::default();
        is_the_methods(self, &own.into(), "parameters of shares")?;
        Ok(own)
    }
}
