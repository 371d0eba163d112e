//! Bonds: what an attestor loses when its word is wrong, held while that can be shown.
//!
//! Locks are summed up in buckets of time, a sixteenth of the challenge window each, in a ring: whatever an attestor
//! does, at most eighteen buckets hold something, and a settlement touches one.

use super::layout::*;
use super::models::globals;
use crate::frame::{Frame, Record, Result, entry, load, revert, update};
use alloy_primitives::{Address, U256};
use openledger_abi::ATTRIBUTION;
use openledger_abi::IAttribution::*;

/// The challenge window, cut into buckets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    now: u64,
    window: u64,
}

impl Clock {
    pub(super) fn of(frame: &mut Frame<'_>) -> Result<Self> {
        let globals = globals(frame)?;
        Ok(Self::at(frame.now(), &globals))
    }

    pub(super) const fn at(now: u64, globals: &Globals) -> Self {
        Self { now, window: globals.challenge_window }
    }

    /// The first second at which a receipt can be challenged no more.
    pub(super) const fn end_of(self, settled_at: u64) -> u64 {
        settled_at.saturating_add(self.window)
    }

    /// Seconds of a bucket.
    fn length(self) -> u64 {
        self.window.div_ceil(WINDOW_PARTS).max(1)
    }

    fn bucket(self, second: u64) -> u64 {
        second / self.length()
    }

    /// No receipt of the bucket can be challenged any more.
    fn has_run_out(self, bucket: u64) -> bool {
        let end = bucket.saturating_add(1).saturating_mul(self.length()).saturating_add(self.window);
        self.now.saturating_add(1) >= end
    }
}

fn find(frame: &mut Frame<'_>, attestor: Address) -> Result<(U256, Bond)> {
    let slot = entry(frame, BONDS_SLOT, attestor.into_word())?;
    Ok((slot, load(frame, ATTRIBUTION, slot)?))
}

/// The word of a bucket, and what it holds: nothing when the word is still of an earlier bucket.
fn find_bucket(frame: &mut Frame<'_>, attestor: Address, number: u64) -> Result<(U256, Bucket, u128)> {
    let ring = entry(frame, LOCKS_SLOT, attestor.into_word())?;
    let slot = ring.wrapping_add(U256::from(number % BUCKETS));
    let bucket: Bucket = load(frame, ATTRIBUTION, slot)?;
    let amount = if bucket.number == number { bucket.amount } else { 0 };
    Ok((slot, bucket, amount))
}

/// The bond without what has run out.
fn released(frame: &mut Frame<'_>, attestor: Address, clock: Clock, bond: &Bond) -> Result<Bond> {
    let mut bond = *bond;
    if bond.locked == bond.frozen {
        return Ok(bond);
    }
    if clock.has_run_out(bond.last) {
        bond.locked = bond.frozen;
        bond.first = bond.last.saturating_add(1);
        return Ok(bond);
    }
    // Ends at `last` at the latest, which has not run out.
    while clock.has_run_out(bond.first) {
        let (_, _, amount) = find_bucket(frame, attestor, bond.first)?;
        bond.locked = bond.locked.saturating_sub(amount);
        bond.first = bond.first.saturating_add(1);
    }
    Ok(bond)
}

/// The bond without what has run out, with at least `required` wei free.
fn with_free(
    frame: &mut Frame<'_>,
    attestor: Address,
    clock: Clock,
    old: &Bond,
    required: U256,
) -> Result<Bond> {
    let bond = released(frame, attestor, clock, old)?;
    let free = U256::from(bond.total.saturating_sub(bond.locked));
    if required > free {
        revert!(BondTooSmall { free, required });
    }
    Ok(bond)
}

pub(super) fn bond_of(frame: &mut Frame<'_>, attestor: Address) -> Result<bondOfReturn> {
    let (_, bond) = find(frame, attestor)?;
    let clock = Clock::of(frame)?;
    let bond = released(frame, attestor, clock, &bond)?;
    Ok(bondOfReturn { total: U256::from(bond.total), locked: U256::from(bond.locked) })
}

