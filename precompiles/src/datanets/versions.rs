//! Versions: which rows a model may be trained on, and what their licences add up to.

use super::contributions::{contribution_of, status};
use super::earnings;
use super::layout::*;
use super::registry::{bound, datanet_head};
use super::roles::only_curator;
use crate::frame::{
    Frame, Result, entry, entry2, load, load_elements, revert, store, store_elements, update,
};
use alloy_primitives::{B256, U256};
use openledger_abi::IDatanets::{self, ContributionStatus as Status, *};
use openledger_abi::{DATANETS, licence};
use openledger_shares::version_root;

/// A version that exists.
pub(crate) fn version_of(frame: &mut Frame<'_>, datanet: u64, version: u32) -> Result<VersionRecord> {
    let slot = entry2(frame, VERSIONS_SLOT, U256::from(datanet), U256::from(version))?;
    let record: VersionRecord = load(frame, DATANETS, slot)?;
    if record.published_at == 0 && record.root.is_zero() {
        revert!(UnknownVersion { datanet, version });
    }
    Ok(record)
}

/// The first `count` contributions of a Datanet whose terms are not open to every model.
pub(crate) fn specials(frame: &mut Frame<'_>, datanet: u64, count: u32) -> Result<Vec<u64>> {
    let list = entry(frame, SPECIALS_SLOT, U256::from(datanet))?;
    load_elements(frame, DATANETS, list, 0, u64::from(count))
}

/// Whether there is a model that may not train and serve on it.
const fn is_special(record: &ContributionRecord) -> bool {
    let both = licence::TRAIN | licence::SERVE;
    record.uses & both != both
        || record.fee != 0
        || record.purposes != 0
        || record.regions != 0
        || record.flags & SHARE_ALIKE != 0
}

pub(super) fn publish(frame: &mut Frame<'_>, call: publishVersionCall) -> Result<u32> {
    let publishVersionCall { datanet, contributions, clusterRoot, clusters } = call;
    let (datanet_slot, head) = datanet_head(frame, datanet)?;
    only_curator(frame, datanet)?;
    bound(MAX_PUBLISHED, contributions.len())?;
    if head.versions == 0 && contributions.is_empty() {
        revert!(NoRows {});
    }
    let mut next = if head.versions == 0 {
        VersionRecord { licence: licence::ALL, ..Default::default() }
    } else {
        version_of(frame, datanet, head.versions)?
    };
    let version = head.versions.saturating_add(1);
    let mut added = Vec::with_capacity(contributions.len());
    let mut roots = Vec::with_capacity(contributions.len());
    let mut specials = Vec::new();
    for &contribution in &contributions {
        let (slot, record) = contribution_of(frame, contribution)?;
        check(frame, datanet, &head, contribution, &record)?;
        add(&mut next, contribution, &record);
        if is_special(&record) {
            specials.push(contribution);
        }
        roots.push(record.root);
        added.push((slot, record));
    }
    let mut sorted = contributions.clone();
    sorted.sort_unstable();
    if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        revert!(AlreadyVersioned { contribution: pair[0], version });
    }
    frame.charge_keccak(32 * (roots.len() + 2))?;
    let previous = if head.versions == 0 { B256::ZERO } else { next.root };
    next.root = version_root(previous, &roots, clusterRoot);
    next.cluster_root = clusterRoot;
    next.clusters = clusters;
    next.published_at = frame.now();
    next.specials = head.specials.saturating_add(specials.len() as u32);
    for ((slot, record), &contribution) in added.into_iter().zip(&contributions) {
        let new = ContributionRecord { since_version: version, ..record };
        update(frame, DATANETS, slot, &record, &new)?;
        earnings::change(frame, contribution, |earner| Earner { since_version: version, ..earner })?;
    }
    if !specials.is_empty() {
        let list = entry(frame, SPECIALS_SLOT, U256::from(datanet))?;
        store_elements(frame, DATANETS, list, u64::from(head.specials), &specials)?;
    }
    let slot = entry2(frame, VERSIONS_SLOT, U256::from(datanet), U256::from(version))?;
    store(frame, DATANETS, slot, &next)?;
    let new = DatanetHead { versions: version, specials: next.specials, ..head };
    update(frame, DATANETS, datanet_slot, &head, &new)?;
    let root = next.root;
    frame
        .emit(DATANETS, &VersionPublished { datanet, version, root, clusterRoot, clusters, contributions })?;
    Ok(version)
}

/// Whether the next version may take a contribution.
fn check(
    frame: &Frame<'_>,
    datanet: u64,
    head: &DatanetHead,
    contribution: u64,
    record: &ContributionRecord,
) -> Result<()> {
    if record.datanet != datanet {
        revert!(WrongDatanet { contribution, datanet });
    }
    if record.since_version != 0 {
        revert!(AlreadyVersioned { contribution, version: record.since_version });
    }
    let status = status(record.status);
    let pending_will_do = head.rule_flags & APPROVAL_REQUIRED == 0;
    if !(status == Status::Approved || (status == Status::Pending && pending_will_do)) {
        revert!(WrongStatus { contribution, status });
    }
    if record.expiry != 0 && frame.now() > record.expiry {
        revert!(LicenceExpired { contribution, expiry: record.expiry });
    }
    Ok(())
}

/// Adds a contribution to what the version sums up.
fn add(version: &mut VersionRecord, contribution: u64, record: &ContributionRecord) {
    let open_uses = if record.fee == 0 { record.uses } else { 0 };
    version.rows = version.rows.saturating_add(u64::from(record.rows));
    version.contributions = version.contributions.saturating_add(1);
    version.licence &= open_uses;
    if open_uses & licence::DERIVE == 0 && version.forbids_deriving == 0 {
        version.forbids_deriving = contribution;
    }
    if record.expiry != 0 && (version.expiry == 0 || record.expiry < version.expiry) {
        version.expiry = record.expiry;
        version.first_to_expire = contribution;
    }
}

pub(super) fn show(record: &VersionRecord) -> IDatanets::Version {
    IDatanets::Version {
        root: record.root,
        clusterRoot: record.cluster_root,
        publishedAt: record.published_at,
        rows: record.rows,
        contributions: record.contributions,
        clusters: record.clusters,
        licence: record.licence,
        expiry: record.expiry,
    }
}
