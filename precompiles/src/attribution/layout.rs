//! Storage of the Attribution precompile; the equivalent contract is in the crate's page.

use crate::Parameters;
use crate::frame::Record;
use alloy_primitives::{Address, B256, U256};

record! {
    /// Slot 0.
    struct Globals {
        challenge_window: u64,
        models: u64,
        /// Receipts settled on this chain.
        receipts: u64,
    }
}

record! {
    /// The first two slots of `Model`.
    struct ModelHead {
        owner: Address,
        registered_at: u64,
        band_ppm: u32,
        receipts: u64,
        platform_bps: u16,
        model_bps: u16,
        stakers_bps: u16,
        datasets: u8,
        /// Parents above it; bit 7 is the duty of share-alike licences.
        depth: u8,
        /// Last second at which it may serve; 0 without end.
        valid_until: u64,
        /// The contribution that ends it then.
        ended_by: u64,
    }
}

record! {
    struct ModelHashes {
        base: B256,
        adapter: B256,
        training: B256,
        method: B256,
    }
}

record! {
    struct ModelPrice {
        per_token_in: u128,
        per_token_out: u128,
        platform_fee: u128,
        /// What the model is for, as in a licence; 0 means any.
        purposes: u32,
        regions: u32,
    }
}

record! {
    struct Bond {
        total: U256,
        locked: U256,
        /// First lock that still holds.
        head: u64,
        /// After the last lock.
        tail: u64,
    }
}

record! {
    struct Lock {
        amount: u128,
        release_at: u64,
    }
}

record! {
    struct ReceiptRecord {
        model: u64,
        attestor: Address,
        tokens_in: u32,
        settled_at: u64,
        block_number: u64,
        shares: u32,
        unattributed_ppm: u32,
        tokens_out: u32,
        answer_hash: B256,
        score_root: B256,
        fee: u128,
        contributors: u128,
    }
}

pub(crate) const MODELS_SLOT: U256 = U256::from_limbs([1, 0, 0, 0]);
pub(crate) const ATTESTORS_SLOT: U256 = U256::from_limbs([2, 0, 0, 0]);
pub(crate) const BONDS_SLOT: U256 = U256::from_limbs([3, 0, 0, 0]);
pub(crate) const LOCKS_SLOT: U256 = U256::from_limbs([4, 0, 0, 0]);
pub(crate) const RECEIPTS_SLOT: U256 = U256::from_limbs([5, 0, 0, 0]);
pub(crate) const SHARES_SLOT: U256 = U256::from_limbs([6, 0, 0, 0]);
pub(crate) const DATASETS_SLOT: U256 = U256::from_limbs([7, 0, 0, 0]);

/// Offsets within a model's slots.
pub(crate) const HASHES: U256 = U256::from_limbs([2, 0, 0, 0]);
pub(crate) const PRICE: U256 = U256::from_limbs([6, 0, 0, 0]);
pub(crate) const METADATA_URI: U256 = U256::from_limbs([8, 0, 0, 0]);

/// Most clusters that a receipt names.
pub(crate) const MAX_INLINE_SHARES: usize = 256;
/// Most datasets of a model.
pub(crate) const MAX_DATASETS: usize = 16;
/// Widest band of a model, in parts per million.
pub(crate) const MAX_BAND_PPM: u32 = 10_000;
/// Most bytes of a metadata URI.
pub(crate) const MAX_URI: usize = 256;
/// Most locks of a bond that one call releases without need.
pub(crate) const MAX_RELEASED: usize = 8;
/// Most locks that have run out which `bondOf` leaves out.
pub(crate) const MAX_SHOWN: usize = 1_024;

/// The values of the first slots at genesis.
pub(crate) fn genesis(parameters: &Parameters) -> Vec<U256> {
    Globals { challenge_window: parameters.challenge_window, ..Globals::default() }.pack()
}
