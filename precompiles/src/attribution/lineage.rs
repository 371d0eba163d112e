//! The way back: from an answer to its rows and people, and from a contribution to the answers that paid it.

use super::layout::*;
use super::models::{datasets_of, find_model};
use super::receipts::{find_receipt, receipt_at, receipts_slot, wei_of};
use super::shares::{load_shares, upto};
use crate::datanets::{contribution_of, origin_of, version_root};
use crate::frame::{Frame, Result};
use alloy_primitives::U256;
use openledger_abi::ATTRIBUTION;
use openledger_abi::IAttribution::*;

/// Offset of the adapter's hash within a model's slots.
const ADAPTER: U256 = U256::from_limbs([3, 0, 0, 0]);

/// A page of at most [`MAX_INLINE_SHARES`] shares; an offset beyond the last gives none.
pub(super) fn lineage_of(frame: &mut Frame<'_>, call: &lineageOfCall) -> Result<Lineage> {
    let (slot, head) = find_receipt(frame, call.requestId)?;
    let answer_hash = frame.sload(ATTRIBUTION, slot.wrapping_add(RECEIPT_HASHES))?.into();
    let model = find_model(frame, head.model)?;
    let adapter_hash = frame.sload(ATTRIBUTION, model.slot.wrapping_add(ADAPTER))?.into();
    let (mut datasets, mut roots) = (Vec::new(), Vec::new());
    for dataset in datasets_of(frame, &model)? {
        roots.push(version_root(frame, dataset.datanet, dataset.version)?);
        datasets.push(DatasetRef { datanet: dataset.datanet, version: dataset.version });
    }
    let total = usize::from(head.shares);
    let first = call.offset.saturating_to::<usize>().min(total);
    let last = first.saturating_add(call.limit.saturating_to::<usize>().min(MAX_INLINE_SHARES)).min(total);
    let mut entries: Vec<LineageEntry> = Vec::new();
    for ClusterShare { contribution, row, ppm } in load_shares(frame, call.requestId, &head, first, last)? {
        // Shares ascend: those of one contribution follow each other.
        let (owner, datanet, root) = match entries.last() {
            Some(last) if last.contribution == contribution => {
                (last.owner, last.datanet, last.contributionRoot)
            }
            _ => origin_of(frame, contribution)?,
        };
        entries.push(LineageEntry { contribution, row, ppm, datanet, owner, contributionRoot: root });
    }
    Ok(Lineage {
        answerHash: answer_hash,
        model: head.model,
        adapterHash: adapter_hash,
        datasets,
        datasetRoots: roots,
        total: U256::from(total),
        entries,
    })
}

/// What a contribution earned inline in a page of a model's receipts, newest first.
pub(super) fn history_of(frame: &mut Frame<'_>, call: &historyOfCall) -> Result<historyOfReturn> {
    contribution_of(frame, call.contribution)?;
    let all = find_model(frame, call.model)?.head.receipts;
    let end = if call.before == 0 { all } else { call.before.min(all) };
    let next = end - call.limit.saturating_to::<u64>().min(MAX_HISTORY).min(end);
    let receipts = receipts_slot(frame, call.model)?;
    let mut entries = Vec::new();
    for index in (next..end).rev() {
        let request = receipt_at(frame, receipts, index)?;
        let (slot, head) = find_receipt(frame, request)?;
        let shares = load_shares(frame, request, &head, 0, head.shares.into())?;
        if shares.iter().all(|share| share.contribution != call.contribution) {
            continue;
        }
        let contributors = U256::from(wei_of(frame, slot)?.contributors);
        let mut before = 0;
        for ClusterShare { contribution, row, ppm } in shares {
            let after = before + u64::from(ppm);
            if contribution == call.contribution {
                let amount = upto(contributors, after).saturating_sub(upto(contributors, before));
                entries.push(HistoryEntry { requestId: request, row, ppm, amount });
            }
            before = after;
        }
    }
    Ok(historyOfReturn { entries, next })
}
