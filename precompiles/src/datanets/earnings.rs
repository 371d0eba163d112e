//! What a contribution earns: accrued in one slot at settlement, drawn by whoever owns it at the time.

use super::layout::*;
use super::owners::{Owners, current_owners};
use crate::frame::{Frame, Record, Result, load, revert, update};
use crate::payouts::credit;
use alloy_primitives::aliases::{U40, U96};
use alloy_primitives::{Address, U256};
use openledger_abi::IDatanets::UnknownContribution;
use openledger_abi::IPayouts::Drawn;
use openledger_abi::{DATANETS, PAYOUTS};
use openledger_shares::BPS;

/// The slot of a contribution's earner: an element of one array, so that finding it hashes nothing and neighbours lie
/// together. A number that the array does not have names no contribution.
pub(super) fn earner_slot(contribution: u64) -> Result<U256> {
    if contribution >= MAX_CONTRIBUTIONS {
        return unknown_contribution(contribution);
    }
    Ok(EARNERS_SLOT.wrapping_add(U256::from(contribution)))
}

/// The refusal of a number that names no contribution.
pub(crate) fn unknown_contribution<T>(contribution: u64) -> Result<T> {
    revert!(UnknownContribution { contribution })
}

/// Slot and earner of a contribution that exists.
pub(crate) fn earner_of(frame: &mut Frame<'_>, contribution: u64) -> Result<(U256, Earner)> {
    let slot = earner_slot(contribution)?;
    let earner: Earner = load(frame, DATANETS, slot)?;
    if earner.rows.is_zero() { unknown_contribution(contribution) } else { Ok((slot, earner)) }
}

/// The earners of some contributions; less of them where a number is too great to name one.
pub(crate) fn earners_of(
    frame: &mut Frame<'_>,
    contributions: impl Iterator<Item = u64>,
) -> Result<Vec<Earner>> {
    let mut earners = Vec::new();
    let slots = contributions.map_while(|contribution| earner_slot(contribution).ok());
    frame.sload_each(DATANETS, slots, |word| earners.push(Earner::unpack(&[word])))?;
    Ok(earners)
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

/// What a contribution that exists gets, and its earner as it was found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Income {
    pub(crate) contribution: u64,
    pub(crate) earner: Earner,
    pub(crate) wei: U256,
}

impl Income {
    /// The earner with the income. Where 96 bits would not hold the sum, none of it: all is to be drawn at once.
    fn accrued(&self, paid_inline: bool) -> (Earner, Option<U256>) {
        let sum = U256::from(self.earner.accrued).saturating_add(self.wei);
        let mut changed = self.earner;
        if paid_inline {
            changed.receipts = changed.receipts.saturating_add(U40::ONE);
        }
        let fits = sum <= U256::from(U96::MAX);
        changed.accrued = if fits { sum.wrapping_to() } else { U96::ZERO };
        (changed, (!fits).then_some(sum))
    }
}

/// Adds to what contributions have accrued, each of them once. `paid_inline` counts a receipt for each.
pub(crate) fn accrue_each(frame: &mut Frame<'_>, incomes: &[Income], paid_inline: bool) -> Result<()> {
    let (mut changes, mut overflows) = (Vec::with_capacity(incomes.len()), Vec::new());
    for income in incomes {
        let (changed, overflow) = income.accrued(paid_inline);
        if changed != income.earner {
            let [word] = changed.pack();
            changes.push((earner_slot(income.contribution)?, word));
        }
        overflows.extend(overflow.map(|wei| (income.contribution, wei)));
    }
    frame.sstore_each(DATANETS, changes)?;
    overflows.into_iter().try_for_each(|(contribution, wei)| pay_owners(frame, contribution, wei))
}

/// The same for one, which is not paid inline.
pub(super) fn accrue(frame: &mut Frame<'_>, contribution: u64, wei: U256) -> Result<()> {
    let (_, earner) = earner_of(frame, contribution)?;
    accrue_each(frame, &[Income { contribution, earner, wei }], false)
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
