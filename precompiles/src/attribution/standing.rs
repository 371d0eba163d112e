//! What licences allow a model: until when it may serve, and which contribution ends it then.
//!
//! A model keeps one end, the soonest. Grants that are revoked lower it at once; licences that are withdrawn are listed
//! by their Datanet, and a model looks at those it has not seen when it next settles.

use super::layout::*;
use super::models::{Dataset, Found, datasets_of, find_model, globals, store_datasets};
use crate::datanets::{self, Asked, contribution_of, datanet_title, withdrawals};
use crate::frame::{Frame, Result, load, revert, update};
use crate::payouts::OwnedDataset;
use alloy_primitives::{Address, U256};
use openledger_abi::ATTRIBUTION;
use openledger_abi::IAttribution::*;
use openledger_abi::licence::SERVE;

/// Receipts settled on this chain.
pub(crate) fn receipt_count(frame: &mut Frame<'_>) -> Result<u64> {
    Ok(globals(frame)?.receipts)
}

/// The last second at which a withdrawn licence holds, where it concerns a model that was registered at `registered_at`
/// on `version`: it is in the version, and was not erased before.
pub(super) fn concerns(
    frame: &mut Frame<'_>,
    contribution: u64,
    version: u32,
    registered_at: u64,
) -> Result<Option<u64>> {
    let (_, record) = contribution_of(frame, contribution)?;
    let member = (1..=version).contains(&record.since_version);
    let erased_before = record.tombstoned_at != 0 && record.tombstoned_at <= registered_at;
    Ok((member && !erased_before).then_some(record.withdrawn_after))
}

/// What a model has seen and where it ends, before that is kept.
#[derive(Clone, Debug)]
pub(super) struct Look {
    pub(super) datasets: Vec<Dataset>,
    /// Who owns each dataset's Datanet.
    owners: Vec<Address>,
    head: ModelHead,
    limits: Vec<ModelLimited>,
    /// Withdrawals that it has not looked at.
    pub(super) pending: u64,
    changed: bool,
}

/// Looks at up to `most` withdrawals that the model has not looked at; changes nothing.
pub(super) fn look(frame: &mut Frame<'_>, model: &Found, most: u64) -> Result<Look> {
    let mut datasets = datasets_of(frame, model)?;
    let (mut head, mut limits) = (model.head, Vec::new());
    let (mut left, mut pending, mut changed) = (most, 0, false);
    let mut owners = Vec::with_capacity(datasets.len());
    for dataset in &mut datasets {
        let datanet = datanet_title(frame, dataset.datanet)?;
        owners.push(datanet.owner);
        let unseen = u64::from(datanet.withdrawals.saturating_sub(dataset.checked));
        let count = unseen.min(left);
        pending += unseen - count;
        if count == 0 {
            continue;
        }
        let price: ModelPrice = load(frame, ATTRIBUTION, model.slot.wrapping_add(PRICE))?;
        for contribution in withdrawals(frame, dataset.datanet, dataset.checked, count)? {
            let concerned = concerns(frame, contribution, dataset.version, head.registered_at)?;
            let Some(last) = concerned else { continue };
            let asked = Asked {
                r#use: SERVE,
                purposes: price.purposes,
                regions: price.regions,
                share_alike: head.depth & SHARE_ALIKE != 0,
            };
            let end = match datanets::granted(frame, contribution, head.owner, &asked)? {
                Some(grant) => grant.until(),
                None => last,
            };
            if end != 0 && (head.valid_until == 0 || end < head.valid_until) {
                head.valid_until = end;
                head.ended_by = contribution;
                limits.push(ModelLimited { model: model.id, contribution, validUntil: end });
            }
        }
        dataset.checked = dataset.checked.saturating_add(count as u32);
        left -= count;
        changed = true;
    }
    Ok(Look { datasets, owners, head, limits, pending, changed })
}

impl Look {
    /// Reverts unless the model may serve now.
    pub(super) fn check(&self, frame: &Frame<'_>, model: u64) -> Result<()> {
        if self.pending != 0 {
            revert!(RefreshNeeded { model });
        }
        if self.head.valid_until != 0 && frame.now() > self.head.valid_until {
            revert!(LicenceForbids { contribution: self.head.ended_by, r#use: SERVE });
        }
        Ok(())
    }

    /// Keeps what was seen; gives the model's head, which the caller may change further and must store.
    pub(super) fn keep(&self, frame: &mut Frame<'_>, model: &Found) -> Result<ModelHead> {
        if self.changed {
            store_datasets(frame, model.id, &self.datasets)?;
        }
        Ok(self.head)
    }

    /// The model's datasets, and who owns their Datanets.
    pub(super) fn owned_datasets(&self) -> Vec<OwnedDataset> {
        let pairs = self.datasets.iter().zip(&self.owners);
        pairs
            .map(|(d, owner)| OwnedDataset { datanet: d.datanet, version: d.version, owner: *owner })
            .collect()
    }

    pub(super) fn announce(&self, frame: &mut Frame<'_>) -> Result<()> {
        self.limits.iter().try_for_each(|limit| frame.emit(ATTRIBUTION, limit))
    }
}

/// Reverts unless the model may serve now; keeps nothing.
pub(crate) fn check_standing(frame: &mut Frame<'_>, model: &Found) -> Result<()> {
    look(frame, model, SETTLEMENT_WITHDRAWALS)?.check(frame, model.id)
}

pub(super) fn refresh(frame: &mut Frame<'_>, model: u64) -> Result<u64> {
    let found = find_model(frame, model)?;
    let seen = look(frame, &found, REFRESH_WITHDRAWALS)?;
    let head = seen.keep(frame, &found)?;
    update(frame, ATTRIBUTION, found.slot, &found.head, &head)?;
    seen.announce(frame)?;
    Ok(seen.pending)
}

/// Ends what a model may do after `last`, unless it ends sooner; only where the model is for any purpose or shares a bit
/// with `purposes` (0: all).
pub(crate) fn limit_model(
    frame: &mut Frame<'_>,
    model: u64,
    purposes: u32,
    last: u64,
    contribution: u64,
) -> Result<()> {
    let found = find_model(frame, model)?;
    if purposes != 0 {
        // The purposes follow the platform fee in its slot.
        let word = frame.sload(ATTRIBUTION, found.slot.wrapping_add(PRICE).wrapping_add(U256::ONE))?;
        let own: u32 = (word >> 128u32).wrapping_to();
        if own != 0 && own & purposes == 0 {
            return Ok(());
        }
    }
    let head = found.head;
    if head.valid_until != 0 && last >= head.valid_until {
        return Ok(());
    }
    let limited = ModelHead { valid_until: last, ended_by: contribution, ..head };
    update(frame, ATTRIBUTION, found.slot, &head, &limited)?;
    frame.emit(ATTRIBUTION, &ModelLimited { model, contribution, validUntil: last })
}
