//! Storage of the Attribution precompile; the equivalent contract is in `docs/precompiles/attribution.md`.

use crate::Parameters;
use crate::frame::Record;
use alloy_primitives::aliases::{U24, U40, U112};
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
    /// What the training run was, at `TRAINING`.
    struct ModelTraining {
        data_order_seed: B256,
        hyper_parameters: B256,
        checkpoint_root: B256,
    }
}

record! {
    /// At `FAITHFULNESS`.
    struct FaithfulnessRecord {
        /// An `int32`, in two's complement.
        lds_ppm: u32,
        error_ppm: u32,
        samples: u32,
        published_at: u64,
        evidence: B256,
    }
}

record! {
    struct Bond {
        total: u128,
        /// What open and frozen receipts hold of it.
        locked: u128,
        /// What frozen receipts hold of it.
        frozen: u128,
        /// First bucket whose locks may still hold.
        first: u64,
        /// The bucket of the latest lock.
        last: u64,
    }
}

record! {
    /// One word of `locks`.
    struct Bucket {
        number: u64,
        amount: u128,
    }
}

record! {
    /// The first two slots of `Receipt`, which are full.
    struct ReceiptHead {
        model: u64,
        attestor: Address,
        tokens_in: u32,
        settled_at: U40,
        block_number: U40,
        number: U40,
        /// The first contribution of the inline shares.
        base: U40,
        shares: u16,
        unattributed_ppm: U24,
        tail_ppm: U24,
        /// As `IAttribution.ReceiptStatus`.
        status: u8,
        contribution_bits: u8,
        row_bits: u8,
        ppm_bits: u8,
    }
}

record! {
    /// At `RECEIPT_HASHES`.
    struct ReceiptHashes {
        answer: B256,
        scores: B256,
    }
}

record! {
    /// At `RECEIPT_WEI`.
    struct ReceiptWei {
        fee: U112,
        contributors: U112,
        tokens_out: u32,
    }
}

record! {
    struct TailRecord {
        root: B256,
        amount: U112,
        claimed: U112,
        leaves: u32,
    }
}

record! {
    struct ChallengeRecord {
        challenger: Address,
        stake: U256,
    }
}

macro_rules! slots {
    ($($name:ident = $slot:literal;)*) => {
        $(pub(crate) const $name: U256 = U256::from_limbs([$slot, 0, 0, 0]);)*
    };
}

slots! {
    MODELS_SLOT = 1;
    ATTESTORS_SLOT = 2;
    BONDS_SLOT = 3;
    LOCKS_SLOT = 4;
    RECEIPTS_SLOT = 5;
    SHARES_SLOT = 6;
    DATASETS_SLOT = 7;
    RECEIPTS_OF_MODEL_SLOT = 8;
    TAILS_SLOT = 9;
    CHALLENGES_SLOT = 10;
}

// Offsets within a model's slots.
slots! {
    HASHES = 2;
    PRICE = 6;
    METADATA_URI = 8;
    TRAINING = 9;
    PARENTS = 12;
    FAITHFULNESS = 14;
}

// Offsets within a receipt's slots.
slots! {
    RECEIPT_HASHES = 2;
    RECEIPT_WEI = 4;
}

/// `ModelHead::depth`: the duty of share-alike licences.
pub(crate) const SHARE_ALIKE: u8 = 0x80;

/// Most clusters that a receipt names.
pub(crate) const MAX_INLINE_SHARES: usize = 256;
/// Most datasets of a model.
pub(crate) const MAX_DATASETS: usize = 16;
/// Widest band of a model, in parts per million.
pub(crate) const MAX_BAND_PPM: u32 = 10_000;
/// Most bytes of a metadata URI.
pub(crate) const MAX_URI: usize = 256;
/// Most parents of a model.
pub(crate) const MAX_PARENTS: usize = 8;
/// Longest chain of parents.
pub(crate) const MAX_DEPTH: u8 = 8;
/// Most contributions with terms of their own that a registration examines.
pub(crate) const MAX_RESTRICTED: u64 = 256;
/// Most withdrawals of a Datanet that a registration looks at.
pub(crate) const REGISTRATION_WITHDRAWALS: u32 = 64;
/// Most withdrawals that a settlement looks at.
pub(crate) const SETTLEMENT_WITHDRAWALS: u64 = 32;
/// Most withdrawals that a refresh looks at.
pub(crate) const REFRESH_WITHDRAWALS: u64 = 256;
/// Most leaves of a long tail.
pub(crate) const MAX_TAIL_LEAVES: u32 = 1 << 20;
/// Most receipts that one look at a contribution's history reads.
pub(crate) const MAX_HISTORY: u64 = 64;
/// Most identifiers that a page of a model's receipts has.
pub(crate) const MAX_PAGE: u64 = 256;
/// Words of a bond's ring of buckets.
pub(crate) const BUCKETS: u64 = 32;
/// Parts that a challenge window is cut into; a bucket lasts one.
pub(crate) const WINDOW_PARTS: u64 = 16;

/// The values of the first slots at genesis.
pub(crate) fn genesis(parameters: &Parameters) -> Vec<U256> {
    Globals { challenge_window: parameters.challenge_window, ..Globals::default() }.pack().to_vec()
}
