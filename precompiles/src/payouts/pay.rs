//! Pays for an answer: every wei of the escrow is credited, accrued or goes back.

use super::credits::credit;
use super::layout::RequestRecord;
use super::requests::{close, platform};
use crate::datanets::{self, Income, version_rows};
use crate::frame::{Failure, Frame, Result};
use alloy_primitives::{Address, B256, U256};
use openledger_abi::IPayouts::{Settled, Status, UnattributedCredited};
use openledger_abi::PAYOUTS;
use openledger_shares::{FeeParts, divide_by_weight};

/// A dataset of the model, and who owns its Datanet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnedDataset {
    pub(crate) datanet: u64,
    pub(crate) version: u32,
    pub(crate) owner: Address,
}

/// An answer that has been judged worth paying, at most what its request escrowed.
#[derive(Debug)]
pub(crate) struct Answer<'a> {
    pub(crate) request_id: B256,
    pub(crate) slot: U256,
    pub(crate) request: RequestRecord,
    pub(crate) fee: U256,
    pub(crate) parts: FeeParts,
    pub(crate) model_owner: Address,
    pub(crate) attestor: Address,
    /// Inline; ascending, each contribution once.
    pub(crate) earned: &'a [Income],
    /// What neither a share nor the tail earned.
    pub(crate) unattributed_wei: U256,
    pub(crate) datasets: &'a [OwnedDataset],
}

/// Closes the request, credits everyone, and sends the unused escrow back.
pub(crate) fn pay_answer(frame: &mut Frame<'_>, answer: &Answer<'_>) -> Result<()> {
    let Answer { request_id: id, request, fee, parts, .. } = answer;
    close(frame, answer.slot, request, Status::Settled)?;
    let platform = platform(frame)?;
    credit(frame, platform, parts.platform_wei)?;
    credit(frame, answer.model_owner, parts.model_wei)?;
    credit(frame, answer.attestor, parts.stakers_wei)?;
    datanets::accrue_each(frame, answer.earned, true)?;
    if !answer.unattributed_wei.is_zero() {
        pay_unattributed(frame, *id, answer.unattributed_wei, answer.datasets)?;
    }
    let refunded = U256::from(request.max_fee).saturating_sub(*fee);
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

/// What no cluster earned goes to the Datanets' owners by the rows of the model's versions; every version has rows.
fn pay_unattributed(frame: &mut Frame<'_>, id: B256, wei: U256, datasets: &[OwnedDataset]) -> Result<()> {
    let mut rows = Vec::with_capacity(datasets.len());
    for dataset in datasets {
        rows.push(version_rows(frame, dataset.datanet, dataset.version)?);
    }
    let Ok(amounts) = divide_by_weight(wei, &rows) else {
        return Err(Failure::because("a model without rows"));
    };
    for (dataset, amount) in datasets.iter().zip(amounts) {
        if amount.is_zero() {
            continue;
        }
        let &OwnedDataset { datanet, owner: account, .. } = dataset;
        credit(frame, account, amount)?;
        frame.emit(PAYOUTS, &UnattributedCredited { requestId: id, datanet, account, amount })?;
    }
    Ok(())
}
