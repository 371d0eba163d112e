//! From an order to a model on chain, one durable step at a time.

use crate::{
    AttributorError, DatasetVersion, HeldOut, ModelRecord, TrainingRecord, TrainingRequest, TrainingSettings,
    TrainingState,
    dataset::{self, DatasetRow},
    lab::{ADAPTER_FILE, Bench, GRADIENTS_FILE},
    records::RowRef,
    service::Shared,
    transcript::{Transcript, extras},
};
use alloy_primitives::{B256, U256, keccak256};
use openledger_abi::IAttribution;
use openledger_attribution::GradientStore;
use openledger_model::{Checkpoint, ModelConfig, Sequence, TrainConfig, mean_loss, train_checkpointed};
use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    sync::Arc,
    time::{Duration, Instant},
};
use tracing::{info, warn};

/// Of the canonical rows of a Datanet, one in so many is kept out of training.
const HELD_OUT_EVERY: usize = 16;
/// Datanets of one model, as many as the chain takes.
const MAX_DATANETS: usize = 16;
/// A rank above this multiplies the gradients that are kept of every row, and gains nothing on a small model.
const MAX_RANK: usize = 64;
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
            let trained = make(&shared, &record).await?;
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
    shared.journal.put_training(&record)
}

/// Records a step, unless the training was cancelled meanwhile.
fn go_on(shared: &Shared, record: &TrainingRecord) -> Result<(), AttributorError> {
    if shared.journal.go_on_training(record)? { Ok(()) } else { Err(AttributorError::Cancelled) }
}

/// Publishes versions, trains and takes gradients.
async fn make(shared: &Arc<Shared>, record: &TrainingRecord) -> Result<ModelRecord, AttributorError> {
    // A version that an earlier life of this process sent is not to be published twice.
    shared.chain.nothing_pending().await?;
    let mut datasets = Vec::new();
    for &datanet in &record.request.datanets {
        datasets.push(dataset::publish(&shared.chain, &shared.store, datanet).await?);
    }
    let rows = dataset::load(&shared.chain, &shared.store, &datasets).await?;
    let (shared, mut record) = (Arc::clone(shared), record.clone());
    let lab = shared.lab.clone();
    let request = record.request.clone();
    lab.run(move |bench| {
        let mut reported = Instant::now();
        let mut report = |state: TrainingState| {
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
        on_bench(bench, &request.name, &request.training, datasets, &rows, &mut report)
    })
    .await
}

/// The part that runs on the model's thread.
fn on_bench(
    bench: &mut Bench,
    name: &str,
    settings: &TrainingSettings,
    datasets: Vec<DatasetVersion>,
    rows: &[DatasetRow],
    report: &mut impl FnMut(TrainingState) -> ControlFlow<()>,
) -> Result<ModelRecord, AttributorError> {
    let clusters = dataset::clusters(rows)?;
    let canonical: Vec<&DatasetRow> = clusters.canonical().iter().map(|&i| &rows[i]).collect();
    let (used, held_out) = hold_out(&canonical);
    let config = config(settings);
    let folder = bench.folder(name);
    std::fs::create_dir_all(&folder)
        .map_err(|source| AttributorError::Io { path: folder.display().to_string(), source })?;
    config.lora.validate(bench.model.config())?;
    let first_layer = config.lora.first_layer(bench.model.config());
    let (model, tokenizer, cache) = bench.with_prefix(first_layer);
    let sequences = |rows: &[&DatasetRow]| -> Result<Vec<Sequence>, AttributorError> {
        rows.iter().map(|row| Ok(tokenizer.row(&row.text)?)).collect()
    };
    let (used_sequences, held_out_sequences) = (sequences(&used)?, sequences(&held_out)?);

    let started = Instant::now();
    let mut transcript = Transcript::start(&folder, &config, used_sequences.len())?;
    let every = Transcript::every(&config, used_sequences.len());
    let keep = |checkpoint: &Checkpoint| transcript.keep(&folder, checkpoint);
    let trained = train_checkpointed(model, cache, &used_sequences, &[], &config, every, keep, |progress| {
        info!(name, step = progress.step, steps = progress.steps, loss = progress.loss, "training");
        report(TrainingState::Training { step: progress.step, steps: progress.steps, loss: progress.loss })
    })?;
    let checkpoint_root = transcript.finish(&folder)?;
    let training_seconds = started.elapsed().as_secs_f64();
    let mut by_datanet: BTreeMap<u64, Vec<Sequence>> = BTreeMap::new();
    for (row, sequence) in held_out.iter().zip(held_out_sequences) {
        by_datanet.entry(row.datanet).or_default().push(sequence);
    }
    let mut evaluated = Vec::new();
    for (datanet, sequences) in by_datanet {
        let before = mean_loss(model, None, cache, &sequences)?;
        let after = mean_loss(model, Some(&trained.adapter), cache, &sequences)?;
        if let (Some(before), Some(after)) = (before, after) {
            evaluated.push(HeldOut { datanet, rows: sequences.len(), before, after });
        }
    }

    let started = Instant::now();
    let total = used_sequences.len();
    GradientStore::build(
        &folder.join(GRADIENTS_FILE),
        model,
        &trained.adapter,
        cache,
        &used_sequences,
        |done| {
            // Cancelled while gradients are taken, it ends with them, before the chain hears of it.
            let _ = report(TrainingState::Scoring { done, rows: total });
        },
    )?;
    trained.adapter.save(&folder.join(ADAPTER_FILE))?;
    let last = &trained.losses[trained.losses.len() - trained.losses.len().div_ceil(10)..];
    Ok(ModelRecord {
        model: None,
        datasets,
        adapter_hash: trained.adapter.hash()?,
        training_hash: trained.transcript_hash,
        checkpoint_root,
        loss_first: trained.losses.first().copied().unwrap_or(f64::NAN),
        loss_last: last.iter().sum::<f64>() / last.len() as f64,
        held_out: evaluated,
        rows: used.iter().map(|row| row.place).collect::<Vec<RowRef>>(),
        duplicates: rows.len() - canonical.len(),
        seconds: vec![
            ("training".into(), training_seconds),
            ("gradients".into(), started.elapsed().as_secs_f64()),
        ],
    })
}

/// Splits off every sixteenth row of each Datanet.
pub(crate) fn hold_out<'a>(rows: &[&'a DatasetRow]) -> (Vec<&'a DatasetRow>, Vec<&'a DatasetRow>) {
    let mut seen: BTreeMap<u64, usize> = BTreeMap::new();
    rows.iter().partition(|row| {
        let count = seen.entry(row.datanet).or_default();
        *count += 1;
        !count.is_multiple_of(HELD_OUT_EVERY)
    })
}

