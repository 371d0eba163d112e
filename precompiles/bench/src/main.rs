//! Measures the precompiles; see the README.
#![allow(clippy::print_stdout)]

mod blocks;
#[path = "../../tests/cases/mod.rs"]
mod cases;
mod code;
mod contest;
mod machine;
mod own;
mod report;
mod rows;
mod same;
mod selectors;
mod trace;
#[path = "../../tests/world/mod.rs"]
mod world;
mod worst;

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use eyre::Result;
use openledger_figures::{Figures, write_tables};

/// Measures the precompiles, and writes numbers and a table.
#[derive(Debug, Parser)]
#[command(name = "bench-precompiles", version)]
struct Arguments {
    /// Parts to measure; all where it is left out.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// Functions to measure, by a part of their signature; all where it is left out.
    #[arg(long, default_value = "")]
    function: String,
    /// Times that each comparison is made.
    #[arg(long, default_value_t = 101)]
    rounds: usize,
    /// Times that each block is executed.
    #[arg(long, default_value_t = 5)]
    block_rounds: usize,
    /// Where the numbers go.
    #[arg(long, default_value = "target/bench/precompiles.json")]
    json: PathBuf,
    /// The document with the table to replace; without it none is.
    #[arg(long)]
    docs: Option<PathBuf>,
    /// The date that the table names.
    #[arg(long, default_value = "undated")]
    date: String,
    /// The command that the table names.
    #[arg(long, default_value = "make bench-precompiles")]
    command_line: String,
}

/// A part of the measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// The precompiles beside Solidity.
    Contest,
    /// Each function beside bytecode that does the same, and the worst block.
    Work,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let wants = |part| arguments.only.is_empty() || arguments.only.contains(&part);
    let mut results = Figures::load(&arguments.json);
    if wants(Part::Contest) {
        contest::measure(arguments.rounds, &mut results)?;
        results.write_json(&arguments.json)?;
    }
    if wants(Part::Work) {
        let mut cases = [cases::all(), worst::cases()].concat();
        cases.retain(|case| case.function().signature.contains(&arguments.function));
        let mut measured = selectors::measure(&cases, arguments.rounds, &mut results)?;
        results.write_json(&arguments.json)?;
        blocks::measure(&mut measured, arguments.block_rounds, &mut results)?;
    }
    results.write_json(&arguments.json)?;
    if let Some(path) = &arguments.docs {
        let tables = report::tables(&results, &rows::NAMES);
        write_tables(path, "precompiles", &arguments.date, &arguments.command_line, &tables)?;
    }
    Ok(())
}
