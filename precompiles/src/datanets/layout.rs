//! Storage of the Datanets precompile; the equivalent contract is in `docs/precompiles/datanets.md`.

use crate::Parameters;
use crate::frame::Record;
use alloy_primitives::aliases::{U24, U40, U96};
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
        contributions: u32,
        versions: u32,
        withdrawals: u32,
        created_at: u64,
        /// Contributions in versions whose terms are not open to every model.
        specials: u32,
        depth: u8,
        ancestors: u8,
        rule_flags: u8,
        required_uses: u16,
        max_rows: u32,
    }
}

record! {
    /// The first slot of `Datanet`.
    struct DatanetTitle {
        owner: Address,
        contributions: u32,
        versions: u32,
        withdrawals: u32,
    }
}

record! {
    /// The first slot of `Contribution`.
    struct ContributionTitle {
        owner: Address,
        datanet: u64,
        rows: u32,
    }
}

record! {
    /// The second slot of `Contribution`, at `CONTRIBUTION_STANDING`.
    struct ContributionStanding {
        uses: u16,
        expiry: u64,
        priority: u64,
        since_version: u32,
        status: u8,
        flags: u8,
        sets: u32,
    }
}

record! {
    struct ContributionRecord {
        /// Title holder.
        owner: Address,
        datanet: u64,
        rows: u32,
        uses: u16,
        expiry: u64,
        priority: u64,
        since_version: u32,
        status: u8,
        flags: u8,
        /// Owner sets there have been.
        sets: u32,
        root: B256,
        purposes: u32,
        regions: u32,
        fee: u128,
        /// Last second at which the withdrawn licence holds; 0 while it is not withdrawn.
        withdrawn_after: u64,
        tombstoned_at: u64,
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
        /// The first that forbids deriving; 0 when none does.
        forbids_deriving: u64,
        /// The Datanet's specials that it has.
        specials: u32,
    }
}

record! {
    /// The slot of `Version` at `VERSION_SIZE`.
    struct VersionSize {
        published_at: u64,
        rows: u64,
        contributions: u32,
        clusters: u32,
        licence: u16,
    }
}

record! {
    /// What settlement knows of a contribution: one slot, never zero once the contribution exists.
    struct Earner {
        /// Wei that it earned and its owners have not drawn; Payouts holds it.
        accrued: U96,
        datanet: U40,
        /// Receipts that paid it inline.
        receipts: U40,
        since_version: u32,
        rows: U24,
        flags: u8,
    }
}

record! {
    /// The first slot of `OwnerSet`; co-owners follow, one a slot.
    struct OwnerSetHead {
        title: Address,
        title_bps: u16,
        co_owners: u8,
        /// The receipts settled when it came.
        since_receipt: u64,
    }
}

record! {
    struct CoOwner {
        account: Address,
        bps: u16,
    }
}

record! {
    struct ChallengeRecord {
        challenger: Address,
        deposit: U256,
    }
}

record! {
    struct ClusterRecord {
        datanet: u64,
        contribution: u64,
        row: u32,
        copies: u32,
        status: u8,
        challenger: Address,
        deposit: U256,
        evidence: B256,
    }
}

record! {
    /// Where a copy's canonical row is.
    struct CopyRecord {
        cluster: u64,
        contribution: u64,
        row: u32,
    }
}

record! {
    struct GrantRecord {
        until: u64,
        /// Every bit set for all.
        purposes: u32,
        /// Every bit set for all.
        regions: u32,
        uses: u16,
        /// Models that rely on it.
        models: u8,
    }
}

