//! `attributor evaluate`: retrains a model on subsets of its rows and says how truly its scores predict that.

use std::{fs, ops::ControlFlow, path::PathBuf, time::Instant};

use alloy_primitives::keccak256;
use clap::Args;
use eyre::{Context, Result, bail, ensure, eyre};
use openledger_attribution::{
    faithfulness::{Judged, Plan, Stage, Step, judge_language, judge_task, kept_apart},
    language::{LanguageConfig, LanguageTask},
    retraining::{Method, Task},
};
use serde_json::json;

use crate::form::Form;

/// Retrain on random halves of the rows and print the LDS with its 95 % interval.
///
/// The line's `publish` holds the arguments of `publishFaithfulness` on the Attribution precompile, and
/// `evidence` is the hash of the report in --output.
#[derive(Debug, Args)]
pub(crate) struct EvaluateArguments {
    /// An archive as `attributor scores` reads it.
    #[arg(long, value_name = "NPZ", conflicts_with = "texts", requires = "model")]
    input: Option<PathBuf>,
    /// The archive's form of model.
    #[arg(long, value_enum)]
    model: Option<Form>,
    /// A file with a row a line: a small transformer is trained on them from nothing.
    #[arg(long, value_name = "FILE")]
    texts: Option<PathBuf>,
    /// Every so manieth text is kept apart and scored.
    #[arg(long, default_value_t = 6)]
    test_every: usize,
    /// The archive's method; all methods are compared for a transformer.
    #[arg(long, default_value = "auto")]
    method: String,
    /// Random halves to retrain on; the first quarter chooses settings, the others judge.
    #[arg(long, default_value_t = 96)]
    subsets: usize,
    /// Trainings of each half, whose losses are averaged.
    #[arg(long, default_value_t = 1)]
    trainings: u64,
    /// Draws the halves.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Where to write the report.
    #[arg(long, value_name = "JSON")]
    output: Option<PathBuf>,
    /// CPU threads of libtorch.
    #[arg(long, default_value_t = 1)]
    threads: u32,
}

impl EvaluateArguments {
    /// Retrains, judges, prints one line of JSON.
    pub(crate) fn run(self) -> Result<()> {
        openledger_model::set_num_threads(i32::try_from(self.threads.clamp(1, 1024))?);
        let started = Instant::now();
        let plan = Plan { subsets: self.subsets, trainings: self.trainings, seed: self.seed };
        let mut told = 0;
        let step = |Step { stage, done, of }: Step| {
            if stage == Stage::Retraining && done >= told + 16 {
                told = done;
                let seconds = started.elapsed().as_secs_f64();
                let left = seconds / done as f64 * (of - done) as f64;
                eprintln!("{done} of {of} trainings done, {left:.0} s left");
            }
            ControlFlow::Continue(())
        };
        let (judged, noise) = match (&self.input, self.model, &self.texts) {
            (Some(input), Some(form), None) => {
                let method: Method = self.method.parse()?;
                judge_task(&Task::read(input, form.into())?, method, plan, step)?
            }
            (None, _, Some(path)) => judge_language(&self.language(path)?, plan, step)?,
            _ => bail!("give either --input with --model, or --texts"),
        };
        for method in &judged {
            let lds = method.lds;
            eprintln!("{:<10} {:.3}  [{:.3}, {:.3}]", method.name, lds.value, lds.low, lds.high);
        }
        let methods: Vec<_> = judged.iter().map(as_json).collect();
        let report = json!({
            "plan": { "subsets": plan.subsets, "trainings": plan.trainings, "seed": plan.seed },
            "rank_correlation_of_trainings": noise,
            "methods": methods,
            "seconds": started.elapsed().as_secs_f64(),
        });
        let bytes = serde_json::to_vec_pretty(&report)?;
        if let Some(path) = &self.output {
            fs::write(path, &bytes).wrap_err_with(|| path.display().to_string())?;
        }
        let own = judged.first().ok_or_else(|| eyre!("no method was judged"))?;
        let publish = own.publishable(&plan);
        let line = json!({
            "method": own.name,
            "lds": own.lds.value, "low": own.lds.low, "high": own.lds.high,
            "methods": methods,
            "publish": {
                "ldsPpm": publish.lds_ppm,
                "errorPpm": publish.error_ppm,
                "samples": publish.samples,
                "evidence": keccak256(&bytes),
            },
            "seconds": started.elapsed().as_secs_f64(),
        });
        println!("{line}");
        Ok(())
    }

    fn language(&self, path: &PathBuf) -> Result<LanguageTask> {
        let text = fs::read_to_string(path).wrap_err_with(|| path.display().to_string())?;
        ensure!(self.test_every >= 2, "--test-every is at least 2");
        let rows: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        let (train, test) = kept_apart(&rows, self.test_every);
        Ok(LanguageTask::new(&train, &test, LanguageConfig::default())?)
    }
}

fn as_json(judged: &Judged) -> serde_json::Value {
    json!({
        "method": judged.name,
        "damping": judged.damping, "temperature": judged.temperature,
        "lds": judged.lds.value, "low": judged.lds.low, "high": judged.lds.high,
    })
}
