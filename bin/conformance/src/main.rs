//! Runs fixtures that others wrote through this node's storage, executor, trie and engine.

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use openledger_conformance::{Report, run_blocks, run_engine, run_files, run_op_block, run_roots, run_state};

/// Runs fixtures that others wrote through this node's storage, executor, trie and engine.
///
/// Prints the failures, one a line, and how many cases passed and failed.
#[derive(Debug, Parser)]
#[command(name = "conformance", version)]
struct Arguments {
    #[command(subcommand)]
    suite: Suite,
}

#[derive(Debug, Subcommand)]
enum Suite {
    /// Chains of blocks: `blockchain_tests` of the execution-spec tests and of ethereum/tests.
    Blocks(Paths),
    /// Single transactions: `state_tests`.
    State(Paths),
    /// Blocks of OP chains with the preimages that they read.
    OpBlock(Paths),
    /// Engine API calls, JSON lines of method, params and expect.
    Engine(Paths),
    /// Roots of tries: `TrieTests`.
    Roots(Paths),
}

#[derive(Debug, clap::Args)]
struct Paths {
    /// Files, or folders with `.json` files.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
}

fn main() -> ExitCode {
    let report = match Arguments::parse().suite {
        Suite::Blocks(Paths { paths }) => run_files(&paths, run_blocks),
        Suite::State(Paths { paths }) => run_files(&paths, run_state),
        Suite::OpBlock(Paths { paths }) => run_files(&paths, run_op_block),
        Suite::Engine(Paths { paths }) => run_files(&paths, run_engine),
        Suite::Roots(Paths { paths }) => run_files(&paths, run_roots),
    };
    match report {
        Ok(report) => {
            println!("{report}");
            exit_code(&report)
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn exit_code(report: &Report) -> ExitCode {
    if report.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
