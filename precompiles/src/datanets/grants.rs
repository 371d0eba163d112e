//! Grants to single accounts, their revocation, and licences withdrawn from everyone.

use super::contributions::{contribution_of, owned_contribution};
use super::earnings::accrue;
use super::layout::*;
use super::licences::{all_as_zero, sooner};
use super::registry::{datanet_head, known_uses};
use crate::attribution::limit_model;
use crate::frame::{Frame, Result, entry, entry2, load, load_elements, revert, store_elements, update};
use alloy_primitives::{Address, U256};
use openledger_abi::IDatanets::{self, *};
use openledger_abi::{DATANETS, PAYOUTS};

pub(super) fn find_grant(
    frame: &mut Frame<'_>,
    contribution: u64,
    grantee: Address,
) -> Result<(U256, GrantRecord)> {
    let slot = entry2(frame, GRANTS_SLOT, U256::from(contribution), grantee.into_word())?;
    Ok((slot, load(frame, DATANETS, slot)?))
}

const fn zero_as_all(bits: u32) -> u32 {
    if bits == 0 { u32::MAX } else { bits }
}

fn replace(
    frame: &mut Frame<'_>,
    contribution: u64,
    grantee: Address,
    terms: IDatanets::Grant,
    paid: U256,
) -> Result<()> {
    let (slot, old) = find_grant(frame, contribution, grantee)?;
    let new = GrantRecord {
        until: terms.until,
        purposes: zero_as_all(terms.purposes),
        regions: zero_as_all(terms.regions),
        uses: terms.uses,
        models: old.models,
    };
    update(frame, DATANETS, slot, &old, &new)?;
    frame.emit(DATANETS, &Granted { contribution, grantee, terms, paid })
}

pub(super) fn grant(frame: &mut Frame<'_>, call: grantCall) -> Result<()> {
    let grantCall { contribution, grantee, terms } = call;
    owned_contribution(frame, contribution)?;
    if grantee.is_zero() {
        revert!(ZeroAddress {});
    }
    if terms.uses == 0 {
        revert!(EmptyGrant {});
    }
    known_uses(terms.uses)?;
    if terms.until != 0 && frame.now() > terms.until {
        revert!(LicenceExpired { contribution, expiry: terms.until });
    }
    replace(frame, contribution, grantee, terms, U256::ZERO)
}

pub(super) fn buy(frame: &mut Frame<'_>, contribution: u64) -> Result<()> {
    let (_, record) = contribution_of(frame, contribution)?;
    let until = sooner(record.expiry, record.withdrawn_after);
    let erased = record.status == ContributionStatus::Tombstoned as u8;
    if record.fee == 0 || record.uses == 0 || erased || (until != 0 && frame.now() > until) {
        revert!(NotForSale { contribution });
    }
    let (required, given) = (U256::from(record.fee), frame.value());
    if given != required {
        revert!(WrongFee { required, given });
    }
    let terms =
        IDatanets::Grant { uses: record.uses, purposes: record.purposes, regions: record.regions, until };
    let grantee = frame.caller();
    replace(frame, contribution, grantee, terms, given)?;
    accrue(frame, contribution, given)?;
    frame.pay(DATANETS, PAYOUTS, given)
}

/// The second that the caller names, or the one before now: what ends at once.
fn last_valid(frame: &Frame<'_>, asked: u64) -> u64 {
    if asked >= frame.now() { asked } else { frame.now().saturating_sub(1) }
}

pub(super) fn revoke(frame: &mut Frame<'_>, call: &revokeGrantCall) -> Result<()> {
    let &revokeGrantCall { contribution, grantee, model, purposes, lastValid } = call;
    owned_contribution(frame, contribution)?;
    let (slot, old) = find_grant(frame, contribution, grantee)?;
    if old.uses == 0 {
        revert!(UnknownGrant { contribution, grantee });
    }
    let last = last_valid(frame, lastValid);
    let mut new = old;
    if model == 0 && (purposes == 0 || old.purposes & !purposes == 0) {
        new.until = sooner(old.until, last);
    } else if model == 0 {
        new.purposes &= !purposes;
    }
    update(frame, DATANETS, slot, &old, &new)?;
    let event = GrantRevoked { contribution, grantee, model, purposes, lastValid: last };
    frame.emit(DATANETS, &event)?;
    for user in users(frame, contribution, grantee, old.models)? {
        if model == 0 || user == model {
            limit_model(frame, user, purposes, last, contribution)?;
        }
    }
    Ok(())
}

/// The models that rely on a grant.
fn users(frame: &mut Frame<'_>, contribution: u64, grantee: Address, count: u8) -> Result<Vec<u64>> {
    let list = entry2(frame, GRANT_MODELS_SLOT, U256::from(contribution), grantee.into_word())?;
    load_elements(frame, DATANETS, list, 0, u64::from(count).min(MAX_GRANT_MODELS as u64))
}

/// Records that a model relies on a grant; false when as many do as may.
pub(crate) fn rely(frame: &mut Frame<'_>, contribution: u64, grantee: Address, model: u64) -> Result<bool> {
    let (slot, old) = find_grant(frame, contribution, grantee)?;
    if usize::from(old.models) >= MAX_GRANT_MODELS {
        return Ok(false);
    }
    update(frame, DATANETS, slot, &old, &GrantRecord { models: old.models + 1, ..old })?;
    let list = entry2(frame, GRANT_MODELS_SLOT, U256::from(contribution), grantee.into_word())?;
    store_elements(frame, DATANETS, list, u64::from(old.models), &[model])?;
    Ok(true)
}

pub(super) fn grant_of(frame: &mut Frame<'_>, contribution: u64, grantee: Address) -> Result<grantOfReturn> {
    contribution_of(frame, contribution)?;
    let (_, record) = find_grant(frame, contribution, grantee)?;
    let terms = IDatanets::Grant {
        uses: record.uses,
        purposes: all_as_zero(record.purposes),
        regions: all_as_zero(record.regions),
        until: record.until,
    };
    Ok(grantOfReturn { terms, models: record.models })
}

pub(super) fn withdraw(frame: &mut Frame<'_>, contribution: u64, asked: u64) -> Result<()> {
    let (slot, old) = owned_contribution(frame, contribution)?;
    if old.flags & REVOCABLE == 0 {
        revert!(NotRevocable { contribution });
    }
    if old.withdrawn_after != 0 {
        revert!(AlreadyWithdrawn { contribution });
    }
    let last = last_valid(frame, asked);
    update(frame, DATANETS, slot, &old, &ContributionRecord { withdrawn_after: last, ..old })?;
    let datanet = old.datanet;
    let (slot, head) = datanet_head(frame, datanet)?;
    let list = entry(frame, WITHDRAWALS_SLOT, U256::from(datanet))?;
    store_elements(frame, DATANETS, list, u64::from(head.withdrawals), &[contribution])?;
    let counted = DatanetHead { withdrawals: head.withdrawals.saturating_add(1), ..head };
    update(frame, DATANETS, slot, &head, &counted)?;
    frame.emit(DATANETS, &LicenceWithdrawn { contribution, datanet, lastValid: last })
}

/// `count` of the contributions of a Datanet whose licences were withdrawn, from `start` on, in the order of withdrawal.
pub(crate) fn withdrawals(frame: &mut Frame<'_>, datanet: u64, start: u32, count: u64) -> Result<Vec<u64>> {
    let list = entry(frame, WITHDRAWALS_SLOT, U256::from(datanet))?;
    load_elements(frame, DATANETS, list, u64::from(start), count)
}
