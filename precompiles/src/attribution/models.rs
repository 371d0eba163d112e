//! Models: what they were trained on, what they cost, who may answer for them.

use super::layout::*;
use super::standing::look;
use crate::frame::{
    Frame, Result, entry, entry2, load, load_elements, load_text, revert, store, store_elements,
};
use alloy_primitives::{Address, U256};
use openledger_abi::ATTRIBUTION;
use openledger_abi::IAttribution::{self, *};
use openledger_shares::BPS;

/// A model that exists.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) id: u64,
    pub(crate) slot: U256,
    pub(crate) head: ModelHead,
}

/// A dataset of a model, and how many of its Datanet's withdrawals the model has looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dataset {
    pub(crate) datanet: u64,
    pub(crate) version: u32,
    pub(super) checked: u32,
}

pub(super) fn globals(frame: &mut Frame<'_>) -> Result<Globals> {
    load(frame, ATTRIBUTION, U256::ZERO)
}

/// A model that exists.
pub(crate) fn find_model(frame: &mut Frame<'_>, model: u64) -> Result<Found> {
    let slot = entry(frame, MODELS_SLOT, U256::from(model))?;
    let head: ModelHead = load(frame, ATTRIBUTION, slot)?;
    if head.owner.is_zero() {
        revert!(UnknownModel { model });
    }
    Ok(Found { id: model, slot, head })
}

/// The same, of the caller's own.
fn owned_model(frame: &mut Frame<'_>, model: u64) -> Result<Found> {
    let (found, account) = (find_model(frame, model)?, frame.caller());
    if found.head.owner != account {
        revert!(NotModelOwner { model, account });
    }
    Ok(found)
}

/// A model's price.
pub(crate) fn price_of(frame: &mut Frame<'_>, model: &Found) -> Result<openledger_shares::Price> {
    let price: ModelPrice = load(frame, ATTRIBUTION, model.slot.wrapping_add(PRICE))?;
    Ok(openledger_shares::Price {
        per_token_in_wei: price.per_token_in,
        per_token_out_wei: price.per_token_out,
        platform_fee_wei: price.platform_fee,
    })
}

/// A model's split.
pub(crate) const fn split_of(model: &Found) -> openledger_shares::Split {
    openledger_shares::Split {
        platform_bps: model.head.platform_bps,
        model_bps: model.head.model_bps,
        stakers_bps: model.head.stakers_bps,
        contributors_bps: model.head.contributors_bps(),
    }
}

impl ModelHead {
    /// What the other parts leave.
    pub(crate) const fn contributors_bps(&self) -> u16 {
        let others = self.platform_bps.saturating_add(self.model_bps).saturating_add(self.stakers_bps);
        (BPS as u16).saturating_sub(others)
    }
}

/// A model's datasets, ascending by Datanet; two a slot.
pub(crate) fn datasets_of(frame: &mut Frame<'_>, model: &Found) -> Result<Vec<Dataset>> {
    let count = u64::from(model.head.datasets).min(MAX_DATASETS as u64);
    let first = entry(frame, DATASETS_SLOT, U256::from(model.id))?;
    let words: Vec<u128> = load_elements(frame, ATTRIBUTION, first, 0, count)?;
    let read = |word: u128| Dataset {
        datanet: word as u64,
        version: (word >> 64) as u32,
        checked: (word >> 96) as u32,
    };
    Ok(words.into_iter().map(read).collect())
}

pub(super) fn store_datasets(frame: &mut Frame<'_>, model: u64, datasets: &[Dataset]) -> Result<()> {
    let words: Vec<u128> = datasets
        .iter()
        .map(|d| u128::from(d.datanet) | u128::from(d.version) << 64 | u128::from(d.checked) << 96)
        .collect();
    let first = entry(frame, DATASETS_SLOT, U256::from(model))?;
    store_elements(frame, ATTRIBUTION, first, 0, &words)
}

pub(super) fn set_attestor(
    frame: &mut Frame<'_>,
    model: u64,
    attestor: Address,
    allowed: bool,
) -> Result<()> {
    owned_model(frame, model)?;
    if attestor.is_zero() {
        revert!(ZeroAddress {});
    }
    write_attestor(frame, model, attestor, allowed)?;
    frame.emit(ATTRIBUTION, &AttestorSet { model, attestor, allowed })
}

