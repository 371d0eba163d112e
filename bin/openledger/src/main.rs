//! OpenLedger's node and the roles around it.

mod batcher;
mod db;
mod devnet;
mod endpoint;
mod import;
mod l1_headers;
mod logging;
mod node;
mod proposer;
mod shutdown;

use clap::{Parser, Subcommand};
use eyre::Result;
use std::process::ExitCode;

/// OpenLedger: an Ethereum L2 on which AI pays its sources.
#[derive(Debug, Parser)]
#[command(name = "openledger", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs a node: the sequencer, or a verifier that derives the chain from L1 alone.
    Node(Box<node::NodeArguments>),
    /// Posts the sequencer's blocks to L1 in blobs.
    Batcher(batcher::BatcherArguments),
    /// Posts output roots to L1, against which withdrawals are proven.
    Proposer(proposer::ProposerArguments),
    /// Puts up a whole network on this machine and plays a story on it.
    Devnet(devnet::DevnetArguments),
    /// Adds the blocks of a file to a chain, and prints the head and what it took.
    Import(import::ImportArguments),
    /// Looks at a node's database.
    #[command(subcommand)]
    Db(db::DbCommand),
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    logging::init();
    match run(arguments.command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One line with every cause, for people; places in the code are for logs.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<()> {
    match command {
        Command::Node(arguments) => node::run(*arguments).await,
        Command::Batcher(arguments) => batcher::run(arguments).await,
        Command::Proposer(arguments) => proposer::run(arguments).await,
        Command::Devnet(arguments) => devnet::run(arguments).await,
        Command::Import(arguments) => import::run(arguments).await,
        Command::Db(command) => db::run(command),
    }
}
