//! `attributor store fill`: from texts, a base model and an adapter to a store.

use std::{ops::ControlFlow, path::PathBuf, time::Instant};

use clap::Args;
use eyre::Result;
use openledger_attribution::model_store::{FillConfig, FillStage, FillStep, ModelRows, fill};
use serde_json::json;

use crate::{model::ModelArguments, rows::RowFiles};

/// Take the gradients of rows and store them projected; run again after a stop, it goes on where it was.
///
/// Near-duplicates of an earlier row, empty ones and those longer than the model's context are left out and counted. A
/// store of other rows, another base model or adapter is refused.
#[derive(Debug, Args)]
pub(super) struct Fill {
    /// The store's folder.
    #[arg(long)]
    folder: PathBuf,
    #[command(flatten)]
    model: ModelArguments,
    #[command(flatten)]
    rows: RowFiles,
    /// Rows that the projection is fitted on, drawn evenly; their gradients stay in the folder until all is done.
    #[arg(long, default_value_t = FillConfig::default().fitted_rows)]
    fitted_rows: usize,
    /// Rows a shard: what has to be done again at most after a stop.
    #[arg(long, default_value_t = FillConfig::default().rows_per_shard)]
    rows_per_shard: usize,
}

impl Fill {
    /// Fills, and prints one line of JSON.
    pub(super) fn run(self) -> Result<()> {
        let started = Instant::now();
        let texts = self.rows.read()?;
        let rows = texts.rows();
        let model = self.model.load()?;
        eprintln!("{} rows: looking for copies", rows.len());
        let sequence = |text: &str| model.row(text);
        let config = FillConfig {
            fitted_rows: self.fitted_rows,
            rows_per_shard: self.rows_per_shard,
            threads: model.threads,
            ..FillConfig::default()
        };
        let mut progress = Progress::default();
        let filled = fill(
            &self.folder,
            &model.base,
            &model.adapter,
            &ModelRows { texts: &rows, sequence: &sequence },
            &config,
            &mut |step| progress.tell(step),
        )?;
        let contents = filled.store.contents();
        let more = json!({
            "given": contents.rows(),
            "copies": contents.copies(),
            "misfits": contents.misfits(),
            "fitted_rows": contents.fitted_rows(),
            "resumed_at": filled.resumed_at,
            "partial_files": filled.partial_files,
            "seconds": started.elapsed().as_secs_f64(),
        });
        super::print(filled.store.scores(), more.as_object().cloned().unwrap_or_default());
        Ok(())
    }
}

/// What was said of how far it is.
#[derive(Debug, Default)]
struct Progress {
    /// When gradients began to be taken, and how many were done.
    began: Option<(Instant, usize)>,
    said: Option<FillStep>,
}

impl Progress {
    fn tell(&mut self, step: FillStep) -> ControlFlow<()> {
        let (began, before) = *self.began.get_or_insert_with(|| (Instant::now(), step.done));
        let FillStep { stage, done, of } = step;
        if self.said.replace(step) == Some(step) {
            return ControlFlow::Continue(());
        }
        let what = match stage {
            FillStage::Fitting => "for the projection",
            FillStage::Storing => "for the shards",
        };
        let left = match done.checked_sub(before) {
            Some(taken) if taken > 0 => {
                let seconds = began.elapsed().as_secs_f64() / taken as f64 * of.saturating_sub(done) as f64;
                format!(", {seconds:.0} s left")
            }
            _ => String::new(),
        };
        eprintln!("{done} of {of} gradients taken {what}{left}");
        ControlFlow::Continue(())
    }
}
