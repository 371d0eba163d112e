//! Receipts as they were settled: what others of this crate ask of them, and what anyone may read.

use super::layout::*;
use super::models::{datasets_of, find_model};
use super::shares::is_member;
use crate::datanets::layout::Earner;
use crate::frame::{Frame, Result, entry, load, revert, update};
use alloy_primitives::aliases::U112;
use alloy_primitives::{B256, U256};
use openledger_abi::ATTRIBUTION;
use openledger_abi::IAttribution::*;

/// Slot and head of a receipt that exists.
pub(super) fn find_receipt(frame: &mut Frame<'_>, request: B256) -> Result<(U256, ReceiptHead)> {
    let slot = entry(frame, RECEIPTS_SLOT, request)?;
    let head: ReceiptHead = load(frame, ATTRIBUTION, slot)?;
    if head.settled_at.is_zero() {
        revert!(UnknownReceipt { requestId: request });
    }
    Ok((slot, head))
}

/// The head of a receipt that exists.
pub(crate) fn receipt_of(frame: &mut Frame<'_>, request: B256) -> Result<ReceiptHead> {
    Ok(find_receipt(frame, request)?.1)
}

/// A receipt's amounts.
pub(super) fn wei_of(frame: &mut Frame<'_>, slot: U256) -> Result<ReceiptWei> {
    load(frame, ATTRIBUTION, slot.wrapping_add(RECEIPT_WEI))
}

/// Slot and record of a receipt's long tail.
pub(crate) fn tail_of(frame: &mut Frame<'_>, request: B256) -> Result<(U256, TailRecord)> {
    let slot = entry(frame, TAILS_SLOT, request)?;
    let record: TailRecord = load(frame, ATTRIBUTION, slot)?;
    if record.root.is_zero() {
        revert!(UnknownTail { requestId: request });
    }
    Ok((slot, record))
}

impl TailRecord {
    /// What no leaf was claimed for.
    pub(crate) fn left(&self) -> U256 {
        U256::from(self.amount.saturating_sub(self.claimed))
    }
}

/// Counts a leaf's amount, which is not above what is left.
pub(crate) fn add_claimed(frame: &mut Frame<'_>, slot: U256, tail: &TailRecord, wei: U256) -> Result<()> {
    let claimed = tail.claimed.saturating_add(U112::saturating_from(wei));
    update(frame, ATTRIBUTION, slot, tail, &TailRecord { claimed, ..*tail })
}

/// Whether a contribution is in a dataset of a model that exists.
pub(crate) fn in_model(frame: &mut Frame<'_>, earner: &Earner, model: u64) -> Result<bool> {
    let found = find_model(frame, model)?;
    Ok(is_member(earner, &datasets_of(frame, &found)?))
}

pub(super) const fn status(raw: u8) -> ReceiptStatus {
    match raw {
        1 => ReceiptStatus::Frozen,
        2 => ReceiptStatus::Upheld,
        3 => ReceiptStatus::Slashed,
        _ => ReceiptStatus::Settled,
    }
}

pub(super) fn show_receipt(frame: &mut Frame<'_>, request: B256) -> Result<ReceiptInfo> {
    let (slot, head) = find_receipt(frame, request)?;
    let hashes: ReceiptHashes = load(frame, ATTRIBUTION, slot.wrapping_add(RECEIPT_HASHES))?;
    let wei = wei_of(frame, slot)?;
    Ok(ReceiptInfo {
        model: head.model,
        attestor: head.attestor,
        settledAt: head.settled_at.to(),
        blockNumber: head.block_number.to(),
        shareCount: head.shares.into(),
        unattributedPpm: head.unattributed_ppm.to(),
        tokensIn: head.tokens_in,
        tokensOut: wei.tokens_out,
        answerHash: hashes.answer,
        scoreRoot: hashes.scores,
        fee: U256::from(wei.fee),
        contributorsWei: U256::from(wei.contributors),
        number: head.number.to(),
        tailPpm: head.tail_ppm.to(),
        status: status(head.status),
    })
}

pub(super) fn show_tail(frame: &mut Frame<'_>, request: B256) -> Result<TailInfo> {
    find_receipt(frame, request)?;
    let (_, record) = tail_of(frame, request)?;
    Ok(TailInfo {
        root: record.root,
        leaves: record.leaves,
        amount: U256::from(record.amount),
        claimedWei: U256::from(record.claimed),
    })
}

/// The identifier of a model's receipt.
pub(super) fn receipt_at(frame: &mut Frame<'_>, receipts: U256, index: u64) -> Result<B256> {
    let slot = entry(frame, receipts, U256::from(index))?;
    Ok(frame.sload(ATTRIBUTION, slot)?.into())
}

/// Where the identifiers of a model's receipts are.
pub(super) fn receipts_slot(frame: &mut Frame<'_>, model: u64) -> Result<U256> {
    entry(frame, RECEIPTS_OF_MODEL_SLOT, U256::from(model))
}

/// At most [`MAX_PAGE`] identifiers; an offset beyond the last gives none.
pub(super) fn receipts_of_model(
    frame: &mut Frame<'_>,
    call: &receiptsOfModelCall,
) -> Result<receiptsOfModelReturn> {
    let total = find_model(frame, call.model)?.head.receipts;
    let first = call.offset.saturating_to::<u64>().min(total);
    let count = call.limit.saturating_to::<u64>().min(MAX_PAGE).min(total - first);
    let mut ids = Vec::new();
    if count != 0 {
        let slot = receipts_slot(frame, call.model)?;
        for index in first..first + count {
            ids.push(receipt_at(frame, slot, index)?);
        }
    }
    Ok(receiptsOfModelReturn { total: U256::from(total), requestIds: ids })
}
