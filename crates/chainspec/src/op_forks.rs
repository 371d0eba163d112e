//! The OP forks of a chain: on chains of ours they activate at genesis or never.

use alloy_hardforks::{EthereumHardfork, ForkCondition};
use alloy_op_hardforks::OpHardfork;

/// The newest OP fork that is active from genesis where the configuration does not say.
pub(crate) const DEFAULT_OP_FORK: OpHardfork = OpHardfork::Isthmus;

/// The newest OP fork this node implements.
pub(crate) const NEWEST_OP_FORK: OpHardfork = OpHardfork::Jovian;

/// Finds the newest active OP fork, given each fork's configured activation time in seconds.
///
/// Forks up to [`DEFAULT_OP_FORK`] are active where the time is left out. What does not fit is added
/// to `problems`: activation after genesis, a gap in the order, a fork this node does not know.
pub(crate) fn newest_active(
    genesis_timestamp: u64,
    time_of: impl Fn(OpHardfork) -> Option<u64>,
    key_of: impl Fn(OpHardfork) -> String,
    problems: &mut Vec<String>,
) -> OpHardfork {
    let mut newest = DEFAULT_OP_FORK;
    for &fork in OpHardfork::VARIANTS {
        let Some(time) = time_of(fork) else { continue };
        let key = key_of(fork);
        if fork > NEWEST_OP_FORK {
            problems.push(format!(
                "{key} is set, but this node knows OP forks up to {NEWEST_OP_FORK} only: remove it"
            ));
        } else if time > genesis_timestamp {
            problems.push(format!(
                "{key} is {time}, after the genesis timestamp {genesis_timestamp}: OP forks activate \
                 at genesis or not at all, set it to 0{}",
                if fork > DEFAULT_OP_FORK { " or leave it out" } else { "" }
            ));
        } else {
            newest = newest.max(fork);
        }
    }
    newest
}

/// When the OP forks of a chain activate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OpForkSchedule {
    /// All up to this one at genesis, the others never.
    Genesis(OpHardfork),
    /// Each at its time in seconds, as on chains that others run.
    Times(Vec<(OpHardfork, u64)>),
}

/// When `fork` activates on a chain with this schedule.
pub(crate) fn op_activation(schedule: &OpForkSchedule, fork: OpHardfork) -> ForkCondition {
    if fork == OpHardfork::Bedrock {
        return ForkCondition::ZERO_BLOCK;
    }
    match schedule {
        OpForkSchedule::Genesis(newest) if fork <= *newest => ForkCondition::ZERO_TIMESTAMP,
        OpForkSchedule::Genesis(_) => ForkCondition::Never,
        OpForkSchedule::Times(times) => times
            .iter()
            .find(|(name, _)| *name == fork)
            .map_or(ForkCondition::Never, |(_, time)| ForkCondition::Timestamp(*time)),
    }
}

/// When the Ethereum rules of `fork` activate on an OP chain with this schedule.
pub(crate) fn ethereum_activation(schedule: &OpForkSchedule, fork: EthereumHardfork) -> ForkCondition {
    match fork {
        EthereumHardfork::Dao => ForkCondition::Never,
        EthereumHardfork::Paris => ForkCondition::TTD {
            activation_block_number: 0,
            fork_block: Some(0),
            total_difficulty: alloy_primitives::U256::ZERO,
        },
        fork if fork < EthereumHardfork::Paris => ForkCondition::ZERO_BLOCK,
        EthereumHardfork::Shanghai => op_activation(schedule, OpHardfork::Canyon),
        EthereumHardfork::Cancun => op_activation(schedule, OpHardfork::Ecotone),
        EthereumHardfork::Prague => op_activation(schedule, OpHardfork::Isthmus),
        EthereumHardfork::Osaka => op_activation(schedule, OpHardfork::Karst),
        _ => ForkCondition::Never,
    }
}
