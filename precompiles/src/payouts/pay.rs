//! Pays for an answer: every wei of the escrow is credited or goes back.

use super::credits::credit;
use super::layout::RequestRecord;
use super::requests::{close, platform};
use crate::frame::{Frame, Result, revert};
use alloy_primitives::{Address, B256, U256};
use openledger_abi::IPayouts::{Credited, FeeAboveMaximum, Settled, Status, UnattributedCredited};
use openledger_abi::PAYOUTS;
use openledger_shares::{FeeParts, divide_by_weight, divide_wei};

/// A cluster's share and its owner.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    pub(crate) contribution: u64,
    pub(crate) row: u32,
    pub(crate) ppm: u32,
    pub(crate) owner: Address,
}

/// An answer that has been judged worth paying.
#[derive(Debug)]
pub(crate) struct Answer<'a> {
    pub(crate) request_id: B256,
    pub(crate) slot: U256,
    pub(crate) request: RequestRecord,
    pub(crate) fee: U256,
    pub(crate) parts: FeeParts,
    pub(crate) model_owner: Address,
    pub(crate) attestor: Address,
    pub(crate) shares: &'a [Share],
    /// Identifier, owner and rows of each of the model's Datanets, at the model's version of it.
    pub(crate) datanets: &'a [(u64, Address, u64)],
}

/// Closes the request, credits everyone, and sends the unused escrow back.
pub(crate) fn pay_answer(frame: &mut Frame<'_>, answer: &Answer<'_>) -> Result<()> {
    let Answer { request_id: id, request, fee, parts, .. } = answer;
    let maximum = U256::from(request.max_fee);
    let Some(refunded) = maximum.checked_sub(*fee) else {
        revert!(FeeAboveMaximum { maximum, fee: *fee });
    };
    close(frame, answer.slot, request, Status::Settled)?;
    let platform = platform(frame)?;
    credit(frame, platform, parts.platform_wei)?;
    credit(frame, answer.model_owner, parts.model_wei)?;
    credit(frame, answer.attestor, parts.stakers_wei)?;
    let ppm: Vec<u32> = answer.shares.iter().map(|share| share.ppm).collect();
    let Ok(amounts) = divide_wei(parts.contributors_wei, &ppm) else {
        return Err(crate::frame::Failure::because("shares above the whole"));
    };
    let mut left = parts.contributors_wei;
    for (share, amount) in answer.shares.iter().zip(amounts) {
        left = left.saturating_sub(amount);
        credit(frame, share.owner, amount)?;
        let event = Credited {
            requestId: *id,
            account: share.owner,
            contribution: share.contribution,
            row: share.row,
            ppm: share.ppm,
            amount,
        };
        frame.emit(PAYOUTS, &event)?;
    }
    if !left.is_zero() {
        pay_unattributed(frame, *id, left, answer.datanets)?;
    }
    let event = Settled {
        requestId: *id,
        model: request.model,
        payer: request.payer,
        fee: *fee,
        refunded,
        platform: parts.platform_wei,
        modelOwner: parts.model_wei,
        stakers: parts.stakers_wei,
        contributors: parts.contributors_wei,
    };
    frame.emit(PAYOUTS, &event)?;
    frame.pay(PAYOUTS, request.payer, refunded)
}

/// What no cluster earned goes to the Datanets by their rows; every Datanet of a model has rows.
fn pay_unattributed(
    frame: &mut Frame<'_>,
    id: B256,
    wei: U256,
    datanets: &[(u64, Address, u64)],
) -> Result<()> {
    let rows: Vec<u64> = datanets.iter().map(|(_, _, rows)| *rows).collect();
    let Ok(amounts) = divide_by_weight(wei, &rows) else {
        return Err(crate::frame::Failure::because("a model without rows"));
    };
    for ((datanet, account, _), amount) in datanets.iter().zip(amounts) {
        if amount.is_zero() {
            continue;
        }
        credit(frame, *account, amount)?;
        frame.emit(
            PAYOUTS,
            &UnattributedCredited { requestId: id, datanet: *datanet, account: *account, amount },
        )?;
    }
    Ok(())
}
