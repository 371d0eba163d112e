//! Settlement: an answer's receipt is judged, kept and paid in one call.

use super::bonds::{Clock, lock, prepare_lock};
use super::layout::*;
use super::models::{find_model, globals, is_attestor, price_of, split_of};
use super::shares::{Widths, by_contribution, check_rows, check_shares, divide, store_shares, upto};
use super::standing::look;
use crate::datanets::Income;
use crate::frame::{Failure, Frame, Result, entry, entry2, revert, store, update};
use crate::payouts::{self, Answer, open_request};
use alloy_primitives::U256;
use alloy_primitives::aliases::{U24, U40, U112};
use openledger_abi::ATTRIBUTION;
use openledger_abi::IAttribution::*;
use openledger_shares::{PPM, fee_wei, split_fee};

pub(super) fn settle(frame: &mut Frame<'_>, receipt: Receipt) -> Result<()> {
    settle_receipt(frame, receipt, None)
}

pub(super) fn settle_tail(frame: &mut Frame<'_>, receipt: Receipt, tail: &Tail) -> Result<()> {
    settle_receipt(frame, receipt, Some(tail))
}

fn settle_receipt(frame: &mut Frame<'_>, receipt: Receipt, tail: Option<&Tail>) -> Result<()> {
    let (id, attestor, now) = (receipt.requestId, frame.caller(), frame.now());
    let (request_slot, request) = open_request(frame, id)?;
    if now > request.deadline {
        revert!(DeadlinePassed { deadline: request.deadline });
    }
    if !is_attestor(frame, request.model, attestor)? {
        revert!(NotAttestor { model: request.model, account: attestor });
    }
    let inline_ppm = check_whole(&receipt, tail)?;
    let model = find_model(frame, request.model)?;
    let price = price_of(frame, &model)?;
    let fee = fee_wei(&price, receipt.tokensIn, receipt.tokensOut);
    let maximum = U256::from(request.max_fee);
    if fee > maximum {
        revert!(FeeAboveMaximum { maximum, fee });
    }
    let Some(parts) = split_fee(&price, &split_of(&model), fee) else {
        return Err(Failure::because("a model with a wrong split"));
    };
    let contributors = parts.contributors_wei;
    let seen = look(frame, &model, SETTLEMENT_WITHDRAWALS)?;
    seen.check(frame, model.id)?;
    let earners = check_rows(frame, model.id, &seen.datasets, &receipt.shares, true)?;
    let counted = globals(frame)?;
    let lock_plan = prepare_lock(frame, Clock::at(now, &counted), attestor, contributors)?;

    let number = counted.receipts.saturating_add(1);
    update(frame, ATTRIBUTION, U256::ZERO, &counted, &Globals { receipts: number, ..counted })?;
    let widths = Widths::of(&receipt.shares);
    let mut head = ReceiptHead {
        model: model.id,
        attestor,
        tokens_in: receipt.tokensIn,
        settled_at: U40::saturating_from(now),
        block_number: U40::saturating_from(frame.block_number()),
        number: U40::saturating_from(number),
        shares: receipt.shares.len() as u16,
        unattributed_ppm: U24::saturating_from(receipt.unattributedPpm),
        tail_ppm: U24::saturating_from(tail.map_or(0, |tail| tail.ppm)),
        status: ReceiptStatus::Settled as u8,
        ..ReceiptHead::default()
    };
    widths.write(&mut head);
    let slot = entry(frame, RECEIPTS_SLOT, id)?;
    store(frame, ATTRIBUTION, slot, &head)?;
    let hashes = ReceiptHashes { answer: receipt.answerHash, scores: receipt.scoreRoot };
    update(frame, ATTRIBUTION, slot.wrapping_add(RECEIPT_HASHES), &ReceiptHashes::default(), &hashes)?;
    let wei = ReceiptWei {
        fee: U112::saturating_from(fee),
        contributors: U112::saturating_from(contributors),
        tokens_out: receipt.tokensOut,
    };
    update(frame, ATTRIBUTION, slot.wrapping_add(RECEIPT_WEI), &ReceiptWei::default(), &wei)?;
    store_shares(frame, id, widths, &receipt.shares)?;
    let tail_wei = tail_wei(contributors, inline_ppm, tail);
    if let Some(tail) = tail {
        let slot = entry(frame, TAILS_SLOT, id)?;
        let record = TailRecord {
            root: tail.root,
            amount: U112::saturating_from(tail_wei),
            claimed: U112::ZERO,
            leaves: tail.leaves,
        };
        store(frame, ATTRIBUTION, slot, &record)?;
    }
    let place = entry2(frame, RECEIPTS_OF_MODEL_SLOT, U256::from(model.id), U256::from(model.head.receipts))?;
    frame.sstore(ATTRIBUTION, place, id.into())?;
    let kept = seen.keep(frame, &model)?;
    let kept = ModelHead { receipts: model.head.receipts.saturating_add(1), ..kept };
    update(frame, ATTRIBUTION, model.slot, &model.head, &kept)?;
    lock(frame, attestor, &lock_plan)?;

    seen.announce(frame)?;
    let amounts = divide(contributors, &receipt.shares)?;
    let sums = by_contribution(&receipt.shares, &amounts);
    frame.emit(
        ATTRIBUTION,
        &ReceiptSettled {
            requestId: id,
            model: model.id,
            attestor,
            answerHash: receipt.answerHash,
            scoreRoot: receipt.scoreRoot,
            unattributedPpm: receipt.unattributedPpm,
            shares: receipt.shares,
        },
    )?;
    if let Some(&Tail { root, ppm, leaves }) = tail {
        frame.emit(ATTRIBUTION, &TailSettled { requestId: id, root, ppm, leaves, amount: tail_wei })?;
    }
    let attributed = amounts.iter().fold(tail_wei, |sum, amount| sum.saturating_add(*amount));
    let earners = earners.into_iter().zip(sums);
    let earned: Vec<Income> =
        earners.map(|((contribution, earner), (_, wei))| Income { contribution, earner, wei }).collect();
    let answer = Answer {
        request_id: id,
        slot: request_slot,
        request,
        fee,
        parts,
        model_owner: model.head.owner,
        attestor,
        earned: &earned,
        unattributed_wei: contributors.saturating_sub(attributed),
        datasets: &seen.owned_datasets(),
    };
    payouts::pay_answer(frame, &answer)
}

