//! `attributor judge` and what goes before it: a key for evidence, a stake, an appointment.

use std::{fs, path::PathBuf, time::Duration};

use alloy_primitives::utils::parse_ether;
use clap::Args;
use eyre::{Context, Result};
use openledger_attributor::{EvidenceKey, Judge, JudgeConfig, JudgeSets, appoint, stake};
use serde_json::json;

use crate::{
    case::ReviewArguments,
    serve::{log_to_stderr, signer, stop_signal},
};

/// How often a judge looks at the chain.
const POLL: Duration = Duration::from_secs(1);

/// Judge challenged receipts: read evidence, run receipts again, vote, and move cases on.
#[derive(Debug, Args)]
pub(crate) struct JudgeArguments {
    /// HTTP endpoint of an L2 node.
    #[arg(long = "l2.rpc", value_name = "URL")]
    l2_rpc: String,
    /// File with the hex private key of the judge's account.
    #[arg(long, value_name = "FILE")]
    private_key_file: PathBuf,
    /// File with the key that opens evidence; made where it is missing.
    #[arg(long, value_name = "FILE")]
    evidence_key_file: PathBuf,
    /// Folder of the verdicts.
    #[arg(long)]
    datadir: PathBuf,
    /// The base model, a GGUF file.
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// What to keep at stake, in OPEN.
    #[arg(long, default_value = "1")]
    stake: String,
    #[command(flatten)]
    review: ReviewArguments,
}

/// Print the public half of a judge's key for evidence, as JSON; makes the key where it is missing.
#[derive(Debug, Args)]
pub(crate) struct JudgeKeyArguments {
    /// File with the key.
    #[arg(long, value_name = "FILE")]
    evidence_key_file: PathBuf,
}

/// Put up what is missing to a judge's stake.
#[derive(Debug, Args)]
pub(crate) struct StakeArguments {
    /// HTTP endpoint of an L2 node.
    #[arg(long = "l2.rpc", value_name = "URL")]
    l2_rpc: String,
    /// File with the hex private key of the judge's account.
    #[arg(long, value_name = "FILE")]
    private_key_file: PathBuf,
    /// The stake, in OPEN.
    #[arg(long, default_value = "1")]
    stake: String,
}

/// Name a model's judges; its owner's to do.
#[derive(Debug, Args)]
pub(crate) struct AppointArguments {
    /// HTTP endpoint of an L2 node.
    #[arg(long = "l2.rpc", value_name = "URL")]
    l2_rpc: String,
    /// File with the hex private key of the model's owner.
    #[arg(long, value_name = "FILE")]
    private_key_file: PathBuf,
    /// The model's number.
    #[arg(long, value_name = "N")]
    model: u64,
    /// File with `{"first": [{"account": "0x…", "key": "0x…"}], "appeal": […]}`.
    #[arg(long, value_name = "FILE")]
    judges: PathBuf,
}

impl JudgeArguments {
    /// Judges until it is told to stop.
    pub(crate) async fn run(self) -> Result<()> {
        log_to_stderr();
        let config = JudgeConfig {
            l2_rpc: self.l2_rpc,
            signer: signer(&self.private_key_file)?,
            key: EvidenceKey::load_or_create(&self.evidence_key_file)?,
            review: self.review.review(self.model)?,
            datadir: self.datadir,
            stake_wei: parse_ether(&self.stake).wrap_err("--stake")?,
            poll: POLL,
        };
        let judge = Judge::start(config).await?;
        tokio::select! {
            error = judge.run() => Err(error.into()),
            () = stop_signal() => Ok(()),
        }
    }
}

impl JudgeKeyArguments {
    /// Prints the key.
    pub(crate) fn run(self) -> Result<()> {
        let key = EvidenceKey::load_or_create(&self.evidence_key_file)?;
        println!("{}", json!({ "key": key.public() }));
        Ok(())
    }
}

impl StakeArguments {
    /// Puts the stake up.
    pub(crate) async fn run(self) -> Result<()> {
        let signer = signer(&self.private_key_file)?;
        let (account, wei) = (signer.address(), parse_ether(&self.stake).wrap_err("--stake")?);
        stake(&self.l2_rpc, signer, wei).await?;
        println!("{}", json!({ "account": account, "stake_wei": wei.to_string() }));
        Ok(())
    }
}

impl AppointArguments {
    /// Names the judges.
    pub(crate) async fn run(self) -> Result<()> {
        let named = || format!("--judges {}", self.judges.display());
        let sets = fs::read(&self.judges).wrap_err_with(named)?;
        let sets: JudgeSets = serde_json::from_slice(&sets).wrap_err_with(named)?;
        let transaction = appoint(&self.l2_rpc, signer(&self.private_key_file)?, self.model, &sets).await?;
        println!("{}", json!({ "model": self.model, "transaction": transaction }));
        Ok(())
    }
}
