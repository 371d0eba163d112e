//! The part of a training that runs on the model's thread.

use super::{config, rows::ChosenRows};
use crate::{
    AttributorError, DatasetVersion, HeldOut, ModelRecord, TrainingSettings, TrainingState,
    lab::{ADAPTER_FILE, Base, Bench, Desk, GRADIENTS_FILE},
    transcript::Transcript,
};
use metrics::histogram;
use openledger_attribution::{AttributionError, GradientStore};
use openledger_model::{Adapter, Checkpoint, PrefixCache, Sequence, mean_loss, train_checkpointed};
use std::{collections::BTreeMap, ops::ControlFlow, time::Instant};
use tracing::info;

/// Sequences whose losses are taken between two looks at what waits.
const LOSSES_AT_A_TIME: usize = 16;

/// Trains on what may be trained on, and takes the gradients of all of it. Short work is done between the steps, after
/// each of which `report` may end it: then nothing of it is registered.
pub(crate) fn make(
    bench: &mut Bench,
    name: &str,
    settings: &TrainingSettings,
    datasets: Vec<DatasetVersion>,
    chosen: ChosenRows<'_>,
    report: &mut impl FnMut(TrainingState) -> ControlFlow<()>,
) -> Result<ModelRecord, AttributorError> {
    let config = config(settings);
    let folder = bench.base.folder(name);
    std::fs::create_dir_all(&folder)
        .map_err(|source| AttributorError::Io { path: folder.display().to_string(), source })?;
    config.lora.validate(bench.base.model.config())?;
    let first_layer = config.lora.first_layer(bench.base.model.config());
    let (base, cache, desk) = bench.with_prefix(first_layer);
    let model = &base.model;

    let started = Instant::now();
    let mut transcript = Transcript::start(&folder, &config, chosen.used.len())?;
    let every = Transcript::every(&config, chosen.used.len());
    let keep = |checkpoint: &Checkpoint| transcript.keep(&folder, checkpoint);
    let sequences = &chosen.used_sequences;
    let trained = train_checkpointed(model, cache, sequences, &[], &config, every, keep, |progress| {
        info!(name, step = progress.step, steps = progress.steps, loss = progress.loss, "training");
        desk.serve(base);
        report(TrainingState::Training { step: progress.step, steps: progress.steps, loss: progress.loss })
    })?;
    let checkpoint_root = transcript.finish(&folder)?;
    let training_seconds = started.elapsed().as_secs_f64();
    let mut by_datanet: BTreeMap<u64, Vec<Sequence>> = BTreeMap::new();
    for (row, sequence) in chosen.held_out.iter().zip(chosen.held_out_sequences) {
        by_datanet.entry(row.datanet).or_default().push(sequence);
    }
    let mut evaluated = Vec::new();
    for (datanet, sequences) in by_datanet {
        let before = loss_between_work(base, None, cache, desk, &sequences)?;
        let after = loss_between_work(base, Some(&trained.adapter), cache, desk, &sequences)?;
        evaluated.push(HeldOut { datanet, rows: sequences.len(), before, after });
    }

    let started = Instant::now();
    let total = sequences.len();
    let file = folder.join(GRADIENTS_FILE);
    let built = GradientStore::build(&file, model, &trained.adapter, cache, sequences, |done| {
        desk.serve(base);
        report(TrainingState::Scoring { done, rows: total })
    });
    if matches!(built, Err(AttributionError::Cancelled)) {
        return Err(AttributorError::Cancelled);
    }
    built?;
    trained.adapter.save(&folder.join(ADAPTER_FILE))?;
    let gradient_seconds = started.elapsed().as_secs_f64();
    histogram!("attributor_stage_seconds", "stage" => "training").record(training_seconds);
    histogram!("attributor_stage_seconds", "stage" => "gradients").record(gradient_seconds);
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
        rows: chosen.used.iter().map(|row| row.place).collect(),
        duplicates: chosen.duplicates,
        misfits: chosen.misfits,
        seconds: vec![("training".into(), training_seconds), ("gradients".into(), gradient_seconds)],
    })
}

/// Mean loss of sequences. Short work is done on the way.
fn loss_between_work(
    base: &Base,
    adapter: Option<&Adapter>,
    cache: &mut PrefixCache,
    desk: &mut Desk,
    sequences: &[Sequence],
) -> Result<f64, AttributorError> {
    let mut sum = 0.0;
    for some in sequences.chunks(LOSSES_AT_A_TIME) {
        sum += mean_loss(&base.model, adapter, cache, some)?.unwrap_or_default() * some.len() as f64;
        desk.serve(base);
    }
    Ok(sum / sequences.len().max(1) as f64)
}
