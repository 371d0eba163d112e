//! `attributor preview`: what private rows would have earned.

use std::{fs, path::PathBuf};

use clap::Args;
use eyre::{Context, Result, ensure};
use openledger_attributor::{PreviewPlan, preview};

use crate::processor::ProcessorArguments;

/// Score rows for past paid answers without showing them to anyone, and print what they would have earned as JSON.
///
/// Receipts are read from the node, the model's adapter and the answers' sketches from the attributor; it has to run with
/// --previews.
#[derive(Debug, Args)]
pub(crate) struct PreviewArguments {
    /// The rows: a JSON array of texts, or a file with one a line.
    #[arg(long, value_name = "FILE")]
    rows: PathBuf,
    /// The model, by its number on chain.
    #[arg(long, value_name = "N")]
    for_model: u64,
    /// HTTP endpoint of an L2 node.
    #[arg(long = "l2.rpc", value_name = "URL")]
    l2_rpc: String,
    /// The attributor that serves the model.
    #[arg(long, value_name = "URL")]
    attributor: String,
    /// The base model, a GGUF file.
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// The latest so many receipts of the model.
    #[arg(long, default_value_t = 64)]
    receipts: usize,
    /// Where to write the report with its plots.
    #[arg(long, value_name = "HTML")]
    output: Option<PathBuf>,
    #[command(flatten)]
    processor: ProcessorArguments,
}

impl PreviewArguments {
    /// Previews and prints.
    pub(crate) async fn run(self) -> Result<()> {
        let rows = self.texts()?;
        let report = preview(PreviewPlan {
            l2_rpc: self.l2_rpc,
            attributor: self.attributor,
            model: self.for_model,
            base: self.model,
            device: self.processor.device()?,
            threads: self.processor.threads(),
            receipts: self.receipts,
            rows: rows.clone(),
        })
        .await?;
        if let Some(path) = &self.output {
            fs::write(path, report.html(&rows)?).wrap_err_with(|| path.display().to_string())?;
        }
        println!("{}", serde_json::to_string(&report)?);
        Ok(())
    }

    fn texts(&self) -> Result<Vec<String>> {
        let named = || format!("--rows {}", self.rows.display());
        let text = fs::read_to_string(&self.rows).wrap_err_with(named)?;
        let rows: Vec<String> = if text.trim_start().starts_with('[') {
            // The parser would quote what it does not expect.
            let read = serde_json::from_str(&text);
            read.map_err(|error| eyre::eyre!("{}: line {}: not an array of texts", named(), error.line()))?
        } else {
            text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect()
        };
        ensure!(!rows.is_empty(), "{}: there are no rows", named());
        Ok(rows)
    }
}
