//! Registration: a model's datasets, those of its parents and ancestors included, and whether their licences permit it.

use super::layout::*;
use super::models::{Dataset, datasets_of, find_model, globals, store_datasets, write_attestor};
use super::standing::concerns;
use crate::datanets::{
    self, Asked, Permission, ancestors, datanet_head, layout::VersionRecord, specials, version_of,
    withdrawals,
};
use crate::frame::{Frame, Result, entry, revert, store, store_elements, store_text, update};
use alloy_primitives::{Address, U256};
use openledger_abi::IAttribution::*;
use openledger_abi::licence::{SERVE, TRAIN};
use openledger_abi::{ATTRIBUTION, IDatanets};
use openledger_shares::BPS;
use std::collections::BTreeMap;

pub(super) fn register(frame: &mut Frame<'_>, spec: &ModelSpec) -> Result<u64> {
    register_model(frame, spec, &ModelExtras::default())
}

pub(super) fn register_with(frame: &mut Frame<'_>, call: registerModelWithCall) -> Result<u64> {
    let registerModelWithCall { spec, extras } = call;
    let model = register_model(frame, &spec, &extras)?;
    frame.emit(ATTRIBUTION, &ModelDescribed { model, extras })?;
    Ok(model)
}

fn register_model(frame: &mut Frame<'_>, spec: &ModelSpec, extras: &ModelExtras) -> Result<u64> {
    check_spec(spec)?;
    let depth = check_parents(frame, &extras.parents)?;
    let mut datasets = gather(frame, spec, extras)?;
    let mut licences = Licences::new(frame.caller(), extras);
    licences.check(frame, &mut datasets)?;
    let old = globals(frame)?;
    let (model, owner) = (old.models.saturating_add(1), frame.caller());
    for &contribution in &licences.relying {
        if !datanets::rely(frame, contribution, owner, model)? {
            revert!(GrantFull { contribution, grantee: owner });
        }
    }
    update(frame, ATTRIBUTION, U256::ZERO, &old, &Globals { models: model, ..old })?;
    let head = ModelHead {
        owner,
        registered_at: frame.now(),
        band_ppm: spec.bandPpm,
        receipts: 0,
        platform_bps: spec.split.platform,
        model_bps: spec.split.model,
        stakers_bps: spec.split.stakers,
        datasets: datasets.len() as u8,
        depth: depth | (u8::from(extras.shareAlike) * SHARE_ALIKE),
        valid_until: licences.until,
        ended_by: licences.by,
    };
    keep(frame, model, &head, spec, extras)?;
    store_datasets(frame, model, &datasets)?;
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

fn keep(
    frame: &mut Frame<'_>,
    model: u64,
    head: &ModelHead,
    spec: &ModelSpec,
    extras: &ModelExtras,
) -> Result<()> {
    let slot = entry(frame, MODELS_SLOT, U256::from(model))?;
    store(frame, ATTRIBUTION, slot, head)?;
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
        purposes: extras.purposes,
        regions: extras.regions,
    };
    store(frame, ATTRIBUTION, slot.wrapping_add(PRICE), &price)?;
    store_text(frame, ATTRIBUTION, slot.wrapping_add(METADATA_URI), &spec.metadataURI)?;
    let training = ModelTraining {
        data_order_seed: extras.dataOrderSeed,
        hyper_parameters: extras.hyperParameters,
        checkpoint_root: extras.checkpointRoot,
    };
    update(frame, ATTRIBUTION, slot.wrapping_add(TRAINING), &ModelTraining::default(), &training)?;
    store_elements(frame, ATTRIBUTION, slot.wrapping_add(PARENTS), 0, &extras.parents)
}

/// The rules that a model keeps whatever the state.
fn check_spec(spec: &ModelSpec) -> Result<()> {
    let given = spec.datasets.len();
    if given == 0 {
        revert!(NoDatasets {});
    }
    check_count(given)?;
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
    Ok(())
}

fn check_count(given: usize) -> Result<()> {
    if given > MAX_DATASETS {
        revert!(TooManyDatasets { maximum: U256::from(MAX_DATASETS), given: U256::from(given) });
    }
    Ok(())
}

/// The model's depth. A parent is older than its child, so there are no cycles.
fn check_parents(frame: &mut Frame<'_>, parents: &[u64]) -> Result<u8> {
    if parents.len() > MAX_PARENTS {
        revert!(TooManyParents { maximum: U256::from(MAX_PARENTS), given: U256::from(parents.len()) });
    }
    let (mut depth, mut before) = (0, 0);
    for &parent in parents {
        if parent <= before {
            revert!(ParentsNotAscending { parent });
        }
        let above = find_model(frame, parent)?.head.depth & !SHARE_ALIKE;
        depth = depth.max(above.saturating_add(1));
        before = parent;
    }
    if depth > MAX_DEPTH {
        revert!(TooDeep { maximum: U256::from(MAX_DEPTH) });
    }
    Ok(depth)
}

