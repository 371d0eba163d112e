//! `attributor replay`: takes a part of a training again.

use std::{path::PathBuf, process::ExitCode};

use alloy_primitives::B256;
use clap::Args;
use eyre::Result;
use openledger_attributor::replay_segment;

use crate::{
    case::{CaseArguments, ReviewArguments},
    verify::DIFFERS,
};

/// Take the steps between two checkpoints of a training again, and print as JSON whether they come out as recorded.
///
/// Ends with status 0 where they do, 2 where they differ, 1 where that could not be decided.
#[derive(Debug, Args)]
pub(crate) struct ReplayArguments {
    /// The model's folder, with `transcript.json` and the checkpoints.
    #[arg(long, value_name = "FOLDER")]
    transcript: PathBuf,
    /// Which segment, counted from 0.
    #[arg(long, value_name = "K")]
    segment: usize,
    /// HTTP endpoint of an L2 node, where the checkpoints' root is.
    #[arg(long = "l2.rpc", value_name = "URL")]
    l2_rpc: Option<String>,
    /// The base model, a GGUF file.
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// A receipt of the model, whose case holds the rows trained on.
    #[arg(long, value_name = "ID")]
    receipt: Option<B256>,
    #[command(flatten)]
    case: CaseArguments,
    #[command(flatten)]
    review: ReviewArguments,
}

impl ReplayArguments {
    /// Replays and prints.
    pub(crate) async fn run(self) -> Result<ExitCode> {
        let (review, source) = (self.review.review(self.model)?, self.case.required()?);
        let (rpc, folder) = (self.l2_rpc.as_deref(), &self.transcript);
        let report = replay_segment(&review, rpc, &source, self.receipt, folder, self.segment).await?;
        println!("{}", serde_json::to_string(&report)?);
        Ok(if report.agrees() { ExitCode::SUCCESS } else { ExitCode::from(DIFFERS) })
    }
}