pub(super) fn bond(frame: &mut Frame<'_>) -> Result<()> {
    let (attestor, amount) = (frame.caller(), frame.value());
    let (slot, old) = find(frame, attestor)?;
    let total = old.total.saturating_add(amount.saturating_to());
    update(frame, ATTRIBUTION, slot, &old, &Bond { total, ..old })?;
    frame.emit(ATTRIBUTION, &Bonded { attestor, amount, total: U256::from(total) })
}

pub(super) fn unbond(frame: &mut Frame<'_>, amount: U256) -> Result<()> {
    let attestor = frame.caller();
    let (slot, old) = find(frame, attestor)?;
    let clock = Clock::of(frame)?;
    let mut bond = with_free(frame, attestor, clock, &old, amount)?;
    bond.total = bond.total.saturating_sub(amount.saturating_to());
    update(frame, ATTRIBUTION, slot, &old, &bond)?;
    frame.emit(ATTRIBUTION, &Unbonded { attestor, amount, total: U256::from(bond.total) })?;
    frame.pay(ATTRIBUTION, attestor, amount)
}

/// What a settlement will make of its attestor's bond.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lock {
    slot: U256,
    old: Bond,
    new: Bond,
    clock: Clock,
    wei: u128,
}

/// Checks that the attestor's bond can hold `wei` more.
pub(super) fn prepare_lock(
    frame: &mut Frame<'_>,
    clock: Clock,
    attestor: Address,
    wei: U256,
) -> Result<Lock> {
    let (slot, old) = find(frame, attestor)?;
    let new = with_free(frame, attestor, clock, &old, wei)?;
    Ok(Lock { slot, old, new, clock, wei: wei.saturating_to() })
}

/// Holds the wei for the challenge window.
pub(super) fn lock(frame: &mut Frame<'_>, attestor: Address, lock: &Lock) -> Result<()> {
    let &Lock { slot, old, mut new, clock, wei } = lock;
    if wei != 0 {
        let number = clock.bucket(clock.now);
        if new.locked == new.frozen {
            new.first = number;
        }
        new.last = number;
        new.locked = new.locked.saturating_add(wei);
        let (word, bucket, amount) = find_bucket(frame, attestor, number)?;
        let filled = Bucket { number, amount: amount.saturating_add(wei) };
        update(frame, ATTRIBUTION, word, &bucket, &filled)?;
    }
    update(frame, ATTRIBUTION, slot, &old, &new)
}

/// Takes what a receipt of `settled_at` holds out of its bucket, until a verdict.
pub(super) fn freeze(
    frame: &mut Frame<'_>,
    clock: Clock,
    attestor: Address,
    settled_at: u64,
    wei: u128,
) -> Result<()> {
    let number = clock.bucket(settled_at);
    let (word, bucket, amount) = find_bucket(frame, attestor, number)?;
    let less = Bucket { number, amount: amount.saturating_sub(wei) };
    update(frame, ATTRIBUTION, word, &bucket, &less)?;
    let (slot, old) = find(frame, attestor)?;
    let frozen = old.frozen.saturating_add(wei);
    update(frame, ATTRIBUTION, slot, &old, &Bond { frozen, ..old })
}

/// Ends a freeze; the attestor loses the wei when `slashed`.
pub(super) fn thaw(frame: &mut Frame<'_>, attestor: Address, wei: u128, slashed: bool) -> Result<()> {
    let (slot, old) = find(frame, attestor)?;
    let new = Bond {
        total: if slashed { old.total.saturating_sub(wei) } else { old.total },
        locked: old.locked.saturating_sub(wei),
        frozen: old.frozen.saturating_sub(wei),
        ..old
    };
    update(frame, ATTRIBUTION, slot, &old, &new)
}

const _: () = assert!(size_of::<<Bucket as Record>::Slots>() == 32);
