//! The way back: from an answer to its rows and people.

use super::layout::{MAX_INLINE_SHARES, RECEIPTS_SLOT, ReceiptRecord, SHARES_SLOT};
use super::models::{datasets_of, find_model, hashes_of};
use crate::datanets::{contribution_of, version_of};
use crate::frame::{Frame, Result, entry, load, revert};
use alloy_primitives::{B256, U256};
use openledger_abi::ATTRIBUTION;
use openledger_abi::IAttribution::*;

fn find(frame: &mut Frame<'_>, request: B256) -> Result<ReceiptRecord> {
    let slot = entry(frame, RECEIPTS_SLOT, request)?;
    let record: ReceiptRecord = load(frame, ATTRIBUTION, slot)?;
    if record.model == 0 {
        revert!(UnknownReceipt { requestId: request });
    }
    Ok(record)
}

pub(super) fn receipt_of(frame: &mut Frame<'_>, request: B256) -> Result<ReceiptInfo> {
    let record = find(frame, request)?;
    Ok(ReceiptInfo {
        model: record.model,
        attestor: record.attestor,
        settledAt: record.settled_at,
        blockNumber: record.block_number,
        shareCount: record.shares,
        unattributedPpm: record.unattributed_ppm,
        tokensIn: record.tokens_in,
        tokensOut: record.tokens_out,
        answerHash: record.answer_hash,
        scoreRoot: record.score_root,
        fee: U256::from(record.fee),
        contributorsWei: U256::from(record.contributors),
        number: 0,
        tailPpm: 0,
        status: ReceiptStatus::Settled,
    })
}

/// A page of at most [`MAX_INLINE_SHARES`] shares; an offset beyond the last gives none.
pub(super) fn lineage_of(frame: &mut Frame<'_>, call: &lineageOfCall) -> Result<Lineage> {
    let record = find(frame, call.requestId)?;
    let model = find_model(frame, record.model)?;
    let adapter = hashes_of(frame, &model)?.adapter;
    let datasets = datasets_of(frame, &model)?;
    let mut roots = Vec::with_capacity(datasets.len());
    for dataset in &datasets {
        roots.push(version_of(frame, dataset.datanet, dataset.version)?.root);
    }
    let total = (record.shares as usize).min(MAX_INLINE_SHARES);
    let first = call.offset.saturating_to::<usize>().min(total);
    let last = first.saturating_add(call.limit.saturating_to::<usize>()).min(total);
    let base = entry(frame, SHARES_SLOT, call.requestId)?;
    let mut entries = Vec::with_capacity(last - first);
    for index in first..last {
        // The second of a slot's two shares pays for a warm load only.
        let pair = frame.sload(ATTRIBUTION, base.wrapping_add(U256::from(index / 2)))?;
        let word: U256 = pair >> (128 * (index % 2));
        let contribution: u64 = word.wrapping_to();
        let (_, owned) = contribution_of(frame, contribution)?;
        entries.push(LineageEntry {
            contribution,
            row: (word >> 64usize).wrapping_to(),
            ppm: (word >> 96usize).wrapping_to(),
            datanet: owned.datanet,
            owner: owned.owner,
            contributionRoot: owned.root,
        });
    }
    Ok(Lineage {
        answerHash: record.answer_hash,
        model: record.model,
        adapterHash: adapter,
        datasets,
        datasetRoots: roots,
        total: U256::from(total),
        entries,
    })
}
