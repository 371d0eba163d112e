//! `openledger db`.

use clap::{Args, Subcommand};
use eyre::{Result, WrapErr};
use openledger_chainspec::ChainSpec;
use openledger_storage::Database;
use std::{path::PathBuf, sync::Arc};

/// What to do with the database.
#[derive(Debug, Subcommand)]
pub(crate) enum DbCommand {
    /// Recomputes the state root from the flat state and compares it with the head's.
    Verify(DbArguments),
}

/// Which database.
#[derive(Debug, Args)]
pub(crate) struct DbArguments {
    /// The node's data folder.
    #[arg(long)]
    datadir: PathBuf,
    /// The genesis file.
    #[arg(long)]
    chain: PathBuf,
}

/// Where a node keeps its database inside its data folder.
pub(crate) fn folder(datadir: &std::path::Path) -> PathBuf {
    datadir.join("db")
}

pub(crate) fn run(command: DbCommand) -> Result<()> {
    let DbCommand::Verify(arguments) = command;
    let spec = Arc::new(ChainSpec::from_path(&arguments.chain)?);
    let folder = folder(&arguments.datadir);
    eyre::ensure!(folder.is_dir(), "--datadir {}: no database there", arguments.datadir.display());
    let database = Database::open(&folder, spec).wrap_err("opening the database")?;
    database.check()?;
    let head = database.heads().latest;
    println!("head {} {}: state root verified", head.number, head.hash);
    Ok(())
}
