//! The sidecar: keeps rows, trains adapters, answers paid requests, says which rows shaped the answers, and lets others
//! check that.

mod case;
mod challenge;
mod evaluate;
mod explain;
mod form;
mod gaming;
mod judge;
mod lds;
mod model;
mod pinned;
mod preview;
mod processor;
mod query;
mod replay;
mod rows;
mod scores;
mod serve;
mod spans;
mod store;
mod throughput;
mod verify;

use clap::{Parser, Subcommand};
use eyre::{Report, Result};
use std::process::ExitCode;

/// What is done besides serving.
#[derive(Debug, Parser)]
#[command(name = "attributor", version)]
struct Tool {
    #[command(subcommand)]
    command: ToolCommand,
}

#[derive(Debug, Subcommand)]
enum ToolCommand {
    Verify(verify::VerifyArguments),
    Challenge(challenge::ChallengeArguments),
    Appeal(challenge::AppealArguments),
    Judge(judge::JudgeArguments),
    JudgeKey(judge::JudgeKeyArguments),
    Stake(judge::StakeArguments),
    Appoint(judge::AppointArguments),
    Replay(replay::ReplayArguments),
    Preview(preview::PreviewArguments),
    Scores(scores::ScoresArguments),
    Lds(lds::LdsArguments),
    Store(store::StoreArguments),
    Query(query::QueryArguments),
    Explain(explain::ExplainArguments),
    Evaluate(evaluate::EvaluateArguments),
    Gaming(gaming::GamingArguments),
    Spans(spans::SpansArguments),
    Throughput(throughput::ThroughputArguments),
}

impl ToolCommand {
    const NAMES: [&str; 19] = [
        "verify",
        "challenge",
        "appeal",
        "judge",
        "judge-key",
        "stake",
        "appoint",
        "replay",
        "preview",
        "scores",
        "lds",
        "store",
        "query",
        "explain",
        "evaluate",
        "gaming",
        "spans",
        "throughput",
        "help",
    ];

    async fn run(self) -> Result<ExitCode> {
        let done = |()| ExitCode::SUCCESS;
        match self {
            Self::Verify(verify) => verify.run().await,
            Self::Challenge(challenge) => challenge.run().await.map(done),
            Self::Appeal(appeal) => appeal.run().await.map(done),
            Self::Judge(judge) => judge.run().await.map(done),
            Self::JudgeKey(key) => key.run().map(done),
            Self::Stake(stake) => stake.run().await.map(done),
            Self::Appoint(appoint) => appoint.run().await.map(done),
            Self::Replay(replay) => replay.run().await,
            Self::Preview(preview) => preview.run().await.map(done),
            Self::Scores(scores) => tokio::task::block_in_place(|| scores.run()).map(done),
            Self::Lds(lds) => lds.run().map(done),
            Self::Store(store) => tokio::task::block_in_place(|| store.run()).map(done),
            Self::Query(query) => tokio::task::block_in_place(|| query.run()).map(done),
            Self::Explain(explain) => tokio::task::block_in_place(|| explain.run()).map(done),
            Self::Evaluate(evaluate) => tokio::task::block_in_place(|| evaluate.run()).map(done),
            Self::Gaming(gaming) => tokio::task::block_in_place(|| gaming.run()).map(done),
            Self::Throughput(throughput) => tokio::task::block_in_place(|| throughput.run()).map(done),
            Self::Spans(spans) => tokio::task::block_in_place(|| spans.run()).map(done),
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    if let Err(error) = pinned::ensure() {
        eprintln!("error: {}", told(&error));
        return ExitCode::FAILURE;
    }
    let first = std::env::args_os().nth(1);
    let is_tool = first.is_some_and(|first| ToolCommand::NAMES.iter().any(|name| first == *name));
    let outcome = match is_tool.then(Tool::parse) {
        Some(Tool { command }) => command.run().await,
        None => serve::ServeArguments::parse().run().await.map(|()| ExitCode::SUCCESS),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {}", told(&error));
        ExitCode::FAILURE
    })
}

/// An error with its causes, but for those that it says itself.
fn told(error: &Report) -> String {
    let mut causes = error.chain().map(ToString::to_string);
    let first = causes.next().unwrap_or_default();
    causes.fold(first, |told, cause| if told.contains(&cause) { told } else { format!("{told}: {cause}") })
}

#[cfg(test)]
mod tests {
    use openledger_attribution::AttributionError;

    use super::*;

    #[test]
    fn causes_are_told_once() {
        let source = std::io::Error::other("the device sulks");
        let error = AttributionError::Io { path: "store".into(), source };
        let told = told(&Report::new(error).wrap_err("store fill"));
        assert_eq!(told, "store fill: cannot access store: the device sulks; check space and permissions");
    }
}
