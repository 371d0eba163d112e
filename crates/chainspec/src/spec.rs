//! The specification of one chain: genesis and fork schedule.

use std::{fs, path::Path};

use alloy_consensus::Header;
use alloy_genesis::{ChainConfig, Genesis, GenesisAccount};
use alloy_hardforks::{EthereumHardfork, EthereumHardforks, ForkCondition};
use alloy_op_hardforks::{OpHardfork, OpHardforks};
use alloy_primitives::{B256, map::AddressSet};
use serde::de::DeserializeOwned;

use crate::{
    ChainSpecError, OpenLedgerHardfork, OptimismConfig,
    error::check,
    ethereum_forks,
    hardfork::{MERIDIAN_PRECOMPILES, OpenLedgerConfig},
    op_forks::{self, OpForkSchedule},
};

const GENESIS_JSON: &str = "genesis.json";

/// Everything that makes a chain this chain: its genesis and which rules are active when.
///
/// Built once at start, validated, and shared in an `Arc`.
#[derive(Debug, Clone)]
pub struct ChainSpec {
    genesis: Genesis,
    optimism: Option<OptimismConfig>,
    /// Counts only where `optimism` is there.
    op_forks: OpForkSchedule,
    openledger: Option<OpenLedgerConfig>,
    storage_only_accounts: AddressSet,
    genesis_header: Header,
    genesis_hash: B256,
}

impl ChainSpec {
    /// Reads a `genesis.json`.
    pub fn from_json(json: &str) -> Result<Self, ChainSpecError> {
        let genesis = serde_json::from_str(json)
            .map_err(|source| ChainSpecError::Json { what: GENESIS_JSON, source })?;
        Self::from_genesis(genesis)
    }

    /// Reads the `genesis.json` at `path`.
    pub fn from_path(path: impl AsRef<Path>) -> Result<Self, ChainSpecError> {
        let path = path.as_ref();
        let json = fs::read_to_string(path)
            .map_err(|source| ChainSpecError::Read { path: path.to_owned(), source })?;
        Self::from_json(&json)
    }

    /// Validates `genesis`, reporting every problem at once, and derives its header.
    pub fn from_genesis(genesis: Genesis) -> Result<Self, ChainSpecError> {
        let mut problems = Vec::new();
        let config = &genesis.config;
        let optimism = part::<OptimismConfig>(config, "optimism", &mut problems);
        let openledger = part::<OpenLedgerConfig>(config, "openledger", &mut problems);
        let newest_op_fork = match &optimism {
            Some(optimism) => {
                optimism.validate("config.optimism", &mut problems);
                newest_op_fork(&genesis, &mut problems)
            }
            None => op_forks::DEFAULT_OP_FORK,
        };
        if let Some(openledger) = openledger {
            openledger.validate(genesis.timestamp, &mut problems);
        }
        if genesis.gas_limit == 0 {
            problems.push("gasLimit is 0 or left out: no block could hold a transaction".to_owned());
        }
        if config.chain_id == 0 {
            problems.push("config.chainId is 0: choose one that no other chain uses".to_owned());
        }
        if genesis.base_fee_per_gas.is_some_and(|fee| fee > u128::from(u64::MAX)) {
            problems.push("baseFeePerGas does not fit 64 bits".to_owned());
        }

        let storage_only_accounts = storage_only_accounts(&genesis);
        if let (Some(_), Some(address)) = (&optimism, storage_only_accounts.iter().next()) {
            problems.push(format!(
                "alloc.{address} has storage but neither code nor nonce: give it code, or leave it out"
            ));
        }
        let mut spec = Self {
            genesis,
            optimism,
            op_forks: OpForkSchedule::Genesis(newest_op_fork),
            openledger,
            storage_only_accounts,
            genesis_header: Header::default(),
            genesis_hash: B256::ZERO,
        };
        spec.validate_genesis_block(&mut problems);
        check(GENESIS_JSON, problems)?;
        spec.genesis_header = spec.build_genesis_header();
        spec.genesis_hash = spec.genesis_header.hash_slow();
        Ok(spec)
    }

    /// An OP chain that others run, by its id, EIP-1559 parameters and fork times in seconds.
    ///
    /// For executing single blocks of it on state that comes with them; of its genesis nothing is known.
    pub fn of_op_chain(
        chain_id: u64,
        optimism: OptimismConfig,
        fork_times: impl IntoIterator<Item = (OpHardfork, u64)>,
    ) -> Self {
        let config = ChainConfig { chain_id, ..Default::default() };
        let mut spec = Self {
            genesis: Genesis { config, ..Default::default() },
            optimism: Some(optimism),
            op_forks: OpForkSchedule::Times(fork_times.into_iter().collect()),
            openledger: None,
            storage_only_accounts: AddressSet::default(),
            genesis_header: Header::default(),
            genesis_hash: B256::ZERO,
        };
        spec.genesis_header = spec.build_genesis_header();
        spec.genesis_hash = spec.genesis_header.hash_slow();
        spec
    }

    /// The chain id of EIP-155.
    pub const fn chain_id(&self) -> u64 {
        self.genesis.config.chain_id
    }

    /// The genesis configuration as read.
    pub const fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// The header of the first block.
    pub const fn genesis_header(&self) -> &Header {
        &self.genesis_header
    }

