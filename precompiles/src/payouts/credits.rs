//! What accounts are owed, and how they get it.

use super::layout::CREDITS_SLOT;
use crate::frame::{Frame, Result, entry, revert};
use alloy_primitives::{Address, U256};
use openledger_abi::IPayouts::*;
use openledger_abi::{CLAIM_ROUTER, PAYOUTS};

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

/// Pays what `account` is owed to `to`; runs no code there.
pub(super) fn claim(frame: &mut Frame<'_>, account: Address, to: Address) -> Result<U256> {
    let (slot, amount) = credit_of(frame, account)?;
    if amount.is_zero() {
        revert!(NothingToClaim { account });
    }
    frame.sstore(PAYOUTS, slot, U256::ZERO)?;
    let by = frame.caller();
    frame.emit(PAYOUTS, &Claimed { account, to, amount, by })?;
    frame.pay(PAYOUTS, to, amount)?;
    Ok(amount)
}

pub(super) fn claim_to(frame: &mut Frame<'_>, account: Address, to: Address) -> Result<U256> {
    if frame.caller() != CLAIM_ROUTER {
        revert!(NotFacade { account: frame.caller() });
    }
    if to.is_zero() {
        revert!(ZeroAddress {});
    }
    claim(frame, account, to)
}
