//! Versions: which rows a model may be trained on, and what their licences add up to.

use super::layout::*;
use super::registry::{bound, contribution_of, datanet_head, is_curator};
use crate::frame::{Frame, Result, entry2, load, revert, store, update};
use alloy_primitives::{B256, U256};
use openledger_abi::IDatanets::*;
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

/// The contribution that forbids a use of the version at `now`, and the use: whoever's licence has run out forbids all.
pub(crate) fn forbidding(version: &VersionRecord, uses: u16, now: u64) -> Option<(u64, u16)> {
    if uses & licence::TRAIN != 0 && version.forbids_training != 0 {
        return Some((version.forbids_training, licence::TRAIN));
    }
    if uses & licence::SERVE != 0 && version.forbids_serving != 0 {
        return Some((version.forbids_serving, licence::SERVE));
    }
    let expired = version.expiry != 0 && now > version.expiry;
    let first_use = if uses & licence::TRAIN != 0 { licence::TRAIN } else { licence::SERVE };
    expired.then_some((version.first_to_expire, first_use))
}

pub(super) fn publish(frame: &mut Frame<'_>, call: &publishVersionCall) -> Result<u32> {
    let datanet = call.datanet;
    let (datanet_slot, head) = datanet_head(frame, datanet)?;
    let account = frame.caller();
    if !is_curator(frame, datanet, account)? {
        revert!(NotCurator { datanet, account });
    }
    bound(MAX_PUBLISHED, call.contributions.len())?;
    let mut next = if head.versions == 0 {
        VersionRecord { licence: licence::ALL, ..Default::default() }
    } else {
        version_of(frame, datanet, head.versions)?
    };
    if head.versions == 0 && call.contributions.is_empty() {
        revert!(NoRows {});
    }
    let version = head.versions.saturating_add(1);
    let now = frame.now();
    let mut added = Vec::with_capacity(call.contributions.len());
    let mut roots = Vec::with_capacity(call.contributions.len());
    for &contribution in &call.contributions {
        let (slot, record) = contribution_of(frame, contribution)?;
        if record.datanet != datanet {
            revert!(WrongDatanet { contribution, datanet });
        }
        if record.since_version != 0 {
            revert!(AlreadyVersioned { contribution, version: record.since_version });
        }
        if record.expiry != 0 && now > record.expiry {
            revert!(LicenceExpired { contribution, expiry: record.expiry });
        }
        add(&mut next, contribution, &record);
        roots.push(record.root);
        added.push((slot, record));
    }
    let mut sorted = call.contributions.clone();
    sorted.sort_unstable();
    if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        revert!(AlreadyVersioned { contribution: pair[0], version });
    }
    frame.charge_keccak(32 * (roots.len() + 2))?;
    let previous = if head.versions == 0 { B256::ZERO } else { next.root };
    next.root = version_root(previous, &roots, call.clusterRoot);
    next.cluster_root = call.clusterRoot;
    next.clusters = call.clusters;
    next.published_at = now;
    for (slot, record) in added {
        update(frame, DATANETS, slot, &record, &ContributionRecord { since_version: version, ..record })?;
    }
    let slot = entry2(frame, VERSIONS_SLOT, U256::from(datanet), U256::from(version))?;
    store(frame, DATANETS, slot, &next)?;
    update(frame, DATANETS, datanet_slot, &head, &DatanetHead { versions: version, ..head })?;
    let event = VersionPublished {
        datanet,
        version,
        root: next.root,
        clusterRoot: call.clusterRoot,
        clusters: call.clusters,
        contributions: call.contributions.clone(),
    };
    frame.emit(DATANETS, &event)?;
    Ok(version)
}

/// Adds a contribution to what the version sums up.
fn add(version: &mut VersionRecord, contribution: u64, record: &ContributionRecord) {
    version.rows = version.rows.saturating_add(u64::from(record.rows));
    version.contributions = version.contributions.saturating_add(1);
    version.licence &= record.licence;
    if record.licence & licence::TRAIN == 0 && version.forbids_training == 0 {
        version.forbids_training = contribution;
    }
    if record.licence & licence::SERVE == 0 && version.forbids_serving == 0 {
        version.forbids_serving = contribution;
    }
    if record.expiry != 0 && (version.expiry == 0 || record.expiry < version.expiry) {
        version.expiry = record.expiry;
        version.first_to_expire = contribution;
    }
}

pub(super) fn show(record: &VersionRecord) -> openledger_abi::IDatanets::Version {
    openledger_abi::IDatanets::Version {
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
