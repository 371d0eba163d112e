//! What a contribution earns: accrued in one slot at settlement, drawn by whoever owns it at the time.

use super::layout::*;
use super::owners::{Owners, current_owners};
use crate::frame::{Frame, Result, entry, load, revert, update};
use crate::payouts::credit;
use alloy_primitives::aliases::U96;
use alloy_primitives::{Address, U256};
use openledger_abi::IDatanets::UnknownContribution;
use openledger_abi::IPayouts::Drawn;
use openledger_abi::{DATANETS, PAYOUTS};
use openledger_shares::BPS;

/// Slot and earner of a contribution that exists.
pub(crate) fn earner_of(frame: &mut Frame<'_>, contribution: u64) -> Result<(U256, Earner)> {
    let slot = entry(frame, EARNERS_SLOT, U256::from(contribution))?;
    let earner: Earner = load(frame, DATANETS, slot)?;
    if earner.rows.is_zero() {
        revert!(UnknownContribution { contribution });
    }
    Ok((slot, earner))
}

/// Changes what settlement knows of a contribution.
pub(super) fn change(
    frame: &mut Frame<'_>,
    contribution: u64,
    with: impl FnOnce(Earner) -> Earner,
) -> Result<()> {
    let (slot, earner) = earner_of(frame, contribution)?;
    update(frame, DATANETS, slot, &earner, &with(earner))
}

/// Adds to what a contribution has accrued. `paid_inline` counts a receipt. Where 96 bits would not hold the sum, it is
/// drawn at once.
pub(crate) fn accrue(
    frame: &mut Frame<'_>,
    contribution: u64,
    found: (U256, Earner),
    wei: U256,
    paid_inline: bool,
) -> Result<()> {
    let (slot, earner) = found;
    let sum = U256::from(earner.accrued).saturating_add(wei);
    let mut changed = earner;
    if paid_inline {
        changed.receipts = earner.receipts.saturating_add(alloy_primitives::aliases::U40::ONE);
    }
    if sum <= U256::from(U96::MAX) {
        changed.accrued = sum.wrapping_to();
        return update(frame, DATANETS, slot, &earner, &changed);
    }
    changed.accrued = U96::ZERO;
    update(frame, DATANETS, slot, &earner, &changed)?;
    pay_owners(frame, contribution, sum)
}

/// What the contribution has accrued is owed to its owners from now on.
pub(crate) fn draw(frame: &mut Frame<'_>, contribution: u64) -> Result<U256> {
    let (slot, earner) = earner_of(frame, contribution)?;
    let amount = U256::from(earner.accrued);
    if amount.is_zero() {
        return Ok(amount);
    }
    update(frame, DATANETS, slot, &earner, &Earner { accrued: U96::ZERO, ..earner })?;
    pay_owners(frame, contribution, amount)?;
    Ok(amount)
}

fn pay_owners(frame: &mut Frame<'_>, contribution: u64, wei: U256) -> Result<()> {
    let owners = current_owners(frame, contribution)?;
    for (account, amount) in parts(&owners, wei) {
        credit(frame, account, amount)?;
        frame.emit(PAYOUTS, &Drawn { contribution, account, amount })?;
    }
    Ok(())
}

/// What each owner gets of an amount, without those that get nothing.
pub(crate) fn parts(owners: &Owners, wei: U256) -> Vec<(Address, U256)> {
    let (mut cumulative, mut paid) = (0u64, U256::ZERO);
    let mut parts = Vec::with_capacity(owners.len());
    for owner in owners {
        cumulative += u64::from(owner.bps);
        // Amounts are below 2^112: the product cannot overflow.
        let due = wei.saturating_mul(U256::from(cumulative)) / U256::from(BPS);
        if due > paid {
            parts.push((owner.account, due - paid));
        }
        paid = due;
    }
    parts
}
