//! Challenges, as the court tells of them: it holds procedure, here are money and status.
//!
//! A receipt holds exactly the contributors' part of its fee, so those that it underpaid are made whole in full; of what
//! is left less than a third goes to the challenger, so that nobody gains by challenging its own receipt.

use super::bonds::{Clock, freeze, thaw};
use super::layout::*;
use super::models::{datasets_of, find_model};
use super::receipts::{find_receipt, status, wei_of};
use super::shares::{by_contribution, check_rows, check_shares, divide, load_shares};
use crate::datanets::{self, Income};
use crate::frame::{Frame, Result, entry, load, revert, update};
use alloy_primitives::{Address, B256, U256};
use openledger_abi::IAttribution::*;
use openledger_abi::{ATTRIBUTION, COURT, PAYOUTS};
use openledger_shares::PPM;
use std::collections::BTreeMap;

/// The challenger's part of what is left, in tenths.
const REWARD_TENTHS: u64 = 3;

fn only_court(frame: &Frame<'_>) -> Result<()> {
    if frame.caller() != COURT {
        revert!(NotCourt { account: frame.caller() });
    }
    Ok(())
}

/// A receipt whose status is the one that is wanted.
fn receipt_in(frame: &mut Frame<'_>, request: B256, wanted: ReceiptStatus) -> Result<(U256, ReceiptHead)> {
    let (slot, head) = find_receipt(frame, request)?;
    let status = status(head.status);
    if status != wanted {
        revert!(WrongReceiptStatus { requestId: request, status });
    }
    Ok((slot, head))
}

fn find_challenge(frame: &mut Frame<'_>, request: B256) -> Result<(U256, ChallengeRecord)> {
    let slot = entry(frame, CHALLENGES_SLOT, request)?;
    Ok((slot, load(frame, ATTRIBUTION, slot)?))
}

pub(super) fn challenge_of(frame: &mut Frame<'_>, request: B256) -> Result<challengeOfReturn> {
    let (_, record) = find_challenge(frame, request)?;
    Ok(challengeOfReturn { challenger: record.challenger, stake: record.stake })
}

fn set_status(frame: &mut Frame<'_>, slot: U256, old: &ReceiptHead, to: ReceiptStatus) -> Result<()> {
    update(frame, ATTRIBUTION, slot, old, &ReceiptHead { status: to as u8, ..*old })
}

pub(super) fn freeze_receipt(frame: &mut Frame<'_>, request: B256, challenger: Address) -> Result<()> {
    only_court(frame)?;
    let (slot, head) = receipt_in(frame, request, ReceiptStatus::Settled)?;
    let (clock, settled_at) = (Clock::of(frame)?, head.settled_at.to::<u64>());
    let end = clock.end_of(settled_at);
    if frame.now() >= end {
        revert!(ChallengeWindowOver { requestId: request, lastSecond: end.saturating_sub(1) });
    }
    if challenger.is_zero() {
        revert!(ZeroAddress {});
    }
    let (held, stake) = (wei_of(frame, slot)?.contributors, frame.value());
    set_status(frame, slot, &head, ReceiptStatus::Frozen)?;
    freeze(frame, clock, head.attestor, settled_at, held.to())?;
    let (challenge_slot, old) = find_challenge(frame, request)?;
    update(frame, ATTRIBUTION, challenge_slot, &old, &ChallengeRecord { challenger, stake })?;
    let (attestor, held) = (head.attestor, U256::from(held));
    frame.emit(ATTRIBUTION, &ReceiptFrozen { requestId: request, attestor, challenger, held, stake })
}

pub(super) fn resolve(frame: &mut Frame<'_>, call: &resolveReceiptCall) -> Result<()> {
    only_court(frame)?;
    let request = call.requestId;
    let found = receipt_in(frame, request, ReceiptStatus::Frozen)?;
    if call.wrong { slash(frame, request, found, &call.corrected) } else { uphold(frame, request, found) }
}

fn uphold(frame: &mut Frame<'_>, request: B256, found: (U256, ReceiptHead)) -> Result<()> {
    let (slot, head) = found;
    let held = wei_of(frame, slot)?.contributors;
    set_status(frame, slot, &head, ReceiptStatus::Upheld)?;
    thaw(frame, head.attestor, held.to(), false)?;
    let (_, challenge) = find_challenge(frame, request)?;
    let (attestor, burned) = (head.attestor, challenge.stake);
    frame.emit(ATTRIBUTION, &ReceiptUpheld { requestId: request, attestor, burned })?;
    frame.pay(ATTRIBUTION, Address::ZERO, burned)
}

fn slash(
    frame: &mut Frame<'_>,
    request: B256,
    found: (U256, ReceiptHead),
    corrected: &[ClusterShare],
) -> Result<()> {
    let (slot, head) = found;
    let sum = check_shares(corrected)?;
    if sum > u64::from(PPM) {
        revert!(WrongShareSum { sum: U256::from(sum) });
    }
    let model = find_model(frame, head.model)?;
    let datasets = datasets_of(frame, &model)?;
    let earners = check_rows(frame, model.id, &datasets, corrected, false)?;
    let held = wei_of(frame, slot)?.contributors;
    set_status(frame, slot, &head, ReceiptStatus::Slashed)?;
    thaw(frame, head.attestor, held.to(), true)?;

    let slashed = U256::from(held);
    let given = load_shares(frame, request, &head, 0, head.shares.into())?;
    let paid: BTreeMap<u64, U256> = by_contribution(&given, &divide(slashed, &given)?).into_iter().collect();
    let owed = by_contribution(corrected, &divide(slashed, corrected)?);
    let mut made_whole = U256::ZERO;
    for ((contribution, earner), (_, owed)) in earners.into_iter().zip(owed) {
        let due = owed.saturating_sub(paid.get(&contribution).copied().unwrap_or_default());
        if due.is_zero() {
            continue;
        }
        made_whole = made_whole.saturating_add(due);
        frame.emit(ATTRIBUTION, &MadeWhole { requestId: request, contribution, amount: due })?;
        datanets::accrue_each(frame, &[Income { contribution, earner, wei: due }], false)?;
    }
    let left = slashed.saturating_sub(made_whole);
    let reward = left * U256::from(REWARD_TENTHS) / U256::from(10);
    let burned = left.saturating_sub(reward);
    let (_, challenge) = find_challenge(frame, request)?;
    let (attestor, challenger) = (head.attestor, challenge.challenger);
    frame.emit(
        ATTRIBUTION,
        &ReceiptSlashed {
            requestId: request,
            attestor,
            challenger,
            slashed,
            madeWhole: made_whole,
            reward,
            burned,
        },
    )?;
    frame.pay(ATTRIBUTION, PAYOUTS, made_whole)?;
    frame.pay(ATTRIBUTION, challenger, challenge.stake.saturating_add(reward))?;
    frame.pay(ATTRIBUTION, Address::ZERO, burned)
}
