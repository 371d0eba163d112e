//! Models: what they were trained on, what they cost, who may answer for them.

use super::layout::*;
use crate::datanets::{self, datanet_head, layout::VersionRecord, version_of};
use crate::frame::{Frame, Result, entry, entry2, load, load_text, revert, store, store_text, update};
use alloy_primitives::{Address, U256};
use openledger_abi::IAttribution::{self, *};
use openledger_abi::{ATTRIBUTION, licence};
use openledger_shares::BPS;

/// A model that exists.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) id: u64,
    pub(crate) slot: U256,
    pub(crate) head: ModelHead,
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

/// A model's datasets, as `uint96[16]`: two a slot.
pub(super) fn datasets_of(frame: &mut Frame<'_>, model: &Found) -> Result<Vec<DatasetRef>> {
    let count = usize::from(model.head.datasets).min(MAX_DATASETS);
    let base = entry(frame, DATASETS_SLOT, U256::from(model.id))?;
    let mut datasets = Vec::with_capacity(count);
    for index in 0..count.div_ceil(2) {
        let word = frame.sload(ATTRIBUTION, base.wrapping_add(U256::from(index)))?;
        for half in 0..2.min(count - 2 * index) {
            let bits: U256 = word >> (96 * half);
            datasets.push(DatasetRef { datanet: bits.wrapping_to(), version: (bits >> 64u32).wrapping_to() });
        }
    }
    Ok(datasets)
}

