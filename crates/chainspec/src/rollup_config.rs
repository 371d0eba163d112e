//! `rollup.json`: what derivation, sequencer and batcher must agree on.

use std::{fs, path::Path};

use alloy_eips::BlockNumHash;
use alloy_op_hardforks::OpHardfork;
use alloy_primitives::Address;
use serde::{Deserialize, Serialize};

use crate::{ChainSpec, ChainSpecError, OptimismConfig, SystemConfig, error::check, op_forks};

const ROLLUP_JSON: &str = "rollup.json";

/// How far L2 time may run ahead of its L1 origin, in seconds, from Fjord on.
pub const FJORD_MAX_SEQUENCER_DRIFT_SECONDS: u64 = 1800;

/// How many L1 blocks a channel may stay open, from Granite on.
pub const GRANITE_CHANNEL_TIMEOUT_BLOCKS: u64 = 50;

/// Where the rollup starts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RollupGenesis {
    /// The L1 block that the rollup starts after.
    pub l1: BlockNumHash,
    /// The L2 genesis block.
    pub l2: BlockNumHash,
    /// Timestamp of the L2 genesis block in seconds.
    pub l2_time: u64,
    /// The system configuration at the L1 block above.
    pub system_config: SystemConfig,
}

/// The configuration of one rollup, in the same JSON as `op-node` and kona read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RollupConfig {
    /// Where the rollup starts.
    pub genesis: RollupGenesis,
    /// Seconds between two L2 blocks.
    pub block_time: u64,
    /// Before Fjord: how far L2 time may run ahead of its L1 origin, in seconds.
    pub max_sequencer_drift: u64,
    /// L1 blocks in which the batch of an L1 origin must appear.
    pub seq_window_size: u64,
    /// Before Granite: how many L1 blocks a channel may stay open.
    pub channel_timeout: u64,
    /// From Granite on: how many L1 blocks a channel may stay open.
    #[serde(default = "granite_channel_timeout", skip_serializing_if = "is_granite_channel_timeout")]
    pub granite_channel_timeout: u64,
    /// Chain id of L1.
    pub l1_chain_id: u64,
    /// Chain id of L2.
    pub l2_chain_id: u64,
    /// Activation of Regolith in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regolith_time: Option<u64>,
    /// Activation of Canyon in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canyon_time: Option<u64>,
    /// Activation of Delta (span batches) in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delta_time: Option<u64>,
    /// Activation of Ecotone in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ecotone_time: Option<u64>,
    /// Activation of Fjord in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fjord_time: Option<u64>,
    /// Activation of Granite in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub granite_time: Option<u64>,
    /// Activation of Holocene in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holocene_time: Option<u64>,
    /// Activation of L1's Pectra blob schedule in seconds, on chains that missed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pectra_blob_schedule_time: Option<u64>,
    /// Activation of Isthmus in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isthmus_time: Option<u64>,
    /// Activation of Jovian in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jovian_time: Option<u64>,
    /// Activation of Karst in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub karst_time: Option<u64>,
    /// Activation of interop in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interop_time: Option<u64>,
    /// The L1 address that batches are sent to.
    pub batch_inbox_address: Address,
    /// The L1 contract whose logs are deposits: the portal.
    pub deposit_contract_address: Address,
    /// The L1 contract whose logs change the system configuration.
    pub l1_system_config_address: Address,
    /// The L1 contract that announces protocol versions; informative.
    #[serde(default)]
    pub protocol_versions_address: Address,
    /// The chain's default EIP-1559 parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain_op_config: Option<OptimismConfig>,
}

const fn granite_channel_timeout() -> u64 {
    GRANITE_CHANNEL_TIMEOUT_BLOCKS
}

/// Left out of JSON, for `op-node` has no such field.
const fn is_granite_channel_timeout(blocks: &u64) -> bool {
    *blocks == GRANITE_CHANNEL_TIMEOUT_BLOCKS
}

impl RollupConfig {
    /// Reads and validates a `rollup.json`.
    pub fn from_json(json: &str) -> Result<Self, ChainSpecError> {
        let config: Self = serde_json::from_str(json)
            .map_err(|source| ChainSpecError::Json { what: ROLLUP_JSON, source })?;
        config.validate()?;
        Ok(config)
    }

    /// Reads and validates the `rollup.json` at `path`.
    pub fn from_path(path: impl AsRef<Path>) -> Result<Self, ChainSpecError> {
        let path = path.as_ref();
        let json = fs::read_to_string(path)
            .map_err(|source| ChainSpecError::Read { path: path.to_owned(), source })?;
        Self::from_json(&json)
    }

    /// Whether `fork` is active in an L2 block at `timestamp`, in seconds. A later fork brings the
    /// earlier ones with it.
    pub fn is_active(&self, fork: OpHardfork, timestamp: u64) -> bool {
        OpHardfork::VARIANTS
            .iter()
            .filter(|&&later| later >= fork)
            .any(|&later| self.fork_time(later).is_some_and(|time| timestamp >= time))
    }

    /// How many L1 blocks a channel may stay open, with Granite active or not at an L1 timestamp.
    pub fn channel_timeout_at(&self, timestamp: u64) -> u64 {
        if self.is_active(OpHardfork::Granite, timestamp) {
            self.granite_channel_timeout
        } else {
            self.channel_timeout
        }
    }

    /// How far, in seconds, L2 time may run ahead of its L1 origin in a block at `timestamp`.
    pub fn max_sequencer_drift_at(&self, timestamp: u64) -> u64 {
        if self.is_active(OpHardfork::Fjord, timestamp) {
            FJORD_MAX_SEQUENCER_DRIFT_SECONDS
        } else {
            self.max_sequencer_drift
        }
    }