    /// The hash of [`Self::genesis_header`].
    pub const fn genesis_hash(&self) -> B256 {
        self.genesis_hash
    }

    /// Accounts that the genesis gives storage but neither code nor nonce. Nothing can be created there
    /// (EIP-7610). An OP chain has none.
    pub const fn storage_only_accounts(&self) -> &AddressSet {
        &self.storage_only_accounts
    }

    /// The chain's OP parameters; `None` where plain Ethereum rules apply.
    pub const fn optimism(&self) -> Option<&OptimismConfig> {
        self.optimism.as_ref()
    }

    /// Whether OP rules apply, and not plain Ethereum's.
    pub const fn is_optimism(&self) -> bool {
        self.optimism.is_some()
    }

    /// When one of OpenLedger's own forks activates; never where the configuration has no
    /// `openledger` part.
    pub fn openledger_fork_activation(&self, fork: OpenLedgerHardfork) -> ForkCondition {
        self.openledger.map_or(ForkCondition::Never, |config| config.activation(fork))
    }

    /// Whether one of OpenLedger's own forks is active in a block at `timestamp`, in seconds.
    pub fn is_openledger_fork_active(&self, fork: OpenLedgerHardfork, timestamp: u64) -> bool {
        self.openledger_fork_activation(fork).active_at_timestamp(timestamp)
    }

    /// Whether the precompiles' rules of Meridian are active in a block at `timestamp`, in seconds.
    pub fn is_meridian_active_at_timestamp(&self, timestamp: u64) -> bool {
        self.is_openledger_fork_active(OpenLedgerHardfork::Meridian, timestamp)
    }

    /// What of the genesis block contradicts the forks that are active in it.
    fn validate_genesis_block(&self, problems: &mut Vec<String>) {
        let genesis = &self.genesis;
        if !genesis.extra_data.is_empty()
            && let Err(error) = self.decode_extra_data(genesis.timestamp, &genesis.extra_data)
        {
            problems.push(format!(
                "extraData does not fit the active forks ({error}): leave it out to have it derived"
            ));
        }
        if self.is_meridian_active_at_timestamp(genesis.timestamp) {
            for address in MERIDIAN_PRECOMPILES {
                let account = genesis.alloc.get(&address);
                let has_code = account.is_some_and(|account| account.code_hash().is_some());
                let has_nonce = account.is_some_and(|account| account.nonce.unwrap_or_default() > 0);
                if !has_code && !has_nonce {
                    problems.push(format!(
                        "alloc lacks the precompile {address}: give it code 0xef and nonce 1, an \
                         empty account loses its storage (EIP-161)"
                    ));
                }
            }
        }
    }
}

fn storage_only_accounts(genesis: &Genesis) -> AddressSet {
    let is_storage_only = |account: &GenesisAccount| {
        account.nonce.unwrap_or_default() == 0
            && account.code.as_ref().is_none_or(|code| code.is_empty())
            && account.storage.iter().flat_map(|storage| storage.values()).any(|value| !value.is_zero())
    };
    genesis
        .alloc
        .iter()
        .filter(|(_, account)| is_storage_only(account))
        .map(|(address, _)| *address)
        .collect()
}

/// Reads one chain-specific object of the configuration.
fn part<T: DeserializeOwned>(config: &ChainConfig, key: &str, problems: &mut Vec<String>) -> Option<T> {
    let value = config.extra_fields.get(key)?.clone();
    match serde_json::from_value(value) {
        Ok(part) => Some(part),
        Err(error) => {
            problems.push(format!("config.{key}: {error}"));
            None
        }
    }
}

/// The configuration's key of an OP fork's activation time.
fn op_fork_key(fork: OpHardfork) -> String {
    format!("{}Time", fork.name().to_lowercase())
}

fn newest_op_fork(genesis: &Genesis, problems: &mut Vec<String>) -> OpHardfork {
    let fields = &genesis.config.extra_fields;
    let mut times = Vec::new();
    for &fork in OpHardfork::VARIANTS {
        let key = op_fork_key(fork);
        match fields.get(&key) {
            None | Some(serde_json::Value::Null) => {}
            Some(value) => match value.as_u64() {
                Some(time) => times.push((fork, time)),
                None => problems.push(format!("config.{key} is {value}: it must be a time in seconds")),
            },
        }
    }
    match fields.get("bedrockBlock").map(serde_json::Value::as_u64) {
        None | Some(Some(0)) => {}
        Some(_) => problems.push("config.bedrockBlock must be 0 or left out".to_owned()),
    }
    op_forks::newest_active(
        genesis.timestamp,
        |fork| times.iter().find(|(name, _)| *name == fork).map(|(_, time)| *time),
        |fork| format!("config.{}", op_fork_key(fork)),
        problems,
    )
}

impl EthereumHardforks for ChainSpec {
    fn ethereum_fork_activation(&self, fork: EthereumHardfork) -> ForkCondition {
        if self.is_optimism() {
            op_forks::ethereum_activation(&self.op_forks, fork)
        } else {
            ethereum_forks::activation(&self.genesis.config, fork)
        }
    }
}

impl OpHardforks for ChainSpec {
    fn op_fork_activation(&self, fork: OpHardfork) -> ForkCondition {
        if self.is_optimism() { op_forks::op_activation(&self.op_forks, fork) } else { ForkCondition::Never }
    }
}
