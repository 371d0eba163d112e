//! What a licence, or a grant, permits now.

use super::contributions::contribution_of;
use super::grants::find_grant;
use super::layout::*;
use crate::frame::{Frame, Result};
use alloy_primitives::Address;
use openledger_abi::IDatanets::permitsReturn;

/// A use that is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) r#use: u16,
    /// What the model is for; 0 means any purpose.
    pub(crate) purposes: u32,
    /// Where; 0 means anywhere.
    pub(crate) regions: u32,
    /// The model is under the duty of share-alike licences.
    pub(crate) share_alike: bool,
}

/// Where a permission comes from, and the last second at which it holds; 0 without end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Permission {
    /// The licence itself permits it to everyone.
    Open(u64),
    /// A grant permits it.
    Granted(u64),
}

impl Permission {
    pub(crate) const fn until(self) -> u64 {
        match self {
            Self::Open(until) | Self::Granted(until) => until,
        }
    }
}

/// The sooner end, where 0 is none.
pub(crate) const fn sooner(a: u64, b: u64) -> u64 {
    if a == 0 || (b != 0 && b < a) { b } else { a }
}

/// Nothing is asked for beyond the limit; 0 as a limit means all, 0 as what is asked means any.
const fn within(asked: u32, limit: u32) -> bool {
    limit == 0 || (asked != 0 && asked & !limit == 0)
}

const fn holds(until: u64, now: u64) -> bool {
    until == 0 || now <= until
}

/// What the public terms say.
pub(crate) fn open(record: &ContributionRecord, asked: &Asked, now: u64) -> Option<Permission> {
    let until = sooner(record.expiry, record.withdrawn_after);
    let permitted = record.uses & asked.r#use == asked.r#use
        && record.fee == 0
        && holds(until, now)
        && within(asked.purposes, record.purposes)
        && within(asked.regions, record.regions)
        && (asked.share_alike || record.flags & SHARE_ALIKE == 0);
    permitted.then_some(Permission::Open(until))
}

/// What an account was granted.
pub(crate) fn granted(
    frame: &mut Frame<'_>,
    contribution: u64,
    account: Address,
    asked: &Asked,
) -> Result<Option<Permission>> {
    let (_, grant) = find_grant(frame, contribution, account)?;
    let permitted = grant.uses & asked.r#use == asked.r#use
        && grant.uses != 0
        && holds(grant.until, frame.now())
        && within(asked.purposes, all_as_zero(grant.purposes))
        && within(asked.regions, all_as_zero(grant.regions));
    Ok(permitted.then_some(Permission::Granted(grant.until)))
}

/// Stored bit sets have every bit set for "all"; shown ones are 0.
pub(super) const fn all_as_zero(bits: u32) -> u32 {
    if bits == u32::MAX { 0 } else { bits }
}

/// Whether an account may use a contribution, by its licence or else by a grant.
pub(crate) fn permission(
    frame: &mut Frame<'_>,
    contribution: u64,
    account: Address,
    asked: &Asked,
) -> Result<Option<Permission>> {
    let (_, record) = contribution_of(frame, contribution)?;
    match open(&record, asked, frame.now()) {
        Some(permission) => Ok(Some(permission)),
        None => granted(frame, contribution, account, asked),
    }
}

pub(super) fn permits(
    frame: &mut Frame<'_>,
    contribution: u64,
    account: Address,
    asked: &Asked,
) -> Result<permitsReturn> {
    let permission = permission(frame, contribution, account, asked)?;
    let until = permission.map_or(0, Permission::until);
    Ok(permitsReturn { permitted: permission.is_some(), until })
}
