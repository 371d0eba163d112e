//! Storage of the Payouts precompile; the equivalent contract is in `docs/precompiles/payouts.md`.

use crate::Parameters;
use crate::frame::Record;
use alloy_primitives::{Address, U256};

record! {
    /// Slots 0 and 1.
    struct Settings {
        platform: Address,
        minimum_deadline: u64,
        maximum_deadline: u64,
    }
}

record! {
    /// The first two slots of `Request`; the prompt's hash follows.
    struct RequestRecord {
        payer: Address,
        model: u64,
        /// As `IPayouts.Status`.
        status: u8,
        deadline: u64,
        created_at: u64,
        max_fee: u128,
    }
}

record! {
    struct ChannelRecord {
        payer: Address,
        expiry: u64,
        /// 1 once it is closed.
        closed: u8,
        provider: Address,
        signer: Address,
        deposit: U256,
        redeemed: U256,
    }
}

record! {
    struct StreamRecord {
        payer: Address,
        start: u64,
        /// 1 once it is closed.
        closed: u8,
        to: Address,
        wei_per_second: u128,
        deposit: U256,
        drawn: U256,
    }
}

/// Offset within a request's slots.
pub(crate) const PROMPT_HASH: U256 = U256::from_limbs([2, 0, 0, 0]);

pub(crate) const REQUESTS_SLOT: U256 = U256::from_limbs([2, 0, 0, 0]);
pub(crate) const CREDITS_SLOT: U256 = U256::from_limbs([3, 0, 0, 0]);
pub(crate) const TAIL_CLAIMS_SLOT: U256 = U256::from_limbs([4, 0, 0, 0]);
pub(crate) const NONCES_SLOT: U256 = U256::from_limbs([5, 0, 0, 0]);
pub(crate) const CHANNELS_SLOT: U256 = U256::from_limbs([6, 0, 0, 0]);
pub(crate) const STREAMS_SLOT: U256 = U256::from_limbs([7, 0, 0, 0]);

/// Most wei of an escrow: far above any supply, it keeps every amount of a receipt within 112 bits.
pub(crate) const MAX_FEE: u128 = (1 << 112) - 1;
/// Most contributions that one call draws.
pub(crate) const MAX_DRAWN: usize = 64;
/// Seconds that a channel is open at least.
pub(crate) const MINIMUM_CHANNEL_TIME: u64 = 3_600;

/// The values of the first slots at genesis.
pub(crate) fn genesis(parameters: &Parameters) -> Vec<U256> {
    Settings {
        platform: parameters.platform,
        minimum_deadline: parameters.minimum_deadline,
        maximum_deadline: parameters.maximum_deadline,
    }
    .pack()
    .to_vec()
}
