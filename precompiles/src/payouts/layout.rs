//! Storage of the Payouts precompile; the equivalent contract is in the crate's page.

use crate::Parameters;
use crate::frame::Record;
use alloy_primitives::{Address, B256, U256};

record! {
    /// Slots 0 and 1.
    struct Settings {
        platform: Address,
        minimum_deadline: u64,
        maximum_deadline: u64,
    }
}

record! {
    struct RequestRecord {
        payer: Address,
        model: u64,
        /// As `IPayouts.Status`.
        status: u8,
        deadline: u64,
        created_at: u64,
        max_fee: u128,
        prompt_hash: B256,
    }
}

pub(crate) const REQUESTS_SLOT: U256 = U256::from_limbs([2, 0, 0, 0]);
pub(crate) const CREDITS_SLOT: U256 = U256::from_limbs([3, 0, 0, 0]);

/// The values of the first slots at genesis.
pub(crate) fn genesis(parameters: &Parameters) -> Vec<U256> {
    Settings {
        platform: parameters.platform,
        minimum_deadline: parameters.minimum_deadline,
        maximum_deadline: parameters.maximum_deadline,
    }
    .pack()
}
