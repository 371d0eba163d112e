//! Settlement: an answer's receipt is judged, kept and paid in one call.

use super::bonds::lock;
use super::layout::{MAX_INLINE_SHARES, ModelHead, RECEIPTS_SLOT, ReceiptRecord, SHARES_SLOT};
use super::models::{check_serving, find_model, is_attestor, price_of, split_of};
use crate::datanets::{contribution_of, datanet_head};
use crate::frame::{Failure, Frame, Result, entry, revert, store, update};
use crate::payouts::{self, Answer, Share, open_request};
use alloy_primitives::U256;
use openledger_abi::IAttribution::*;
use openledger_abi::{ATTRIBUTION, licence};
use openledger_shares::{PPM, fee_wei, split_fee};

pub(super) fn settle(frame: &mut Frame<'_>, receipt: &Receipt) -> Result<()> {
    let (attestor, now) = (frame.caller(), frame.now());
    let (slot, request) = open_request(frame, receipt.requestId)?;
    if now > request.deadline {
        revert!(DeadlinePassed { deadline: request.deadline });
    }
    if !is_attestor(frame, request.model, attestor)? {
        revert!(NotAttestor { model: request.model, account: attestor });
    }
    check_shares(receipt)?;
    let model = find_model(frame, request.model)?;
    let price = price_of(frame, &model)?;
    let fee = fee_wei(&price, receipt.tokensIn, receipt.tokensOut);
    let (maximum, narrow) = (U256::from(request.max_fee), u128::try_from(fee));
    let Some(narrow_fee) = narrow.ok().filter(|fee| *fee <= request.max_fee) else {
        revert!(FeeAboveMaximum { maximum, fee });
    };
    let Some(parts) = split_fee(&price, &split_of(&model), fee) else {
        return Err(Failure::because("a model with a wrong split"));
    };
    let datasets = check_serving(frame, &model, licence::SERVE)?;
    let mut shares = Vec::with_capacity(receipt.shares.len());
    for share in &receipt.shares {
        let &ClusterShare { contribution, row, ppm } = share;
        let (_, record) = contribution_of(frame, contribution)?;
        let member = datasets.iter().any(|(dataset, _)| {
            dataset.datanet == record.datanet && (1..=dataset.version).contains(&record.since_version)
        });
        if !member {
            revert!(NotInModel { contribution, model: request.model });
        }
        if row >= record.rows {
            revert!(RowOutOfRange { contribution, row });
        }
        shares.push(Share { contribution, row, ppm, owner: record.owner });
    }
    let mut owners = Vec::with_capacity(datasets.len());
    for (dataset, version) in &datasets {
        owners.push((dataset.datanet, datanet_head(frame, dataset.datanet)?.1.owner, version.rows));
    }
    lock(frame, attestor, parts.contributors_wei)?;
    let record = ReceiptRecord {
        model: request.model,
        attestor,
        tokens_in: receipt.tokensIn,
        settled_at: now,
        block_number: frame.block_number(),
        shares: receipt.shares.len() as u32,
        unattributed_ppm: receipt.unattributedPpm,
        tokens_out: receipt.tokensOut,
        answer_hash: receipt.answerHash,
        score_root: receipt.scoreRoot,
        fee: narrow_fee,
        contributors: parts.contributors_wei.saturating_to(),
    };
    keep(frame, receipt, &record)?;
    let counted = ModelHead { receipts: model.head.receipts.saturating_add(1), ..model.head };
    update(frame, ATTRIBUTION, model.slot, &model.head, &counted)?;
    let event = ReceiptSettled {
        requestId: receipt.requestId,
        model: request.model,
        attestor,
        answerHash: receipt.answerHash,
        scoreRoot: receipt.scoreRoot,
        unattributedPpm: receipt.unattributedPpm,
        shares: receipt.shares.clone(),
    };
    frame.emit(ATTRIBUTION, &event)?;
    let answer = Answer {
        request_id: receipt.requestId,
        slot,
        request,
        fee,
        parts,
        model_owner: model.head.owner,
        attestor,
        shares: &shares,
        datanets: &owners,
    };
    payouts::pay_answer(frame, &answer)
}

/// The rules that a receipt's shares keep whatever the state.
fn check_shares(receipt: &Receipt) -> Result<()> {
    let given = receipt.shares.len();
    if given > MAX_INLINE_SHARES {
        revert!(TooManyShares { maximum: U256::from(MAX_INLINE_SHARES), given: U256::from(given) });
    }
    let mut sum = u64::from(receipt.unattributedPpm);
    let mut previous = None;
    for (index, share) in receipt.shares.iter().enumerate() {
        if share.ppm == 0 {
            revert!(ZeroShare { index: U256::from(index) });
        }
        let place = (share.contribution, share.row);
        if previous.is_some_and(|previous| place <= previous) {
            revert!(SharesNotAscending { index: U256::from(index) });
        }
        previous = Some(place);
        sum += u64::from(share.ppm);
    }
    if sum != u64::from(PPM) {
        revert!(WrongShareSum { sum: U256::from(sum) });
    }
    Ok(())
}

/// Stores the receipt, and its shares two a slot.
fn keep(frame: &mut Frame<'_>, receipt: &Receipt, record: &ReceiptRecord) -> Result<()> {
    let slot = entry(frame, RECEIPTS_SLOT, receipt.requestId)?;
    store(frame, ATTRIBUTION, slot, record)?;
    let base = entry(frame, SHARES_SLOT, receipt.requestId)?;
    for (index, pair) in receipt.shares.chunks(2).enumerate() {
        let word = pair.iter().rev().fold(U256::ZERO, |word, share| {
            (word << 128)
                | U256::from(share.contribution)
                | (U256::from(share.row) << 64)
                | (U256::from(share.ppm) << 96)
        });
        frame.sstore(ATTRIBUTION, base.wrapping_add(U256::from(index)), word)?;
    }
    Ok(())
}
