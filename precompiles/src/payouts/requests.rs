//! Requests: escrowed, settled or refunded, each once.

use super::layout::*;
use crate::attribution::{check_standing, find_model, price_of};
use crate::frame::{Frame, Result, entry, load, revert, store, update};
use alloy_primitives::{Address, B256, U256};
use openledger_abi::IPayouts::{self, *};
use openledger_abi::PAYOUTS;
use openledger_shares::{fee_wei, request_id};

pub(super) fn settings(frame: &mut Frame<'_>) -> Result<Settings> {
    load(frame, PAYOUTS, U256::ZERO)
}

/// The account that earns the platform's part.
pub(crate) fn platform(frame: &mut Frame<'_>) -> Result<Address> {
    // It is the first field of the first slot.
    Ok(Address::from_word(frame.sload(PAYOUTS, U256::ZERO)?.into()))
}

fn find(frame: &mut Frame<'_>, request: B256) -> Result<(U256, RequestRecord)> {
    let slot = entry(frame, REQUESTS_SLOT, request)?;
    Ok((slot, load(frame, PAYOUTS, slot)?))
}

fn known(frame: &mut Frame<'_>, request: B256) -> Result<(U256, RequestRecord)> {
    let found = find(frame, request)?;
    if found.1.status == Status::None as u8 {
        revert!(UnknownRequest { requestId: request });
    }
    Ok(found)
}

pub(super) const fn status(raw: u8) -> Status {
    match raw {
        1 => Status::Open,
        2 => Status::Settled,
        3 => Status::Refunded,
        _ => Status::None,
    }
}

/// A request that is open.
pub(crate) fn open_request(frame: &mut Frame<'_>, request: B256) -> Result<(U256, RequestRecord)> {
    let found = known(frame, request)?;
    if found.1.status != Status::Open as u8 {
        revert!(RequestClosed { requestId: request, status: status(found.1.status) });
    }
    Ok(found)
}

pub(super) fn request(frame: &mut Frame<'_>, call: &requestCall) -> Result<B256> {
    let &requestCall { model, promptHash, deadline } = call;
    let head = find_model(frame, model)?;
    let (payer, value, now) = (frame.caller(), frame.value(), frame.now());
    let minimum = fee_wei(&price_of(frame, &head)?, 1, 1);
    if value < minimum {
        revert!(FeeBelowPrice { minimum, given: value });
    }
    let max_fee = match u128::try_from(value) {
        Ok(max_fee) if max_fee <= MAX_FEE => max_fee,
        _ => revert!(FeeAboveMaximum { maximum: U256::from(MAX_FEE), fee: value }),
    };
    let bounds = settings(frame)?;
    let (earliest, latest) =
        (now.saturating_add(bounds.minimum_deadline), now.saturating_add(bounds.maximum_deadline));
    if deadline < earliest {
        revert!(DeadlineTooSoon { earliest, given: deadline });
    }
    if deadline > latest {
        revert!(DeadlineTooFar { latest, given: deadline });
    }
    check_standing(frame, &head)?;
    frame.charge_keccak(160)?;
    let id = request_id(frame.chain_id(), payer, model, promptHash, deadline);
    let (slot, existing) = find(frame, id)?;
    if existing.status != Status::None as u8 {
        revert!(RequestExists { requestId: id });
    }
    let record =
        RequestRecord { payer, model, status: Status::Open as u8, deadline, created_at: now, max_fee };
    store(frame, PAYOUTS, slot, &record)?;
    frame.sstore(PAYOUTS, slot.wrapping_add(PROMPT_HASH), promptHash.into())?;
    frame.emit(PAYOUTS, &Requested { requestId: id, model, payer, promptHash, maxFee: value, deadline })?;
    Ok(id)
}

pub(super) fn refund(frame: &mut Frame<'_>, request: B256) -> Result<()> {
    let (slot, old) = open_request(frame, request)?;
    if frame.now() <= old.deadline {
        revert!(DeadlineNotPassed { deadline: old.deadline });
    }
    close(frame, slot, &old, Status::Refunded)?;
    let amount = U256::from(old.max_fee);
    frame.emit(PAYOUTS, &Refunded { requestId: request, payer: old.payer, amount })?;
    frame.pay(PAYOUTS, old.payer, amount)
}

pub(super) fn close(frame: &mut Frame<'_>, slot: U256, old: &RequestRecord, status: Status) -> Result<()> {
    update(frame, PAYOUTS, slot, old, &RequestRecord { status: status as u8, ..*old })
}

pub(super) fn request_of(frame: &mut Frame<'_>, request: B256) -> Result<IPayouts::Request> {
    let (slot, record) = known(frame, request)?;
    let prompt_hash = frame.sload(PAYOUTS, slot.wrapping_add(PROMPT_HASH))?;
    Ok(IPayouts::Request {
        payer: record.payer,
        model: record.model,
        deadline: record.deadline,
        createdAt: record.created_at,
        status: status(record.status),
        maxFee: U256::from(record.max_fee),
        promptHash: prompt_hash.into(),
    })
}