    /// The timestamp in seconds of L2 block `number`.
    pub const fn timestamp_of(&self, number: u64) -> u64 {
        let blocks = number.saturating_sub(self.genesis.l2.number);
        self.genesis.l2_time.saturating_add(blocks.saturating_mul(self.block_time))
    }

    /// The number of the L2 block at `timestamp` in seconds, rounded down; genesis before its time.
    pub fn number_at(&self, timestamp: u64) -> u64 {
        let seconds = timestamp.saturating_sub(self.genesis.l2_time);
        let blocks = seconds.checked_div(self.block_time).unwrap_or_default();
        self.genesis.l2.number.saturating_add(blocks)
    }

    /// The configured activation of `fork` in seconds.
    pub const fn fork_time(&self, fork: OpHardfork) -> Option<u64> {
        match fork {
            OpHardfork::Bedrock => Some(0),
            OpHardfork::Regolith => self.regolith_time,
            OpHardfork::Canyon => self.canyon_time,
            OpHardfork::Ecotone => self.ecotone_time,
            OpHardfork::Fjord => self.fjord_time,
            OpHardfork::Granite => self.granite_time,
            OpHardfork::Holocene => self.holocene_time,
            OpHardfork::Isthmus => self.isthmus_time,
            OpHardfork::Jovian => self.jovian_time,
            OpHardfork::Karst => self.karst_time,
            OpHardfork::Interop => self.interop_time,
            _ => None,
        }
    }

    /// Reports every problem that the configuration has in itself.
    pub fn validate(&self) -> Result<(), ChainSpecError> {
        let mut problems = Vec::new();
        for (key, value) in [
            ("block_time", self.block_time),
            ("seq_window_size", self.seq_window_size),
            ("channel_timeout", self.channel_timeout),
            ("granite_channel_timeout", self.granite_channel_timeout),
            ("l1_chain_id", self.l1_chain_id),
            ("l2_chain_id", self.l2_chain_id),
            ("genesis.system_config.gasLimit", self.genesis.system_config.gas_limit),
        ] {
            if value == 0 {
                problems.push(format!("{key} is 0"));
            }
        }
        if self.l1_chain_id == self.l2_chain_id {
            problems.push(format!("l1_chain_id and l2_chain_id are both {}", self.l1_chain_id));
        }
        for (key, address) in [
            ("batch_inbox_address", self.batch_inbox_address),
            ("deposit_contract_address", self.deposit_contract_address),
            ("l1_system_config_address", self.l1_system_config_address),
            ("genesis.system_config.batcherAddr", self.genesis.system_config.batcher_address),
        ] {
            if address.is_zero() {
                problems.push(format!("{key} is the zero address"));
            }
        }
        for (key, hash) in
            [("genesis.l1.hash", self.genesis.l1.hash), ("genesis.l2.hash", self.genesis.l2.hash)]
        {
            if hash.is_zero() {
                problems.push(format!("{key} is zero"));
            }
        }
        if let Some(config) = &self.chain_op_config {
            config.validate("chain_op_config", &mut problems);
        }
        self.validate_forks(&mut problems);
        check(ROLLUP_JSON, problems)
    }

    /// Reports every point in which this configuration and the execution chain's differ.
    pub fn validate_against(&self, spec: &ChainSpec) -> Result<(), ChainSpecError> {
        let mut problems = Vec::new();
        let mut same = |key: &str, ours: String, theirs: String| {
            if ours != theirs {
                problems.push(format!("{key} is {ours}, but genesis.json says {theirs}"));
            }
        };
        let header = spec.genesis_header();
        same("l2_chain_id", self.l2_chain_id.to_string(), spec.chain_id().to_string());
        same("genesis.l2.number", self.genesis.l2.number.to_string(), header.number.to_string());
        same("genesis.l2.hash", self.genesis.l2.hash.to_string(), spec.genesis_hash().to_string());
        same("genesis.l2_time", self.genesis.l2_time.to_string(), header.timestamp.to_string());
        for &fork in OpHardfork::VARIANTS {
            let theirs = alloy_op_hardforks::OpHardforks::op_fork_activation(spec, fork);
            let theirs =
                theirs.active_at_timestamp(header.timestamp) || theirs.active_at_block(header.number);
            let ours = self.is_active(fork, self.genesis.l2_time);
            same(&format!("activity of {fork} at genesis"), ours.to_string(), theirs.to_string());
        }
        if let (Some(ours), Some(theirs)) = (&self.chain_op_config, spec.optimism()) {
            let params = |config: &OptimismConfig| format!("{:?}", config.base_fee_params());
            same("chain_op_config", params(ours), params(theirs));
        }
        check(ROLLUP_JSON, problems)
    }

    /// Forks up to the default one must be active at genesis, later ones there or never.
    fn validate_forks(&self, problems: &mut Vec<String>) {
        let genesis_time = self.genesis.l2_time;
        let key = |fork: OpHardfork| format!("{}_time", fork.name().to_lowercase());
        op_forks::newest_active(genesis_time, |fork| self.fork_time(fork), key, problems);
        if !self.is_active(op_forks::DEFAULT_OP_FORK, genesis_time) {
            problems.push(format!(
                "{} is left out: this node runs chains with OP forks up to {} active from genesis, \
                 set it to 0",
                key(op_forks::DEFAULT_OP_FORK),
                op_forks::DEFAULT_OP_FORK,
            ));
        }
        if self.delta_time.is_some_and(|time| time > genesis_time) {
            problems.push("delta_time is after genesis: set it to 0".to_owned());
        }
    }
}
