//! Claims: what an account is owed is paid, to it or where it wants.

use super::credits::credit_of;
use super::layout::NONCES_SLOT;
use super::signatures::{self, Claim};
use crate::frame::{Frame, Result, entry, revert};
use alloy_primitives::{Address, U256};
use openledger_abi::IPayouts::*;
use openledger_abi::{CLAIM_ROUTER, PAYOUTS};

/// Pays what `account` is owed to `to`; runs no code there.
pub(super) fn claim(frame: &mut Frame<'_>, account: Address, to: Address) -> Result<U256> {
    let owed = owed(frame, account)?;
    pay(frame, account, to, owed)
}

/// For the ClaimRouter, which has asked a contract account.
pub(super) fn claim_to(frame: &mut Frame<'_>, account: Address, to: Address) -> Result<U256> {
    if frame.caller() != CLAIM_ROUTER {
        revert!(NotFacade { account: frame.caller() });
    }
    if to.is_zero() {
        revert!(ZeroAddress {});
    }
    claim(frame, account, to)
}

/// By the account's signature, whoever brings it.
pub(super) fn claim_by_signature(frame: &mut Frame<'_>, call: claimBySignatureCall) -> Result<U256> {
    let claimBySignatureCall { account, to, deadline, signature } = call;
    if frame.now() > deadline {
        revert!(SignatureExpired { deadline });
    }
    if to.is_zero() {
        revert!(ZeroAddress {});
    }
    let (slot, nonce) = nonce_of(frame, account)?;
    let message = Claim { account, to, nonce, deadline: U256::from(deadline) };
    signatures::check(frame, account, &message, &signature)?;
    let owed = owed(frame, account)?;
    frame.sstore(PAYOUTS, slot, nonce.saturating_add(U256::ONE))?;
    pay(frame, account, to, owed)
}

/// How many claims an account has signed that were paid.
pub(super) fn nonce_of(frame: &mut Frame<'_>, account: Address) -> Result<(U256, U256)> {
    let slot = entry(frame, NONCES_SLOT, account.into_word())?;
    Ok((slot, frame.sload(PAYOUTS, slot)?))
}

/// Slot and amount of what an account is owed, above 0.
fn owed(frame: &mut Frame<'_>, account: Address) -> Result<(U256, U256)> {
    let (slot, amount) = credit_of(frame, account)?;
    if amount.is_zero() {
        revert!(NothingToClaim { account });
    }
    Ok((slot, amount))
}

fn pay(frame: &mut Frame<'_>, account: Address, to: Address, owed: (U256, U256)) -> Result<U256> {
    let (slot, amount) = owed;
    frame.sstore(PAYOUTS, slot, U256::ZERO)?;
    let by = frame.caller();
    frame.emit(PAYOUTS, &Claimed { account, to, amount, by })?;
    frame.pay(PAYOUTS, to, amount)?;
    Ok(amount)
}
