//! The part of a training that runs on the model's thread.

use super::{config, rows::ChosenRows};
use crate::{
    AttributorError, DatasetVersion, HeldOut, ModelRecord, TrainingSettings, TrainingState,
    dataset::DatasetRow,
    lab::{ADAPTER_FILE, Bench, GRADIENTS_FILE},
    transcript::Transcript,
};
use metrics::histogram;
use openledger_attribution::GradientStore;
use openledger_model::{Checkpoint, Sequence, mean_loss, train_checkpointed};
use std::{collections::BTreeMap, ops::ControlFlow, time::Instant};
use tracing::info;

/// Trains on what may be trained on, and takes the gradients of all of it. Short work is done between the steps.
pub(crate) fn make(
    bench: &mut Bench,
    name: &str,
    settings: &TrainingSettings,
    datasets: Vec<DatasetVersion>,
    rows: &[DatasetRow],
    report: &mut impl FnMut(TrainingState) -> ControlFlow<()>,
) -> Result<ModelRecord, AttributorError> {
    let chosen = ChosenRows::of(rows, &bench.base.tokenizer, bench.base.model.config())?;
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
        let before = mean_loss(model, None, cache, &sequences)?;
        let after = mean_loss(model, Some(&trained.adapter), cache, &sequences)?;
        if let (Some(before), Some(after)) = (before, after) {
            evaluated.push(HeldOut { datanet, rows: sequences.len(), before, after });
        }
    }

    let started = Instant::now();
    let total = sequences.len();
    GradientStore::build(&folder.join(GRADIENTS_FILE), model, &trained.adapter, cache, sequences, |done| {
        desk.serve(base);
        // Cancelled while gradients are taken, it ends with them, before the chain hears of it.
        let _ = report(TrainingState::Scoring { done, rows: total });
    })?;
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
