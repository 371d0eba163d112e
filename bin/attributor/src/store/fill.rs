//! `attributor store fill`: from texts, a base model and an adapter to a store.

use std::{ops::ControlFlow, time::Instant};

use clap::Args;
use eyre::Result;
use openledger_attribution::model_store::{FillConfig, FillStage, FillStep, ModelRows, fill};
use openledger_attributor::Pace;
use serde_json::json;

use super::ModelStoreArguments;

/// Take the gradients of rows and store them projected; run again after a stop, it goes on where it was.
///
/// Near-duplicates of an earlier row, empty ones and those longer than the model's context are left out and counted. A
/// store of other rows, another base model or adapter is refused.
#[derive(Debug, Args)]
pub(super) struct Fill {
    #[command(flatten)]
    of: ModelStoreArguments,
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
        let texts = self.of.rows.read()?;
        let rows = texts.rows();
        let model = self.of.model.load()?;
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
            &self.of.folder,
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
    pace: Option<Pace>,
    said: Option<FillStep>,
}

impl Progress {
    fn tell(&mut self, step: FillStep) -> ControlFlow<()> {
        let FillStep { stage, done, of } = step;
        let pace = self.pace.get_or_insert_with(|| Pace::new(done));
        if self.said.replace(step) == Some(step) {
            return ControlFlow::Continue(());
        }
        let what = match stage {
            FillStage::Fitting => "for the projection",
            FillStage::Storing => "for the shards",
        };
        let left = pace.seconds_left(done, of).map(|seconds| format!(", {seconds:.0} s left"));
        let left = left.unwrap_or_default();
        eprintln!("{done} of {of} gradients taken {what}{left}");
        ControlFlow::Continue(())
    }
}
