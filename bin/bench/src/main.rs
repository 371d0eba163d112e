//! Measures the core; see the README.

mod accounts;
mod blocks;
mod genesis;
mod import;
mod limit;
mod load;
mod memory;
mod process;
mod root;
mod sequence;
mod serve;
mod stored;
mod storm;
mod workload;

use std::{fs, path::PathBuf};

use clap::{Parser, Subcommand, ValueEnum};
use eyre::Result;
use openledger_figures::{Figures, machine, write_tables};

use crate::{import::ImportSizes, sequence::SequenceSizes};

/// Measures the core, and writes numbers and a table.
#[derive(Debug, Parser)]
#[command(name = "bench-core", version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Parts to measure; all where it is left out.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// Times that each comparison is made.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Funded accounts of the chain that is imported, and of the state that is sealed on.
    #[arg(long, default_value_t = 1_000_000)]
    accounts: u64,
    /// Blocks of each kind to import in each round.
    #[arg(long, default_value_t = 32)]
    blocks: usize,
    /// Gas that the blocks to import are filled with.
    #[arg(long, default_value_t = genesis::BLOCK_GAS)]
    block_gas: u64,
    /// Transactions of each kind to sequence.
    #[arg(long, default_value_t = 60_000)]
    transactions: usize,
    /// Their senders.
    #[arg(long, default_value_t = 200)]
    senders: usize,
    /// Leaves of the largest trie; the smaller ones and the changes shrink with it.
    #[arg(long, default_value_t = 10_000_000)]
    leaves: usize,
    /// Accounts that the sealed block changes.
    #[arg(long, default_value_t = 10_000)]
    sealed: u64,
    /// Blocks before a restart.
    #[arg(long, default_value_t = 100_000)]
    open_blocks: u64,
    /// Blocks that are imported while memory is looked at.
    #[arg(long, default_value_t = 100_000)]
    memory_blocks: u64,
    /// Reorganisations that are asked for while memory is looked at.
    #[arg(long, default_value_t = 1_000)]
    reorgs: u64,
    /// anvil 1.7.1.
    #[arg(long, default_value = "contracts/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil")]
    anvil: PathBuf,
    /// Where databases are made, on the disk to measure.
    #[arg(long, default_value = "target/bench")]
    folder: PathBuf,
    /// Where the numbers go.
    #[arg(long, default_value = "target/bench/core.json")]
    json: PathBuf,
    /// The document with the table to replace; without it none is.
    #[arg(long)]
    docs: Option<PathBuf>,
    /// The date that the table names.
    #[arg(long, default_value = "undated")]
    date: String,
    /// The command that the table names.
    #[arg(long, default_value = "make bench-core")]
    command_line: String,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the node that is measured.
    #[command(hide = true)]
    Serve(serve::ServeArguments),
    /// Imports a file, telling its peaks of memory.
    #[command(hide = true)]
    ImportFile(memory::ImportFileArguments),
    /// Serves the Engine API.
    #[command(hide = true)]
    ServeEngine(storm::ServeEngineArguments),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Importing blocks, against bare revm in memory; disk use.
    Import,
    /// From the socket to a durable block, against anvil and recovery.
    Sequence,
    /// Updating tries, against computing them anew.
    Root,
    /// The root of a block over a stored state.
    Seal,
    /// A start after many blocks.
    Open,
    /// The most memory that a node takes while it imports, and while a driver reorganises it.
    Memory,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    match arguments.command {
        Some(Command::Serve(serving)) => return serve::serve(serving).await,
        Some(Command::ImportFile(importing)) => return memory::import_file(importing).await,
        Some(Command::ServeEngine(serving)) => return storm::serve_engine(serving).await,
        None => {}
    }
    let base = &arguments.folder;
    fs::create_dir_all(base)?;
    let wants = |part| arguments.only.is_empty() || arguments.only.contains(&part);
    let rounds = arguments.rounds.max(1);
    let mut results = Figures::load(&arguments.json);
    let mut failed = None;
    if wants(Part::Import) {
        let sizes = ImportSizes {
            accounts: arguments.accounts,
            rounds,
            blocks: arguments.blocks,
            gas: arguments.block_gas,
        };
        import::measure(sizes, base, &mut results).await?;
        results.write_json(&arguments.json)?;
    }
    if wants(Part::Sequence) {
        let sizes = SequenceSizes {
            rounds,
            transactions: arguments.transactions,
            senders: arguments.senders,
            anvil: arguments.anvil,
        };
        // Its peer is another's program: what it does must not keep the other parts from being measured.
        if let Err(error) = sequence::measure(&sizes, base, &mut results).await {
            eprintln!("sequence: {error:#}");
            failed = Some(error);
        }
        results.write_json(&arguments.json)?;
    }
    if wants(Part::Seal) {
        stored::seal(arguments.accounts, arguments.sealed, rounds, base, &mut results)?;
        results.write_json(&arguments.json)?;
    }
    if wants(Part::Open) {
        stored::open(arguments.open_blocks, rounds, base, &mut results)?;
        results.write_json(&arguments.json)?;
    }
    if wants(Part::Memory) {
        memory::measure(arguments.memory_blocks, base, &mut results).await?;
        storm::measure(arguments.reorgs, base, &mut results).await?;
        results.write_json(&arguments.json)?;
    }
    if wants(Part::Root) {
        root::measure(arguments.leaves, rounds, &mut results)?;
    }
    results.write_json(&arguments.json)?;
    println!("{}", machine());
    if let Some(docs) = &arguments.docs {
        write_tables(docs, "core", &arguments.date, &arguments.command_line, &table(&results))?;
    }
    failed.map_or(Ok(()), Err)
}

fn table(figures: &Figures) -> String {
    let mut table = "| name | value |\n|---|---:|\n".to_owned();
    for (name, value) in figures.iter() {
        let digits = if value.abs() >= 100.0 { 0 } else { 3 };
        table += &format!("| `{name}` | {value:.digits$} |\n");
    }
    table
}
