//! The difficulty of a proof-of-work block, which follows from its parent (EIP-2, EIP-100, and the delays of
//! the difficulty bomb).

use alloy_consensus::{EMPTY_OMMER_ROOT_HASH, Header};
use alloy_hardforks::{EthereumHardfork, EthereumHardforks};
use alloy_primitives::U256;

const MINIMUM: u64 = 131_072;
const BOUND_DIVISOR: u64 = 2_048;
/// Blocks in which the bomb doubles.
const BOMB_PERIOD: u64 = 100_000;

/// By how many blocks each fork put the bomb off, newest first (EIP-5133, 4345, 3554, 2384, 1234, 649).
const BOMB_DELAYS: [(EthereumHardfork, u64); 6] = [
    (EthereumHardfork::GrayGlacier, 11_400_000),
    (EthereumHardfork::ArrowGlacier, 10_700_000),
    (EthereumHardfork::London, 9_700_000),
    (EthereumHardfork::MuirGlacier, 9_000_000),
    (EthereumHardfork::Constantinople, 5_000_000),
    (EthereumHardfork::Byzantium, 3_000_000),
];

/// The difficulty of the block at `timestamp`, in seconds and later than the parent's.
pub(super) fn next_difficulty(rules: &impl EthereumHardforks, parent: &Header, timestamp: u64) -> U256 {
    let number = parent.number.saturating_add(1);
    let step = parent.difficulty / U256::from(BOUND_DIVISOR);
    let elapsed = timestamp.saturating_sub(parent.timestamp);
    // Up by `up` steps, then down by `down` of them; at most 99 down.
    let (up, down) = if rules.is_byzantium_active_at_block(number) {
        let most = if parent.ommers_hash == EMPTY_OMMER_ROOT_HASH { 1 } else { 2 };
        (most, (elapsed / 9).min(99 + most))
    } else if rules.is_homestead_active_at_block(number) {
        (1, (elapsed / 10).min(100))
    } else if elapsed < 13 {
        (1, 0)
    } else {
        (0, 1)
    };
    let raised = parent.difficulty.saturating_add(step.saturating_mul(U256::from(up)));
    let adjusted = raised.saturating_sub(step.saturating_mul(U256::from(down)));
    let bounded = adjusted.max(U256::from(MINIMUM));

    let delay = BOMB_DELAYS
        .iter()
        .find(|(fork, _)| rules.ethereum_fork_activation(*fork).active_at_block(number))
        .map_or(0, |(_, delay)| *delay);
    // The delay counts from the parent: a block is taken for one that many earlier.
    let period = number.saturating_sub(delay) / BOMB_PERIOD;
    match period.checked_sub(2) {
        Some(exponent) => bounded.saturating_add(U256::ONE << exponent.min(255)),
        None => bounded,
    }
}
