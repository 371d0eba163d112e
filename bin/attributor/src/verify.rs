//! `attributor verify`: runs a receipt again and says whether it holds.

use std::{path::PathBuf, process::ExitCode};

use alloy_primitives::B256;
use clap::Args;
use eyre::Result;
use openledger_attributor::verify;

use crate::case::{CaseArguments, ReviewArguments};

/// Status of a receipt that differs from its re-run by more than the model's band.
pub(crate) const DIFFERS: u8 = 2;

/// Run a receipt again from its case and print one line of JSON.
///
/// Ends with status 0 where the receipt holds, 2 where it differs, 1 where that could not be decided.
#[derive(Debug, Args)]
pub(crate) struct VerifyArguments {
    /// The receipt, by its request.
    #[arg(long, value_name = "ID")]
    receipt: B256,
    /// HTTP endpoint of an L2 node; without one nobody vouches for what the case says of the chain.
    #[arg(long = "l2.rpc", value_name = "URL")]
    l2_rpc: Option<String>,
    /// The base model, a GGUF file.
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    #[command(flatten)]
    case: CaseArguments,
    #[command(flatten)]
    review: ReviewArguments,
}

impl VerifyArguments {
    /// Verifies and prints.
    pub(crate) async fn run(self) -> Result<ExitCode> {
        let review = self.review.review(self.model)?;
        let source = self.case.required()?;
        let report = verify(&review, self.l2_rpc.as_deref(), Some(self.receipt), &source).await?;
        println!("{}", serde_json::to_string(&report)?);
        Ok(if report.agrees() { ExitCode::SUCCESS } else { ExitCode::from(DIFFERS) })
    }
}