/// The rules that a receipt keeps whatever the state; gives the sum of its inline shares in parts per million.
fn check_whole(receipt: &Receipt, tail: Option<&Tail>) -> Result<u64> {
    let inline_ppm = check_shares(&receipt.shares)?;
    if let Some(tail) = tail {
        if tail.root.is_zero() || tail.ppm == 0 || tail.leaves == 0 {
            revert!(EmptyTail {});
        }
        if tail.leaves > MAX_TAIL_LEAVES {
            let (maximum, given) = (U256::from(MAX_TAIL_LEAVES), U256::from(tail.leaves));
            revert!(TooManyLeaves { maximum, given });
        }
    }
    let others = u64::from(receipt.unattributedPpm) + tail.map_or(0, |tail| u64::from(tail.ppm));
    let sum = inline_ppm + others;
    if sum != u64::from(PPM) {
        revert!(WrongShareSum { sum: U256::from(sum) });
    }
    Ok(inline_ppm)
}

/// What the tail's leaves sum to: the floors go on after the last inline share.
fn tail_wei(contributors: U256, inline_ppm: u64, tail: Option<&Tail>) -> U256 {
    let Some(tail) = tail else { return U256::ZERO };
    upto(contributors, inline_ppm + u64::from(tail.ppm)).saturating_sub(upto(contributors, inline_ppm))
}