/// Refuses an order that cannot be carried out on a model of these sizes.
pub(crate) fn check(request: &TrainingRequest, model: &ModelConfig) -> Result<(), AttributorError> {
    let invalid = |reason: String| Err(AttributorError::Invalid(reason));
    let name_fits = (1..=64).contains(&request.name.len())
        && request.name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if !name_fits {
        return invalid("a name has 1 to 64 letters, digits, '-' or '_'".into());
    }
    let ascending = request.datanets.windows(2).all(|pair| pair[0] < pair[1]);
    if request.datanets.is_empty() || request.datanets.len() > MAX_DATANETS || !ascending {
        return invalid(format!("name 1 to {MAX_DATANETS} Datanets, ascending"));
    }
    let config = config(&request.training);
    if config.lora.rank > MAX_RANK {
        return invalid(format!("rank is {}, allowed are 1 to {MAX_RANK}", config.lora.rank));
    }
    let fits = config.lora.validate(model).and_then(|()| config.validate());
    fits.map_err(|error| AttributorError::Invalid(error.to_string()))
}

fn config(settings: &TrainingSettings) -> TrainConfig {
    let mut config = TrainConfig::default();
    let lora = &mut config.lora;
    lora.rank = settings.rank.unwrap_or(lora.rank);
    lora.n_layers = settings.layers.unwrap_or(lora.n_layers);
    config.epochs = settings.epochs.unwrap_or(config.epochs);
    config.learning_rate = settings.learning_rate.unwrap_or(config.learning_rate);
    config.seed = settings.seed.unwrap_or(config.seed);
    config
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

#[cfg(test)]
mod tests {
    use super::*;

    fn order(settings: serde_json::Value) -> Result<(), AttributorError> {
        let model = crate::stub::model_config();
        let training = serde_json::from_value(settings).unwrap();
        check(&TrainingRequest { name: "a".into(), datanets: vec![1], training }, &model)
    }

    #[test]
    fn knobs_out_of_range_are_refused_when_ordered() {
        use serde_json::json;
        for fine in [
            json!({}),
            json!({ "rank": 64, "layers": 30, "epochs": 100, "learning_rate": 1.0, "seed": u64::MAX }),
            json!({ "rank": 1, "layers": 1, "epochs": 1, "learning_rate": 1e-9 }),
        ] {
            order(fine).unwrap();
        }
        for (wrong, named) in [
            (json!({ "rank": 0 }), "rank"),
            (json!({ "rank": 65 }), "rank"),
            (json!({ "layers": 0 }), "layers"),
            (json!({ "layers": 31 }), "layers"),
            (json!({ "epochs": 0 }), "epochs"),
            (json!({ "epochs": 101 }), "epochs"),
            (json!({ "learning_rate": 0.0 }), "learning rate"),
            (json!({ "learning_rate": -1.0 }), "learning rate"),
            (json!({ "learning_rate": 1.5 }), "learning rate"),
        ] {
            let refused = order(wrong.clone()).unwrap_err();
            assert!(refused.to_string().contains(named), "{wrong}: {refused}");
            assert_eq!(refused.status(), axum::http::StatusCode::BAD_REQUEST);
        }
        let learning_rate = Some(f64::NAN);
        assert!(config(&TrainingSettings { learning_rate, ..Default::default() }).validate().is_err());
    }

    #[test]
    fn one_row_in_sixteen_of_each_datanet_is_held_out() {
        let rows: Vec<DatasetRow> = (0..80)
            .map(|i| DatasetRow {
                place: RowRef { contribution: 1, row: i },
                datanet: u64::from(i % 2),
                priority: 1,
                text: String::new(),
            })
            .collect();
        let (used, held_out) = hold_out(&rows.iter().collect::<Vec<_>>());
        assert_eq!((used.len(), held_out.len()), (76, 4));
        assert_eq!(held_out.iter().filter(|row| row.datanet == 0).count(), 2);
    }
}