/// Reverts when a dataset forbids a use now; gives the versions.
fn check_licences(frame: &mut Frame<'_>, datasets: &[DatasetRef], uses: u16) -> Result<Vec<VersionRecord>> {
    let mut versions = Vec::with_capacity(datasets.len());
    for dataset in datasets {
        let version = version_of(frame, dataset.datanet, dataset.version)?;
        for contribution in datanets::specials(frame, dataset.datanet, version.specials)? {
            for r#use in [licence::TRAIN, licence::SERVE].into_iter().filter(|r#use| uses & r#use != 0) {
                let asked = datanets::Asked { r#use, purposes: 0, regions: 0, share_alike: false };
                let account = frame.caller();
                if datanets::permission(frame, contribution, account, &asked)?.is_none() {
                    revert!(LicenceForbids { contribution, r#use });
                }
            }
        }
        if version.expiry != 0 && frame.now() > version.expiry {
            let first_use = if uses & licence::TRAIN != 0 { licence::TRAIN } else { licence::SERVE };
            revert!(LicenceForbids { contribution: version.first_to_expire, r#use: first_use });
        }
        versions.push(version);
    }
    Ok(versions)
}

/// The model's datasets and versions, when each permits `uses` now.
pub(crate) fn check_serving(
    frame: &mut Frame<'_>,
    model: &Found,
    uses: u16,
) -> Result<Vec<(DatasetRef, VersionRecord)>> {
    let datasets = datasets_of(frame, model)?;
    let versions = check_licences(frame, &datasets, uses)?;
    Ok(datasets.into_iter().zip(versions).collect())
}

pub(super) fn register(frame: &mut Frame<'_>, spec: &ModelSpec) -> Result<u64> {
    check_spec(frame, spec)?;
    let old = globals(frame)?;
    let (model, owner) = (old.models.saturating_add(1), frame.caller());
    update(frame, ATTRIBUTION, U256::ZERO, &old, &Globals { models: model, ..old })?;
    let slot = entry(frame, MODELS_SLOT, U256::from(model))?;
    let head = ModelHead {
        owner,
        registered_at: frame.now(),
        band_ppm: spec.bandPpm,
        receipts: 0,
        platform_bps: spec.split.platform,
        model_bps: spec.split.model,
        stakers_bps: spec.split.stakers,
        datasets: spec.datasets.len() as u8,
        ..ModelHead::default()
    };
    store(frame, ATTRIBUTION, slot, &head)?;
    let hashes = ModelHashes {
        base: spec.base,
        adapter: spec.adapterHash,
        training: spec.trainingHash,
        method: spec.method,
    };
    store(frame, ATTRIBUTION, slot.wrapping_add(HASHES), &hashes)?;
    let price = ModelPrice {
        per_token_in: spec.price.perTokenIn,
        per_token_out: spec.price.perTokenOut,
        platform_fee: spec.price.platformFee,
        ..ModelPrice::default()
    };
    store(frame, ATTRIBUTION, slot.wrapping_add(PRICE), &price)?;
    store_text(frame, ATTRIBUTION, slot.wrapping_add(METADATA_URI), &spec.metadataURI)?;
    let base = entry(frame, DATASETS_SLOT, U256::from(model))?;
    for (index, pair) in spec.datasets.chunks(2).enumerate() {
        let word = pair.iter().rev().fold(U256::ZERO, |word, dataset| {
            (word << 96) | U256::from(dataset.datanet) | (U256::from(dataset.version) << 64)
        });
        frame.sstore(ATTRIBUTION, base.wrapping_add(U256::from(index)), word)?;
    }
    write_attestor(frame, model, owner, true)?;
    let event = ModelRegistered {
        model,
        owner,
        base: spec.base,
        adapterHash: spec.adapterHash,
        metadataURI: spec.metadataURI.clone(),
    };
    frame.emit(ATTRIBUTION, &event)?;
    frame.emit(ATTRIBUTION, &AttestorSet { model, attestor: owner, allowed: true })?;
    Ok(model)
}

fn check_spec(frame: &mut Frame<'_>, spec: &ModelSpec) -> Result<()> {
    let given = spec.datasets.len();
    if given == 0 {
        revert!(NoDatasets {});
    }
    if given > MAX_DATASETS {
        revert!(TooManyDatasets { maximum: U256::from(MAX_DATASETS), given: U256::from(given) });
    }
    if let Some(pair) = spec.datasets.windows(2).find(|pair| pair[0].datanet >= pair[1].datanet) {
        revert!(DatasetsNotAscending { datanet: pair[1].datanet });
    }
    let split = &spec.split;
    let sum =
        [split.platform, split.model, split.stakers, split.contributors].map(u32::from).iter().sum::<u32>();
    if sum != BPS {
        revert!(WrongSplit { sum: U256::from(sum) });
    }
    if spec.bandPpm > MAX_BAND_PPM {
        revert!(BandTooWide { maximum: MAX_BAND_PPM, given: spec.bandPpm });
    }
    if spec.metadataURI.len() > MAX_URI {
        revert!(TooLong { maximum: U256::from(MAX_URI), given: U256::from(spec.metadataURI.len()) });
    }
    for dataset in &spec.datasets {
        datanet_head(frame, dataset.datanet)?;
    }
    check_licences(frame, &spec.datasets, licence::TRAIN | licence::SERVE)?;
    Ok(())
}

pub(super) fn set_attestor(
    frame: &mut Frame<'_>,
    model: u64,
    attestor: Address,
    allowed: bool,
) -> Result<()> {
    let account = frame.caller();
    if find_model(frame, model)?.head.owner != account {
        revert!(NotModelOwner { model, account });
    }
    if attestor.is_zero() {
        revert!(ZeroAddress {});
    }
    write_attestor(frame, model, attestor, allowed)?;
    frame.emit(ATTRIBUTION, &AttestorSet { model, attestor, allowed })
}

fn write_attestor(frame: &mut Frame<'_>, model: u64, attestor: Address, allowed: bool) -> Result<()> {
    let slot = entry2(frame, ATTESTORS_SLOT, U256::from(model), attestor.into_word())?;
    frame.sstore(ATTRIBUTION, slot, U256::from(allowed))
}

pub(super) fn is_attestor(frame: &mut Frame<'_>, model: u64, account: Address) -> Result<bool> {
    let slot = entry2(frame, ATTESTORS_SLOT, U256::from(model), account.into_word())?;
    Ok(!frame.sload(ATTRIBUTION, slot)?.is_zero())
}

pub(super) fn hashes_of(frame: &mut Frame<'_>, model: &Found) -> Result<ModelHashes> {
    load(frame, ATTRIBUTION, model.slot.wrapping_add(HASHES))
}

pub(super) fn model_of(frame: &mut Frame<'_>, model: u64) -> Result<Model> {
    let found = find_model(frame, model)?;
    let head = found.head;
    let hashes = hashes_of(frame, &found)?;
    let price = price_of(frame, &found)?;
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
            datasets: datasets_of(frame, &found)?,
            metadataURI: load_text(frame, ATTRIBUTION, found.slot.wrapping_add(METADATA_URI), MAX_URI)?,
        },
    })
}