/// The datasets given, their Datanets' ancestors and the parents' datasets; of each Datanet the latest version.
fn gather(frame: &mut Frame<'_>, spec: &ModelSpec, extras: &ModelExtras) -> Result<Vec<Dataset>> {
    let mut latest: BTreeMap<u64, u32> = BTreeMap::new();
    let mut add = |datanet, version: u32| {
        let known = latest.entry(datanet).or_insert(version);
        *known = version.max(*known);
    };
    let mut heads = Vec::with_capacity(spec.datasets.len());
    for dataset in &spec.datasets {
        let (_, head) = datanet_head(frame, dataset.datanet)?;
        version_of(frame, dataset.datanet, dataset.version)?;
        heads.push(head);
    }
    for (dataset, head) in spec.datasets.iter().zip(heads) {
        add(dataset.datanet, dataset.version);
        for IDatanets::Ancestor { datanet, version, .. } in ancestors(frame, dataset.datanet, head.ancestors)?
        {
            add(datanet, version);
        }
    }
    for &parent in &extras.parents {
        let model = find_model(frame, parent)?;
        for dataset in datasets_of(frame, &model)? {
            add(dataset.datanet, dataset.version);
        }
    }
    check_count(latest.len())?;
    Ok(latest.into_iter().map(|(datanet, version)| Dataset { datanet, version, checked: 0 }).collect())
}

/// What the licences allow a model that is about to be registered.
struct Licences<'a> {
    licensee: Address,
    extras: &'a ModelExtras,
    until: u64,
    by: u64,
    /// Contributions that a grant permits, in the order found.
    relying: Vec<u64>,
}

impl<'a> Licences<'a> {
    const fn new(licensee: Address, extras: &'a ModelExtras) -> Self {
        Self { licensee, extras, until: 0, by: 0, relying: Vec::new() }
    }

    const fn asked(&self, r#use: u16) -> Asked {
        Asked {
            r#use,
            purposes: self.extras.purposes,
            regions: self.extras.regions,
            share_alike: self.extras.shareAlike,
        }
    }

    /// The soonest end counts, and of two as soon the first found.
    const fn lower(&mut self, until: u64, contribution: u64) {
        if until != 0 && (self.until == 0 || until < self.until) {
            self.until = until;
            self.by = contribution;
        }
    }

    fn rely(&mut self, contribution: u64) {
        if !self.relying.contains(&contribution) {
            self.relying.push(contribution);
        }
    }

    fn check(&mut self, frame: &mut Frame<'_>, datasets: &mut [Dataset]) -> Result<()> {
        let mut versions = Vec::with_capacity(datasets.len());
        for dataset in datasets.iter() {
            versions.push(version_of(frame, dataset.datanet, dataset.version)?);
        }
        let restricted = versions.iter().map(|version| u64::from(version.specials)).sum::<u64>();
        if restricted > MAX_RESTRICTED {
            revert!(TooManyRestricted { maximum: U256::from(MAX_RESTRICTED), given: U256::from(restricted) });
        }
        for (dataset, version) in datasets.iter_mut().zip(&versions) {
            self.check_specials(frame, dataset, version)?;
            if version.expiry != 0 && frame.now() > version.expiry {
                revert!(LicenceForbids { contribution: version.first_to_expire, r#use: TRAIN });
            }
            self.lower(version.expiry, version.first_to_expire);
            self.check_withdrawals(frame, dataset)?;
        }
        Ok(())
    }

    fn check_specials(
        &mut self,
        frame: &mut Frame<'_>,
        dataset: &Dataset,
        version: &VersionRecord,
    ) -> Result<()> {
        for contribution in specials(frame, dataset.datanet, version.specials)? {
            for r#use in [TRAIN, SERVE] {
                let asked = self.asked(r#use);
                match datanets::permission(frame, contribution, self.licensee, &asked)? {
                    None => revert!(LicenceForbids { contribution, r#use }),
                    Some(permission) => {
                        if matches!(permission, Permission::Granted(_)) {
                            self.rely(contribution);
                        }
                        self.lower(permission.until(), contribution);
                    }
                }
            }
        }
        Ok(())
    }

    fn check_withdrawals(&mut self, frame: &mut Frame<'_>, dataset: &mut Dataset) -> Result<()> {
        let (_, head) = datanet_head(frame, dataset.datanet)?;
        let looked = head.withdrawals.min(REGISTRATION_WITHDRAWALS);
        let now = frame.now();
        for contribution in withdrawals(frame, dataset.datanet, 0, u64::from(looked))? {
            let Some(last) = concerns(frame, contribution, dataset.version, now)? else { continue };
            let [train, serve] = [self.asked(TRAIN), self.asked(SERVE)];
            let train = datanets::granted(frame, contribution, self.licensee, &train)?;
            let serve = datanets::granted(frame, contribution, self.licensee, &serve)?;
            if let (Some(grant), Some(_)) = (train, serve) {
                self.lower(grant.until(), contribution);
                self.rely(contribution);
            } else if now > last {
                revert!(LicenceForbids { contribution, r#use: TRAIN });
            } else {
                self.lower(last, contribution);
            }
        }
        dataset.checked = looked;
        Ok(())
    }
}
