//! Bonds: what an attestor loses when its word is wrong, held while that can be shown.
//!
//! Locks form a queue, since every receipt holds for the same time. Each settlement and unbonding first releases up to
//! [`MAX_RELEASED`] that have run out: more than one settlement adds, so the queue cannot outgrow its releases. It goes
//! on only while the bond would not suffice, so that nothing is refused because of a lock that has run out.

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

impl Bond {
    fn free(&self) -> U256 {
        self.total.saturating_sub(self.locked)
    }
}

/// The bond without its first locks that have run out, and the slots of those. Stops when `enough` says so of the bond
/// and the number of locks.
fn released(
    frame: &mut Frame<'_>,
    attestor: Address,
    bond: &Bond,
    enough: impl Fn(&Bond, usize) -> bool,
) -> Result<(Bond, Vec<U256>)> {
    let (mut bond, mut slots) = (*bond, Vec::new());
    while bond.head < bond.tail && !enough(&bond, slots.len()) {
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

/// The bond with at least `required` wei free, and the slots of the locks to clear for it.
fn with_free(
    frame: &mut Frame<'_>,
    attestor: Address,
    bond: &Bond,
    required: U256,
) -> Result<(Bond, Vec<U256>)> {
    let enough = |bond: &Bond, count| count >= MAX_RELEASED && bond.free() >= required;
    let (bond, slots) = released(frame, attestor, bond, enough)?;
    if required > bond.free() {
        revert!(BondTooSmall { free: bond.free(), required });
    }
    Ok((bond, slots))
}

fn clear(frame: &mut Frame<'_>, slots: &[U256]) -> Result<()> {
    slots.iter().try_for_each(|slot| store(frame, ATTRIBUTION, *slot, &Lock::default()))
}

/// Total and locked wei; a longer queue than anyone has is cut short, so that reading it stays affordable.
pub(super) fn bond_of(frame: &mut Frame<'_>, attestor: Address) -> Result<(U256, U256)> {
    let (_, bond) = find(frame, attestor)?;
    let (bond, _) = released(frame, attestor, &bond, |_, count| count >= MAX_SHOWN)?;
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
    let (mut bond, gone) = with_free(frame, attestor, &old, amount)?;
    bond.total = bond.total.saturating_sub(amount);
    clear(frame, &gone)?;
    update(frame, ATTRIBUTION, slot, &old, &bond)?;
    frame.emit(ATTRIBUTION, &Unbonded { attestor, amount, total: bond.total })?;
    frame.pay(ATTRIBUTION, attestor, amount)
}

/// Holds `wei` of the attestor's bond for the challenge window.
pub(super) fn lock(frame: &mut Frame<'_>, attestor: Address, wei: U256) -> Result<()> {
    let (slot, old) = find(frame, attestor)?;
    let (mut bond, gone) = with_free(frame, attestor, &old, wei)?;
    clear(frame, &gone)?;
    if !wei.is_zero() {
        // Part of a fee, which is below 2^128.
        let amount = wei.saturating_to();
        let release_at = frame.now().saturating_add(globals(frame)?.challenge_window);
        let lock_slot = entry2(frame, LOCKS_SLOT, attestor.into_word(), U256::from(bond.tail))?;
        store(frame, ATTRIBUTION, lock_slot, &Lock { amount, release_at })?;
        bond.locked = bond.locked.saturating_add(wei);
        bond.tail += 1;
    }
    update(frame, ATTRIBUTION, slot, &old, &bond)
}
