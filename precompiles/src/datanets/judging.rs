//! Approved, rejected, challenged, erased: what becomes of a contribution.

use super::contributions::{contribution_of, moderated, status};
use super::earnings;
use super::layout::*;
use super::registry::{bound, globals};
use super::roles::{is_curator, is_moderator, only_curator};
use crate::frame::{Frame, Result, entry, load, revert, store, update};
use crate::payouts;
use alloy_primitives::{Address, U256};
use openledger_abi::DATANETS;
use openledger_abi::IDatanets::{ContributionStatus as Status, *};

/// Reverts unless the contribution's status is one of these.
fn expect(contribution: u64, record: &ContributionRecord, allowed: &[Status]) -> Result<()> {
    let status = status(record.status);
    if !allowed.contains(&status) {
        revert!(WrongStatus { contribution, status });
    }
    Ok(())
}

/// The value is the deposit that commitments and challenges cost.
pub(super) fn check_deposit(frame: &mut Frame<'_>) -> Result<U256> {
    let (required, given) = (globals(frame)?.commit_deposit, frame.value());
    if given != required {
        revert!(WrongDeposit { required, given });
    }
    Ok(given)
}

fn set(
    frame: &mut Frame<'_>,
    contribution: u64,
    found: &(U256, ContributionRecord),
    to: Status,
    reason: &str,
) -> Result<()> {
    let (slot, old) = found;
    let mut new = ContributionRecord { status: to as u8, ..*old };
    if to == Status::Tombstoned {
        new.tombstoned_at = frame.now();
        earnings::change(frame, contribution, |earner| Earner { flags: earner.flags | ERASED, ..earner })?;
    }
    update(frame, DATANETS, *slot, old, &new)?;
    let by = frame.caller();
    frame.emit(DATANETS, &StatusSet { contribution, status: to, by, reason: reason.to_owned() })
}

pub(super) fn approve(frame: &mut Frame<'_>, contribution: u64) -> Result<()> {
    let found = contribution_of(frame, contribution)?;
    only_curator(frame, found.1.datanet)?;
    expect(contribution, &found.1, &[Status::Pending])?;
    set(frame, contribution, &found, Status::Approved, "")
}

pub(super) fn reject(frame: &mut Frame<'_>, contribution: u64, reason: &str) -> Result<()> {
    bound(MAX_REASON, reason.len())?;
    let found = contribution_of(frame, contribution)?;
    let (datanet, account) = (found.1.datanet, frame.caller());
    if !is_curator(frame, datanet, account)? && !is_moderator(frame, datanet, account)? {
        revert!(NotModerator { datanet, account });
    }
    expect(contribution, &found.1, &[Status::Pending, Status::Approved])?;
    if found.1.since_version != 0 {
        revert!(AlreadyVersioned { contribution, version: found.1.since_version });
    }
    set(frame, contribution, &found, Status::Rejected, reason)
}

pub(super) fn challenge(frame: &mut Frame<'_>, contribution: u64, reason: &str) -> Result<()> {
    bound(MAX_REASON, reason.len())?;
    let found = contribution_of(frame, contribution)?;
    let deposit = check_deposit(frame)?;
    expect(contribution, &found.1, &[Status::Pending, Status::Approved])?;
    let challenger = frame.caller();
    let slot = entry(frame, CHALLENGES_SLOT, U256::from(contribution))?;
    store(frame, DATANETS, slot, &ChallengeRecord { challenger, deposit })?;
    let event = ContributionChallenged { contribution, challenger, deposit, reason: reason.to_owned() };
    frame.emit(DATANETS, &event)?;
    set(frame, contribution, &found, Status::Challenged, reason)
}

/// Takes the challenge of a contribution away.
fn end_challenge(frame: &mut Frame<'_>, contribution: u64) -> Result<ChallengeRecord> {
    let slot = entry(frame, CHALLENGES_SLOT, U256::from(contribution))?;
    let challenge = load(frame, DATANETS, slot)?;
    store(frame, DATANETS, slot, &ChallengeRecord::default())?;
    Ok(challenge)
}

/// Says how a challenge ended and pays its deposit to `to`.
fn return_deposit(
    frame: &mut Frame<'_>,
    contribution: u64,
    upheld: bool,
    to: Address,
    deposit: U256,
) -> Result<()> {
    frame.emit(DATANETS, &ChallengeResolved { contribution, upheld, depositTo: to, deposit })?;
    frame.pay(DATANETS, to, deposit)
}

pub(super) fn resolve(frame: &mut Frame<'_>, contribution: u64, upheld: bool, reason: &str) -> Result<()> {
    bound(MAX_REASON, reason.len())?;
    let found = moderated(frame, contribution)?;
    expect(contribution, &found.1, &[Status::Challenged])?;
    let challenge = end_challenge(frame, contribution)?;
    let to = match (upheld, found.1.since_version) {
        (false, _) => Status::Approved,
        (true, 0) => Status::Rejected,
        (true, _) => Status::Tombstoned,
    };
    set(frame, contribution, &found, to, reason)?;
    let receiver = if upheld { challenge.challenger } else { payouts::platform(frame)? };
    return_deposit(frame, contribution, upheld, receiver, challenge.deposit)
}

pub(super) fn tombstone(frame: &mut Frame<'_>, contribution: u64, reason: &str) -> Result<()> {
    bound(MAX_REASON, reason.len())?;
    let found = contribution_of(frame, contribution)?;
    let (datanet, account) = (found.1.datanet, frame.caller());
    if found.1.owner != account && !is_moderator(frame, datanet, account)? {
        revert!(NotModerator { datanet, account });
    }
    use Status::*;
    expect(contribution, &found.1, &[Pending, Approved, Rejected, Challenged])?;
    let challenged = found.1.status == Challenged as u8;
    set(frame, contribution, &found, Tombstoned, reason)?;
    if !challenged {
        return Ok(());
    }
    let challenge = end_challenge(frame, contribution)?;
    return_deposit(frame, contribution, true, challenge.challenger, challenge.deposit)
}
