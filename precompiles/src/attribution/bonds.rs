//! Bonds: what an attestor loses when its word is wrong, held while that can be shown.
//!
//! Locks form a queue, since every receipt holds for the same time. Each settlement and unbonding first releases up to
//! [`MAX_RELEASED`] that have run out: more than one settlement adds, so the queue cannot outgrow its releases.

use super::layout::*;
use super::models::globals;
use crate::frame::{Frame, Result, entry, entry2, load, revert, store, update};
use alloy_primitives::{Address, U256};
use openledger_abi::ATTRIBUTION;
use openledger_abi::IAttribution::*;

fn find(frame: &mut Frame<'_>, attestor: Address) -> Result<(U256, Bond)> {
    let slot = entry(frame, BONDS_SLOT, attestor.into_word())?;
    Ok((slot, load(frame, ATTRIBUTION, slot)?))
}

/// The bond without its first locks that have run out, and the slots of those.
fn released(frame: &mut Frame<'_>, attestor: Address, bond: &Bond) -> Result<(Bond, Vec<U256>)> {
    let (mut bond, mut slots) = (*bond, Vec::new());
    let last = bond.tail.min(bond.head.saturating_add(MAX_RELEASED));
    while bond.head < last {
        let slot = entry2(frame, LOCKS_SLOT, attestor.into_word(), U256::from(bond.head))?;
        let lock: Lock = load(frame, ATTRIBUTION, slot)?;
        if frame.now() < lock.release_at {
            break;
        }
        bond.locked = bond.locked.saturating_sub(U256::from(lock.amount));
        bond.head += 1;
        slots.push(slot);
    }
    Ok((bond, slots))
}

fn clear(frame: &mut Frame<'_>, slots: &[U256]) -> Result<()> {
    slots.iter().try_for_each(|slot| store(frame, ATTRIBUTION, *slot, &Lock::default()))
}

/// Total and locked wei, as a settlement now would find them.
pub(super) fn bond_of(frame: &mut Frame<'_>, attestor: Address) -> Result<(U256, U256)> {
    let (_, bond) = find(frame, attestor)?;
    let (bond, _) = released(frame, attestor, &bond)?;
    Ok((bond.total, bond.locked))
}

pub(super) fn bond(frame: &mut Frame<'_>) -> Result<()> {
    let (attestor, amount) = (frame.caller(), frame.value());
    let (slot, old) = find(frame, attestor)?;
    let total = old.total.saturating_add(amount);
    update(frame, ATTRIBUTION, slot, &old, &Bond { total, ..old })?;
    frame.emit(ATTRIBUTION, &Bonded { attestor, amount, total })
}

pub(super) fn unbond(frame: &mut Frame<'_>, amount: U256) -> Result<()> {
    let attestor = frame.caller();
    let (slot, old) = find(frame, attestor)?;
    let (mut bond, gone) = released(frame, attestor, &old)?;
    let free = bond.total.saturating_sub(bond.locked);
    if amount > free {
        revert!(BondTooSmall { free, required: amount });
    }
    bond.total = bond.total.saturating_sub(amount);
    clear(frame, &gone)?;
    update(frame, ATTRIBUTION, slot, &old, &bond)?;
    frame.emit(ATTRIBUTION, &Unbonded { attestor, amount, total: bond.total })?;
    frame.pay(ATTRIBUTION, attestor, amount)
}

/// Holds `wei` of the attestor's bond for the challenge window.
pub(super) fn lock(frame: &mut Frame<'_>, attestor: Address, wei: U256) -> Result<()> {
    let (slot, old) = find(frame, attestor)?;
    let (mut bond, gone) = released(frame, attestor, &old)?;
    let free = bond.total.saturating_sub(bond.locked);
    let amount = match u128::try_from(wei) {
        Ok(amount) if wei <= free => amount,
        _ => revert!(BondTooSmall { free, required: wei }),
    };
    clear(frame, &gone)?;
    if amount > 0 {
        let release_at = frame.now().saturating_add(globals(frame)?.challenge_window);
        let lock_slot = entry2(frame, LOCKS_SLOT, attestor.into_word(), U256::from(bond.tail))?;
        store(frame, ATTRIBUTION, lock_slot, &Lock { amount, release_at })?;
        bond.locked = bond.locked.saturating_add(wei);
        bond.tail += 1;
    }
    update(frame, ATTRIBUTION, slot, &old, &bond)
}