macro_rules! slots {
    ($($(#[$meta:meta])* $name:ident = $slot:literal;)*) => {
        $($(#[$meta])* pub(crate) const $name: U256 = U256::from_limbs([$slot, 0, 0, 0]);)*
    };
}

slots! {
    DATANETS_SLOT = 2;
    CURATORS_SLOT = 3;
    CONTRIBUTIONS_SLOT = 4;
    COMMITMENTS_SLOT = 5;
    VERSIONS_SLOT = 6;
    DATANET_BALANCES_SLOT = 7;
    CONTRIBUTION_BALANCES_SLOT = 8;
    WITHDRAWALS_SLOT = 9;
    OWNER_SETS_SLOT = 10;
    MODERATORS_SLOT = 11;
    CHALLENGES_SLOT = 12;
    CLUSTER_COUNT_SLOT = 13;
    CLUSTERS_SLOT = 14;
    COPIES_SLOT = 15;
    COPY_OF_SLOT = 16;
    GRANTS_SLOT = 17;
    GRANT_MODELS_SLOT = 18;
    ANCESTORS_SLOT = 19;
    SPECIALS_SLOT = 20;
    /// The first of `MAX_CONTRIBUTIONS`, one a contribution; nothing stands behind it.
    EARNERS_SLOT = 21;
}

/// Offsets within a Datanet's slots.
pub(crate) const SCHEMA_HASH: U256 = U256::from_limbs([2, 0, 0, 0]);
pub(crate) const DOMAIN: U256 = U256::from_limbs([3, 0, 0, 0]);
pub(crate) const METADATA_URI: U256 = U256::from_limbs([4, 0, 0, 0]);

/// Offsets within a contribution's slots.
pub(crate) const CONTRIBUTION_STANDING: U256 = U256::from_limbs([1, 0, 0, 0]);
pub(crate) const CONTRIBUTION_ROOT: U256 = U256::from_limbs([2, 0, 0, 0]);
/// Offset within a version's slots.
pub(crate) const VERSION_SIZE: U256 = U256::from_limbs([2, 0, 0, 0]);

/// `DatanetHead::rule_flags`.
pub(crate) const CLOSED: u8 = 1;
pub(crate) const APPROVAL_REQUIRED: u8 = 2;
pub(crate) const REVOCABLE_ALLOWED: u8 = 4;

/// `ContributionRecord::flags`.
pub(crate) const SHARE_ALIKE: u8 = 1;
pub(crate) const REVOCABLE: u8 = 2;

/// `Earner::flags`: its rows are erased.
pub(crate) const ERASED: u8 = 1;
/// `Earner::flags`: some of its rows are, or were, copies of a recorded cluster.
pub(crate) const HAS_COPIES: u8 = 2;

/// Most contributions, with the number 0: as many as the widths of their numbers elsewhere hold.
pub(crate) const MAX_CONTRIBUTIONS: u64 = 1 << 40;
/// Most rows of a contribution.
pub(crate) const MAX_ROWS: u32 = (1 << 24) - 1;
/// Most bytes of a domain.
pub(crate) const MAX_DOMAIN: usize = 64;
/// Most bytes of a metadata URI.
pub(crate) const MAX_URI: usize = 256;
/// Most bytes of a reason.
pub(crate) const MAX_REASON: usize = 256;
/// Most contributions that one call adds to a version.
pub(crate) const MAX_PUBLISHED: usize = 256;
/// Most Datanets that one is derived from, itself.
pub(crate) const MAX_PARENTS: usize = 4;
/// Most Datanets that one is derived from, at any depth.
pub(crate) const MAX_ANCESTORS: usize = 16;
/// Longest chain of derivations.
pub(crate) const MAX_DEPTH: u8 = 8;
/// Most owners of a contribution besides the title holder.
pub(crate) const MAX_CO_OWNERS: usize = 15;
/// Most copies that one cluster records.
pub(crate) const MAX_COPIES: usize = 32;
/// Most models that rely on one grant.
pub(crate) const MAX_GRANT_MODELS: usize = 32;
/// Most steps from a copy to its canonical row.
pub(crate) const MAX_HOPS: usize = 8;

/// The values of the first slots at genesis.
pub(crate) fn genesis(parameters: &Parameters) -> Vec<U256> {
    Globals {
        commit_deposit: parameters.commit_deposit,
        reveal_window: parameters.reveal_window,
        ..Globals::default()
    }
    .pack()
    .to_vec()
}
