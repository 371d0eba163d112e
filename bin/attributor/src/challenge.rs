//! `attributor challenge` and `attributor appeal`: a party's transactions to the court.

use std::path::PathBuf;

use alloy_primitives::B256;
use clap::Args;
use eyre::{Result, eyre};
use openledger_attributor::{appeal, challenge};

use crate::{
    case::{CaseArguments, ReviewArguments},
    serve::signer,
};

/// Challenge a receipt, after running it again where a case is named, and print the transaction as JSON.
#[derive(Debug, Args)]
pub(crate) struct ChallengeArguments {
    /// The receipt, by its request.
    #[arg(long, value_name = "ID")]
    receipt: B256,
    /// HTTP endpoint of an L2 node.
    #[arg(long = "l2.rpc", value_name = "URL")]
    l2_rpc: String,
    /// File with the hex private key of the account that puts up the stake.
    #[arg(long, value_name = "FILE")]
    private_key_file: PathBuf,
    /// The base model, a GGUF file; needed with a case.
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// Challenge a receipt that holds too; the stake will be lost.
    #[arg(long)]
    anyway: bool,
    #[command(flatten)]
    case: CaseArguments,
    #[command(flatten)]
    review: ReviewArguments,
}

/// Appeal a verdict to the model's larger set of judges.
#[derive(Debug, Args)]
pub(crate) struct AppealArguments {
    /// The receipt, by its request.
    #[arg(long, value_name = "ID")]
    receipt: B256,
    /// HTTP endpoint of an L2 node.
    #[arg(long = "l2.rpc", value_name = "URL")]
    l2_rpc: String,
    /// File with the hex private key of the party that the verdict went against.
    #[arg(long, value_name = "FILE")]
    private_key_file: PathBuf,
}

impl ChallengeArguments {
    /// Challenges and prints.
    pub(crate) async fn run(self) -> Result<()> {
        let signer = signer(&self.private_key_file)?;
        let reviewed = match self.case.source()? {
            Some(source) => {
                let model = self.model.ok_or_else(|| eyre!("a case is run again with --model FILE"))?;
                Some((self.review.review(model)?, source))
            }
            None => None,
        };
        let reviewed = reviewed.as_ref().map(|(review, source)| (review, source));
        let report = challenge(&self.l2_rpc, signer, self.receipt, reviewed, self.anyway).await?;
        println!("{}", serde_json::to_string(&report)?);
        Ok(())
    }
}

impl AppealArguments {
    /// Appeals and prints.
    pub(crate) async fn run(self) -> Result<()> {
        let transaction = appeal(&self.l2_rpc, signer(&self.private_key_file)?, self.receipt).await?;
        println!("{}", serde_json::json!({ "receipt": self.receipt, "transaction": transaction }));
        Ok(())
    }
}
