//! What accounts are owed.

use super::layout::CREDITS_SLOT;
use crate::frame::{Frame, Result, entry};
use alloy_primitives::{Address, U256};
use openledger_abi::PAYOUTS;

pub(super) fn credit_of(frame: &mut Frame<'_>, account: Address) -> Result<(U256, U256)> {
    let slot = entry(frame, CREDITS_SLOT, account.into_word())?;
    Ok((slot, frame.sload(PAYOUTS, slot)?))
}

/// Adds to what an account is owed. The sum cannot exceed the native supply.
pub(crate) fn credit(frame: &mut Frame<'_>, account: Address, wei: U256) -> Result<()> {
    if wei.is_zero() {
        return Ok(());
    }
    let (slot, old) = credit_of(frame, account)?;
    frame.sstore(PAYOUTS, slot, old.saturating_add(wei))
}