pub(super) fn write_attestor(
    frame: &mut Frame<'_>,
    model: u64,
    attestor: Address,
    allowed: bool,
) -> Result<()> {
    let slot = entry2(frame, ATTESTORS_SLOT, U256::from(model), attestor.into_word())?;
    frame.sstore(ATTRIBUTION, slot, U256::from(allowed))
}

pub(super) fn is_attestor(frame: &mut Frame<'_>, model: u64, account: Address) -> Result<bool> {
    let slot = entry2(frame, ATTESTORS_SLOT, U256::from(model), account.into_word())?;
    Ok(!frame.sload(ATTRIBUTION, slot)?.is_zero())
}

pub(super) fn model_of(frame: &mut Frame<'_>, model: u64) -> Result<Model> {
    let found = find_model(frame, model)?;
    let head = found.head;
    let hashes: ModelHashes = load(frame, ATTRIBUTION, found.slot.wrapping_add(HASHES))?;
    let price = price_of(frame, &found)?;
    let datasets = datasets_of(frame, &found)?;
    let shown = |d: &Dataset| DatasetRef { datanet: d.datanet, version: d.version };
    Ok(Model {
        owner: head.owner,
        registeredAt: head.registered_at,
        receipts: head.receipts,
        spec: ModelSpec {
            base: hashes.base,
            adapterHash: hashes.adapter,
            trainingHash: hashes.training,
            method: hashes.method,
            bandPpm: head.band_ppm,
            price: IAttribution::Price {
                perTokenIn: price.per_token_in_wei,
                perTokenOut: price.per_token_out_wei,
                platformFee: price.platform_fee_wei,
            },
            split: IAttribution::Split {
                platform: head.platform_bps,
                model: head.model_bps,
                stakers: head.stakers_bps,
                contributors: head.contributors_bps(),
            },
            datasets: datasets.iter().map(shown).collect(),
            metadataURI: load_text(frame, ATTRIBUTION, found.slot.wrapping_add(METADATA_URI), MAX_URI)?,
        },
    })
}

pub(super) fn standing_of(frame: &mut Frame<'_>, model: u64) -> Result<Standing> {
    let found = find_model(frame, model)?;
    let head = found.head;
    let pending = look(frame, &found, 0)?.pending;
    let price: ModelPrice = load(frame, ATTRIBUTION, found.slot.wrapping_add(PRICE))?;
    let training: ModelTraining = load(frame, ATTRIBUTION, found.slot.wrapping_add(TRAINING))?;
    let slot = found.slot.wrapping_add(PARENTS);
    let mut parents: Vec<u64> = load_elements(frame, ATTRIBUTION, slot, 0, MAX_PARENTS as u64)?;
    parents.retain(|parent| *parent != 0);
    Ok(Standing {
        validUntil: head.valid_until,
        endedBy: head.ended_by,
        pending,
        depth: head.depth & !SHARE_ALIKE,
        extras: ModelExtras {
            parents,
            dataOrderSeed: training.data_order_seed,
            hyperParameters: training.hyper_parameters,
            checkpointRoot: training.checkpoint_root,
            purposes: price.purposes,
            regions: price.regions,
            shareAlike: head.depth & SHARE_ALIKE != 0,
        },
    })
}

pub(super) fn publish_faithfulness(frame: &mut Frame<'_>, call: &publishFaithfulnessCall) -> Result<()> {
    let &publishFaithfulnessCall { model, ldsPpm, errorPpm, samples, evidence } = call;
    let found = owned_model(frame, model)?;
    let record = FaithfulnessRecord {
        lds_ppm: ldsPpm.cast_unsigned(),
        error_ppm: errorPpm,
        samples,
        published_at: frame.now(),
        evidence,
    };
    store(frame, ATTRIBUTION, found.slot.wrapping_add(FAITHFULNESS), &record)?;
    frame.emit(ATTRIBUTION, &FaithfulnessPublished { model, ldsPpm, errorPpm, samples, evidence })
}

pub(super) fn faithfulness_of(frame: &mut Frame<'_>, model: u64) -> Result<Faithfulness> {
    let found = find_model(frame, model)?;
    let record: FaithfulnessRecord = load(frame, ATTRIBUTION, found.slot.wrapping_add(FAITHFULNESS))?;
    Ok(Faithfulness {
        ldsPpm: record.lds_ppm.cast_signed(),
        errorPpm: record.error_ppm,
        samples: record.samples,
        publishedAt: record.published_at,
        evidence: record.evidence,
    })
}
