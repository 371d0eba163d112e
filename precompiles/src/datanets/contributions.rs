//! Contributions: what there is of each, and what anyone may read.

use super::layout::*;
use super::roles::only_moderator;
use crate::frame::{Frame, Result, entry, load, revert};
use alloy_primitives::U256;
use openledger_abi::DATANETS;
use openledger_abi::IDatanets::{self, *};

/// Slot and record of a contribution that exists.
pub(crate) fn contribution_of(
    frame: &mut Frame<'_>,
    contribution: u64,
) -> Result<(U256, ContributionRecord)> {
    let slot = entry(frame, CONTRIBUTIONS_SLOT, U256::from(contribution))?;
    let record: ContributionRecord = load(frame, DATANETS, slot)?;
    if record.owner.is_zero() {
        revert!(UnknownContribution { contribution });
    }
    Ok((slot, record))
}

/// The same, of the caller's own.
pub(super) fn owned_contribution(
    frame: &mut Frame<'_>,
    contribution: u64,
) -> Result<(U256, ContributionRecord)> {
    let (slot, record) = contribution_of(frame, contribution)?;
    let (owner, account) = (record.owner, frame.caller());
    if owner != account {
        revert!(NotOwner { owner, account });
    }
    Ok((slot, record))
}

/// The same, in a Datanet that the caller moderates.
pub(super) fn moderated(frame: &mut Frame<'_>, contribution: u64) -> Result<(U256, ContributionRecord)> {
    let (slot, record) = contribution_of(frame, contribution)?;
    only_moderator(frame, record.datanet)?;
    Ok((slot, record))
}

pub(super) const fn status(raw: u8) -> ContributionStatus {
    match raw {
        1 => ContributionStatus::Approved,
        2 => ContributionStatus::Rejected,
        3 => ContributionStatus::Challenged,
        4 => ContributionStatus::Tombstoned,
        _ => ContributionStatus::Pending,
    }
}

pub(super) fn show(frame: &mut Frame<'_>, contribution: u64) -> Result<IDatanets::Contribution> {
    let (_, record) = contribution_of(frame, contribution)?;
    Ok(IDatanets::Contribution {
        owner: record.owner,
        datanet: record.datanet,
        rows: record.rows,
        licence: record.uses,
        expiry: record.expiry,
        root: record.root,
        priority: record.priority,
        sinceVersion: record.since_version,
        status: status(record.status),
    })
}

pub(super) fn terms_of(frame: &mut Frame<'_>, contribution: u64) -> Result<Terms> {
    let (_, record) = contribution_of(frame, contribution)?;
    Ok(Terms {
        uses: record.uses,
        purposes: record.purposes,
        regions: record.regions,
        expiry: record.expiry,
        fee: record.fee,
        shareAlike: record.flags & SHARE_ALIKE != 0,
        revocable: record.flags & REVOCABLE != 0,
    })
}

pub(super) fn end_of(frame: &mut Frame<'_>, contribution: u64) -> Result<endOfReturn> {
    let (_, record) = contribution_of(frame, contribution)?;
    Ok(endOfReturn { withdrawnAfter: record.withdrawn_after, tombstonedAt: record.tombstoned_at })
}

/// A row that exists.
pub(super) fn row_of(frame: &mut Frame<'_>, at: &RowRef) -> Result<ContributionRecord> {
    let &RowRef { contribution, row } = at;
    let (_, record) = contribution_of(frame, contribution)?;
    if row >= record.rows {
        revert!(RowOutOfRange { contribution, row });
    }
    Ok(record)
}
