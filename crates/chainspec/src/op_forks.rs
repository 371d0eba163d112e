//! The OP forks of a chain, which activate at genesis or never.

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

/// When `fork` activates on a chain whose newest OP fork is `newest`.
pub(crate) fn op_activation(newest: OpHardfork, fork: OpHardfork) -> ForkCondition {
    match fork {
        OpHardfork::Bedrock => ForkCondition::ZERO_BLOCK,
        fork if fork <= newest => ForkCondition::ZERO_TIMESTAMP,
        _ => ForkCondition::Never,
    }
}

/// When the Ethereum rules of `fork` activate on an OP chain whose newest OP fork is `newest`.
pub(crate) fn ethereum_activation(newest: OpHardfork, fork: EthereumHardfork) -> ForkCondition {
    match fork {
        EthereumHardfork::Dao => ForkCondition::Never,
        EthereumHardfork::Paris => ForkCondition::TTD {
            activation_block_number: 0,
            fork_block: Some(0),
            total_difficulty: alloy_primitives::U256::ZERO,
        },
        fork if fork < EthereumHardfork::Paris => ForkCondition::ZERO_BLOCK,
        EthereumHardfork::Shanghai => op_activation(newest, OpHardfork::Canyon),
        EthereumHardfork::Cancun => op_activation(newest, OpHardfork::Ecotone),
        EthereumHardfork::Prague => op_activation(newest, OpHardfork::Isthmus),
        EthereumHardfork::Osaka => op_activation(newest, OpHardfork::Karst),
        _ => ForkCondition::Never,
    }
}
