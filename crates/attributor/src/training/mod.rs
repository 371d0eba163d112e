//! From an order to a model on chain, one durable step at a time.

mod make;
mod order;
mod rows;
mod work;

#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use self::make::make;
pub(crate) use self::{
    order::{check, config},
    rows::ChosenRows,
    work::{finish_trainings, remove_stray_folders},
};

use crate::{
    AttributorError, ModelRecord, TrainingRecord, TrainingRequest, TrainingState, dataset, memory::Needs,
    service::Shared, transcript::extras,
};
use alloy_primitives::{B256, U256, keccak256};
use openledger_abi::IAttribution;
use std::{
    ops::ControlFlow,
    sync::Arc,
    time::{Duration, Instant},
};
use tracing::{info, warn};

/// Shares may differ by so much in a re-run.
const BAND_PPM: u32 = 100;
/// Models that are looked at in one question to the chain.
const MODELS_AT_A_TIME: usize = 16;
/// How often the journal learns of steps.
const REPORT_EVERY: Duration = Duration::from_secs(2);
/// Names the method and its version in the model on chain.
pub(crate) const METHOD: &str = "openledger/lora-gauss-newton/v1";

/// Runs a training to its end, whatever state it is in.
pub(crate) async fn run(shared: Arc<Shared>, mut record: TrainingRecord) -> Result<(), AttributorError> {
    let trained = match &record.trained {
        Some(trained) => trained.clone(),
        None => {
            let trained = publish_and_train(&shared, &record).await?;
            record.trained = Some(trained.clone());
            go_on(&shared, &record)?;
            trained
        }
    };
    let model = match trained.model {
        Some(model) => model,
        None => register(&shared, &record.request, &trained).await?,
    };
    info!(name = record.request.name, model, adapter = %trained.adapter_hash, "model is ready");
    record.trained = Some(ModelRecord { model: Some(model), ..trained });
    record.state = TrainingState::Ready;
    shared.progress.training(&record.request.name, &record.state);
    go_on(&shared, &record)
}

/// Records a step, unless the training was cancelled meanwhile.
fn go_on(shared: &Shared, record: &TrainingRecord) -> Result<(), AttributorError> {
    if shared.journal.go_on_training(record)? { Ok(()) } else { Err(AttributorError::Cancelled) }
}

/// Publishes versions, trains and takes gradients.
async fn publish_and_train(
    shared: &Arc<Shared>,
    record: &TrainingRecord,
) -> Result<ModelRecord, AttributorError> {
    // A version that an earlier life of this process sent is not to be published twice.
    shared.chain.nothing_pending().await?;
    let mut datasets = Vec::new();
    for &datanet in &record.request.datanets {
        datasets.push(dataset::publish(&shared.chain, &shared.store, datanet).await?);
    }
    let rows = dataset::load(&shared.chain, &shared.store, &datasets).await?;
    let bytes = rows.iter().map(|row| row.text.len()).sum();
    let needs =
        Needs::of_training(&shared.model_config, &config(&record.request.training), rows.len(), bytes)?;
    let (rows, clusters) = dataset::clustered(rows).await?;
    let (shared, mut record) = (Arc::clone(shared), record.clone());
    let lab = shared.lab.clone();
    let request = record.request.clone();
    lab.run(move |bench| {
        if !shared.journal.training_goes_on(&request)? {
            return Err(AttributorError::Cancelled);
        }
        bench.admit(needs)?;
        let mut reported = Instant::now();
        let mut report = |state: TrainingState| {
            if matches!(shared.journal.training_goes_on(&request), Ok(false)) {
                return ControlFlow::Break(());
            }
            shared.progress.training(&request.name, &state);
            if reported.elapsed() >= REPORT_EVERY {
                reported = Instant::now();
                record.state = state;
                match go_on(&shared, &record) {
                    Err(AttributorError::Cancelled) => return ControlFlow::Break(()),
                    Err(error) => warn!(%error, "progress is not recorded"),
                    Ok(()) => {}
                }
            }
            ControlFlow::Continue(())
        };
        let chosen = ChosenRows::of(&rows, &clusters, &bench.base.tokenizer, bench.base.model.config())?;
        make::make(bench, &request.name, &request.training, datasets, chosen, &mut report)
    })
    .await
}

/// Registers the model, unless an earlier life of this process did.
async fn register(
    shared: &Shared,
    request: &TrainingRequest,
    trained: &ModelRecord,
) -> Result<u64, AttributorError> {
    shared.chain.nothing_pending().await?;
    if let Some(model) = registered(shared, trained.adapter_hash).await? {
        return Ok(model);
    }
    let spec = IAttribution::ModelSpec {
        base: shared.base_hash,
        adapterHash: trained.adapter_hash,
        trainingHash: trained.training_hash,
        method: method_hash(),
        bandPpm: BAND_PPM,
        price: shared.price.clone(),
        split: shared.split.clone(),
        datasets: trained
            .datasets
            .iter()
            .map(|d| IAttribution::DatasetRef { datanet: d.datanet, version: d.version })
            .collect(),
        metadataURI: format!("openledger:model/{}", request.name),
    };
    let extras = extras(&config(&request.training), trained.checkpoint_root);
    shared.chain.send(IAttribution::registerModelWithCall { spec, extras }, U256::ZERO).await?;
    registered(shared, trained.adapter_hash)
        .await?
        .ok_or_else(|| AttributorError::Chain("the registered model is not found".into()))
}

/// The number of this account's model with that adapter.
async fn registered(shared: &Shared, adapter: B256) -> Result<Option<u64>, AttributorError> {
    let count = shared.chain.call(IAttribution::modelCountCall {}).await?;
    let calls: Vec<_> = (1..=count).rev().map(|model| IAttribution::modelOfCall { model }).collect();
    // The newest first, for it is likely to be the one.
    for some in calls.chunks(MODELS_AT_A_TIME) {
        for (call, found) in some.iter().zip(shared.chain.call_many(some).await?) {
            let found = found?;
            if found.owner == shared.chain.account() && found.spec.adapterHash == adapter {
                return Ok(Some(call.model));
            }
        }
    }
    Ok(None)
}

/// Hash of the method and of all that its result depends on besides the adapter.
pub fn method_hash() -> B256 {
    keccak256(METHOD)
}
