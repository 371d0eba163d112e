//! Storage of the Datanets precompile; the equivalent contract is in the crate's page.

use crate::Parameters;
use crate::frame::Record;
use alloy_primitives::{Address, B256, U256};

record! {
    /// Slots 0 and 1.
    struct Globals {
        commit_deposit: U256,
        reveal_window: u64,
        datanets: u64,
        contributions: u64,
        commitments: u64,
    }
}

record! {
    /// The first two slots of `Datanet`.
    struct DatanetHead {
        owner: Address,
        created_at: u64,
        contributions: u32,
        versions: u32,
    }
}

record! {
    struct ContributionRecord {
        owner: Address,
        datanet: u64,
        rows: u32,
        licence: u16,
        expiry: u64,
        priority: u64,
        since_version: u32,
        root: B256,
    }
}

record! {
    struct CommitmentRecord {
        priority: u64,
        block: u64,
        deposit: U256,
    }
}

record! {
    struct VersionRecord {
        root: B256,
        cluster_root: B256,
        published_at: u64,
        rows: u64,
        contributions: u32,
        clusters: u32,
        licence: u16,
        expiry: u64,
        /// Has the earliest expiry.
        first_to_expire: u64,
        /// The first that forbids training; 0 when none does.
        forbids_training: u64,
        /// The first that forbids serving; 0 when none does.
        forbids_serving: u64,
    }
}

pub(crate) const DATANETS_SLOT: U256 = U256::from_limbs([2, 0, 0, 0]);
pub(crate) const CURATORS_SLOT: U256 = U256::from_limbs([3, 0, 0, 0]);
pub(crate) const CONTRIBUTIONS_SLOT: U256 = U256::from_limbs([4, 0, 0, 0]);
pub(crate) const COMMITMENTS_SLOT: U256 = U256::from_limbs([5, 0, 0, 0]);
pub(crate) const VERSIONS_SLOT: U256 = U256::from_limbs([6, 0, 0, 0]);
pub(crate) const DATANET_BALANCES_SLOT: U256 = U256::from_limbs([7, 0, 0, 0]);
pub(crate) const CONTRIBUTION_BALANCES_SLOT: U256 = U256::from_limbs([8, 0, 0, 0]);

/// Offsets within a Datanet's slots.
pub(crate) const SCHEMA_HASH: U256 = U256::from_limbs([2, 0, 0, 0]);
pub(crate) const DOMAIN: U256 = U256::from_limbs([3, 0, 0, 0]);
pub(crate) const METADATA_URI: U256 = U256::from_limbs([4, 0, 0, 0]);

/// Most bytes of a domain.
pub(crate) const MAX_DOMAIN: usize = 64;
/// Most bytes of a metadata URI.
pub(crate) const MAX_URI: usize = 256;
/// Most contributions that one call adds to a version.
pub(crate) const MAX_PUBLISHED: usize = 256;

/// The values of the first slots at genesis.
pub(crate) fn genesis(parameters: &Parameters) -> Vec<U256> {
    Globals {
        commit_deposit: parameters.commit_deposit,
        reveal_window: parameters.reveal_window,
        ..Globals::default()
    }
    .pack()
}
