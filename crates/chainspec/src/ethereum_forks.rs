//! The forks of a plain Ethereum chain: by block number, by total difficulty, by time.

use alloy_eips::{
    eip7594::MAX_BLOBS_PER_TX_FUSAKA,
    eip7840::{BLOB_BASE_COST, BlobParams},
};
use alloy_genesis::ChainConfig;
use alloy_hardforks::{EthereumHardfork, EthereumHardforks, ForkCondition};
use alloy_primitives::{Address, U256};

use crate::ChainSpec;

/// The forks that set how many blobs a block may hold, newest first.
const BLOB_FORKS: [EthereumHardfork; 8] = [
    EthereumHardfork::Bpo5,
    EthereumHardfork::Bpo4,
    EthereumHardfork::Bpo3,
    EthereumHardfork::Bpo2,
    EthereumHardfork::Bpo1,
    EthereumHardfork::Osaka,
    EthereumHardfork::Prague,
    EthereumHardfork::Cancun,
];

impl ChainSpec {
    /// Total difficulty at which proof of stake takes over; `None` where the chain never leaves proof
    /// of work.
    pub const fn terminal_total_difficulty(&self) -> Option<U256> {
        self.genesis().config.terminal_total_difficulty
    }

    /// The contract whose logs are deposit requests (EIP-6110), where the configuration names one.
    pub const fn deposit_contract_address(&self) -> Option<Address> {
        self.genesis().config.deposit_contract_address
    }

    /// Whether the chain took the side of the DAO's fork.
    pub const fn supports_dao_fork(&self) -> bool {
        self.genesis().config.dao_fork_support
    }

    /// How many blobs a block at `timestamp` in seconds may hold and what they cost; `None` before
    /// Cancun, and on OP chains, which have no blobs.
    pub fn blob_params_at(&self, timestamp: u64) -> Option<BlobParams> {
        if self.is_optimism() {
            return None;
        }
        let is_active =
            |fork: EthereumHardfork| self.ethereum_fork_activation(fork).active_at_timestamp(timestamp);
        let schedule = &self.genesis().config.blob_schedule;
        let mut active = BLOB_FORKS.into_iter().filter(|fork| is_active(*fork));
        let newest = active.next()?;
        // A fork that the schedule does not name keeps what the one before it set.
        let named = std::iter::once(newest).chain(active).find_map(|fork| {
            let name = fork.name();
            let entry = schedule.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            entry.map(|(_, params)| *params).or_else(|| default_params(fork))
        })?;
        if is_active(EthereumHardfork::Osaka) {
            Some(named.with_blob_base_cost(BLOB_BASE_COST).with_max_blobs_per_tx(MAX_BLOBS_PER_TX_FUSAKA))
        } else {
            Some(named)
        }
    }
}

/// What a fork sets on Ethereum's main network.
const fn default_params(fork: EthereumHardfork) -> Option<BlobParams> {
    match fork {
        EthereumHardfork::Cancun => Some(BlobParams::cancun()),
        EthereumHardfork::Prague => Some(BlobParams::prague()),
        EthereumHardfork::Osaka => Some(BlobParams::osaka()),
        EthereumHardfork::Bpo1 => Some(BlobParams::bpo1()),
        EthereumHardfork::Bpo2 => Some(BlobParams::bpo2()),
        _ => None,
    }
}

/// When `fork` activates.
///
/// Where a total difficulty starts proof of stake, no number is known beforehand: Paris then counts from
/// the configured split on. Who executes a block looks at the block itself.
pub(crate) fn activation(config: &ChainConfig, fork: EthereumHardfork) -> ForkCondition {
    let block = |number: Option<u64>| number.map_or(ForkCondition::Never, ForkCondition::Block);
    let time = |time: Option<u64>| time.map_or(ForkCondition::Never, ForkCondition::Timestamp);
    match fork {
        EthereumHardfork::Frontier => ForkCondition::ZERO_BLOCK,
        EthereumHardfork::Homestead => block(config.homestead_block),
        EthereumHardfork::Dao => block(config.dao_fork_block.filter(|_| config.dao_fork_support)),
        EthereumHardfork::Tangerine => block(config.eip150_block),
        EthereumHardfork::SpuriousDragon => block(config.eip155_block.max(config.eip158_block)),
        EthereumHardfork::Byzantium => block(config.byzantium_block),
        EthereumHardfork::Constantinople => block(config.constantinople_block),
        EthereumHardfork::Petersburg => block(config.petersburg_block),
        EthereumHardfork::Istanbul => block(config.istanbul_block),
        EthereumHardfork::MuirGlacier => block(config.muir_glacier_block),
        EthereumHardfork::Berlin => block(config.berlin_block),
        EthereumHardfork::London => block(config.london_block),
        EthereumHardfork::ArrowGlacier => block(config.arrow_glacier_block),
        EthereumHardfork::GrayGlacier => block(config.gray_glacier_block),
        EthereumHardfork::Paris => paris(config),
        EthereumHardfork::Shanghai => time(config.shanghai_time),
        EthereumHardfork::Cancun => time(config.cancun_time),
        EthereumHardfork::Prague => time(config.prague_time),
        EthereumHardfork::Osaka => time(config.osaka_time),
        EthereumHardfork::Bpo1 => time(config.bpo1_time),
        EthereumHardfork::Bpo2 => time(config.bpo2_time),
        EthereumHardfork::Bpo3 => time(config.bpo3_time),
        EthereumHardfork::Bpo4 => time(config.bpo4_time),
        EthereumHardfork::Bpo5 => time(config.bpo5_time),
        _ => ForkCondition::Never,
    }
}

fn paris(config: &ChainConfig) -> ForkCondition {
    let ttd = |number: u64, total_difficulty: U256| ForkCondition::TTD {
        activation_block_number: number,
        fork_block: Some(number),
        total_difficulty,
    };
    match (config.terminal_total_difficulty, config.merge_netsplit_block) {
        (Some(U256::ZERO), _) => ttd(0, U256::ZERO),
        (Some(total_difficulty), Some(number)) => ttd(number, total_difficulty),
        (total_difficulty, _) if config.terminal_total_difficulty_passed => {
            ttd(0, total_difficulty.unwrap_or_default())
        }
        _ => ForkCondition::Never,
    }
}
