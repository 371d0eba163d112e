//! `attributor scores`: scores of a judged task's training rows.

use std::{path::PathBuf, time::Instant};

use clap::Args;
use eyre::Result;
use openledger_attribution::retraining::{Array, Method, Task, task_scores, write_floats};

use crate::form::Form;

/// Score every training row for every test row of a trained model in a NumPy archive.
#[derive(Debug, Args)]
pub(crate) struct ScoresArguments {
    /// The archive: rows, labels, checkpoints and, for lora, the frozen base.
    #[arg(long, value_name = "NPZ")]
    input: PathBuf,
    /// The model's form.
    #[arg(long, value_enum)]
    model: Form,
    /// auto, ggn, grad-dot, fisher, ekfac, datainf, logra, trak, unrolled or self-influence.
    #[arg(long, default_value = "auto")]
    method: String,
    /// How many of the checkpoints to use, the first ones; all where it is left out.
    #[arg(long)]
    checkpoints: Option<usize>,
    /// Where to write `scores`, f32 [train, test].
    #[arg(long, value_name = "NPZ")]
    output: PathBuf,
    /// CPU threads of libtorch.
    #[arg(long, default_value_t = 1)]
    threads: u32,
}

impl ScoresArguments {
    /// Scores, writes, and prints one line of JSON.
    pub(crate) fn run(self) -> Result<()> {
        openledger_model::set_num_threads(i32::try_from(self.threads.clamp(1, 1024))?);
        let method: Method = self.method.parse()?;
        let started = Instant::now();
        let task = Task::read(&self.input, self.model.into())?;
        let scores = task_scores(&task, method, self.checkpoints)?;
        let (train, test, _) = task.sizes();
        write_floats(&self.output, "scores", &Array { shape: vec![train, test], values: scores.values })?;
        let line = serde_json::json!({
            "method": method.name(),
            "damping": scores.settings.damping,
            "temperature": scores.settings.temperature,
            "test_temperature": scores.settings.test_temperature,
            "chosen_on_subsets": scores.chosen,
            "seconds": started.elapsed().as_secs_f64(),
            "peak_mb": peak_mb(),
        });
        println!("{line}");
        Ok(())
    }
}

/// The most memory that this process has held, MB; zero where the system does not say.
fn peak_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|value| value.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1024
}
