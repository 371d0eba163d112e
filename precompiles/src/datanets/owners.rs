//! Who owns a contribution, now and at any receipt: sets of owners that never change, one after the other.

use super::contributions::contribution_of;
use super::earnings::draw;
use super::layout::*;
use super::registry::{check_parties, move_balance, only_contribution_token};
use crate::attribution::receipt_count;
use crate::frame::{Frame, Result, entry, entry2, load, revert, store, update};
use alloy_primitives::{Address, U256};
use openledger_abi::DATANETS;
use openledger_abi::IDatanets::*;
use openledger_shares::BPS;

/// The title holder first; in sum 10,000 basis points.
pub(crate) type Owners = Vec<OwnerShare>;

/// The owners of a contribution that is about to be revealed.
pub(super) fn check_co_owners(title: Address, others: &[OwnerShare]) -> Result<Owners> {
    if others.len() > MAX_CO_OWNERS {
        revert!(too_many(others.len()));
    }
    let mut sum = 0u32;
    for (index, other) in others.iter().enumerate() {
        sum = sum.saturating_add(u32::from(other.bps));
        let known = others.iter().take(index).any(|earlier| earlier.account == other.account);
        if other.account.is_zero() || other.account == title || known || other.bps == 0 || sum >= BPS {
            revert!(WrongOwnerShares { index: U256::from(index) });
        }
    }
    let mut owners = vec![OwnerShare { account: title, bps: (BPS - sum) as u16 }];
    owners.extend_from_slice(others);
    Ok(owners)
}

fn too_many(given: usize) -> TooManyOwners {
    TooManyOwners { maximum: U256::from(MAX_CO_OWNERS), given: U256::from(given) }
}

/// Stores a new set.
pub(super) fn store_set(
    frame: &mut Frame<'_>,
    contribution: u64,
    set: u32,
    since_receipt: u64,
    owners: &Owners,
) -> Result<()> {
    let Some((title, others)) = owners.split_first() else { return Ok(()) };
    let slot = entry2(frame, OWNER_SETS_SLOT, U256::from(contribution), U256::from(set))?;
    let head = OwnerSetHead {
        title: title.account,
        title_bps: title.bps,
        co_owners: others.len() as u8,
        since_receipt,
    };
    store(frame, DATANETS, slot, &head)?;
    for (index, other) in others.iter().enumerate() {
        let record = CoOwner { account: other.account, bps: other.bps };
        store(frame, DATANETS, slot.wrapping_add(U256::from(index + 1)), &record)?;
    }
    Ok(())
}

fn load_head(frame: &mut Frame<'_>, sets: U256, set: u32) -> Result<(U256, OwnerSetHead)> {
    let slot = entry(frame, sets, U256::from(set))?;
    Ok((slot, load(frame, DATANETS, slot)?))
}

fn load_set(frame: &mut Frame<'_>, contribution: u64, set: u32) -> Result<Owners> {
    let sets = entry(frame, OWNER_SETS_SLOT, U256::from(contribution))?;
    let (slot, head) = load_head(frame, sets, set)?;
    let mut owners = vec![OwnerShare { account: head.title, bps: head.title_bps }];
    for index in 1..=head.co_owners {
        let other: CoOwner = load(frame, DATANETS, slot.wrapping_add(U256::from(index)))?;
        owners.push(OwnerShare { account: other.account, bps: other.bps });
    }
    Ok(owners)
}

/// How many sets a contribution that exists has had.
fn sets_of(frame: &mut Frame<'_>, contribution: u64) -> Result<u32> {
    let slot = entry(frame, CONTRIBUTIONS_SLOT, U256::from(contribution))?;
    let standing: ContributionStanding = load(frame, DATANETS, slot.wrapping_add(CONTRIBUTION_STANDING))?;
    if standing.sets == 0 {
        revert!(UnknownContribution { contribution });
    }
    Ok(standing.sets)
}

/// Who owns it now.
pub(crate) fn current_owners(frame: &mut Frame<'_>, contribution: u64) -> Result<Owners> {
    let sets = sets_of(frame, contribution)?;
    load_set(frame, contribution, sets.saturating_sub(1))
}

/// Who owned it when receipt number `receipt` was settled: found by halving, for the sets' receipts never decrease.
pub(crate) fn owners_at(frame: &mut Frame<'_>, contribution: u64, receipt: u64) -> Result<Owners> {
    let count = sets_of(frame, contribution)?;
    let sets = entry(frame, OWNER_SETS_SLOT, U256::from(contribution))?;
    // The set is `low` or later, and before `high`.
    let (mut low, mut high) = (0, count.max(1));
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if load_head(frame, sets, middle)?.1.since_receipt < receipt {
            low = middle;
        } else {
            high = middle;
        }
    }
    load_set(frame, contribution, low)
}

/// Makes `owners` the owners from the next receipt on. What was earned before has been drawn.
fn replace(
    frame: &mut Frame<'_>,
    contribution: u64,
    slot: U256,
    old: &ContributionRecord,
    owners: &Owners,
) -> Result<u32> {
    let set = old.sets;
    let owner = owners.first().map_or(old.owner, |title| title.account);
    update(frame, DATANETS, slot, old, &ContributionRecord { owner, sets: set.saturating_add(1), ..*old })?;
    let since = receipt_count(frame)?;
    store_set(frame, contribution, set, since, owners)?;
    Ok(set)
}

pub(super) fn transfer(frame: &mut Frame<'_>, from: Address, to: Address, contribution: u64) -> Result<()> {
    only_contribution_token(frame)?;
    let (slot, old) = contribution_of(frame, contribution)?;
    check_parties(old.owner, from, to)?;
    draw(frame, contribution)?;
    let mut owners = current_owners(frame, contribution)?;
    if let Some(title) = owners.first_mut() {
        title.account = to;
    }
    if let Some(index) = owners.iter().skip(1).position(|other| other.account == to) {
        let part = owners.remove(index + 1).bps;
        if let Some(title) = owners.first_mut() {
            title.bps = title.bps.saturating_add(part);
        }
    }
    let set = replace(frame, contribution, slot, &old, &owners)?;
    move_balance(frame, CONTRIBUTION_BALANCES_SLOT, from, to)?;
    frame.emit(DATANETS, &ContributionTransferred { contribution, from, to })?;
    frame.emit(DATANETS, &OwnersSet { contribution, set, owners })
}

pub(super) fn transfer_share(frame: &mut Frame<'_>, contribution: u64, to: Address, bps: u16) -> Result<()> {
    let (slot, old) = contribution_of(frame, contribution)?;
    if to.is_zero() {
        revert!(ZeroAddress {});
    }
    let mut owners = current_owners(frame, contribution)?;
    let caller = frame.caller();
    let giver = owners.iter_mut().find(|owner| owner.account == caller);
    let held = giver.as_ref().map_or(0, |owner| owner.bps);
    let Some(giver) = giver.filter(|_| bps != 0 && bps <= held) else {
        revert!(ShareTooSmall { held, asked: bps });
    };
    giver.bps -= bps;
    match owners.iter_mut().find(|owner| owner.account == to) {
        Some(owner) => owner.bps = owner.bps.saturating_add(bps),
        None => owners.push(OwnerShare { account: to, bps }),
    }
    let title = old.owner;
    owners.retain(|owner| owner.bps != 0 || owner.account == title);
    if owners.len() > MAX_CO_OWNERS + 1 {
        revert!(too_many(owners.len() - 1));
    }
    draw(frame, contribution)?;
    let set = replace(frame, contribution, slot, &old, &owners)?;
    frame.emit(DATANETS, &OwnersSet { contribution, set, owners })
}
