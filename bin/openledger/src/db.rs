//! `openledger db`.

use std::{path::PathBuf, sync::Arc};

use clap::{Args, Subcommand};
use eyre::{Result, WrapErr};
use openledger_chainspec::ChainSpec;
use openledger_storage::{Database, DatabaseStats, Pruning, restore_snapshot};

/// Blocks that are taken back in one write.
const UNWIND_STEP_BLOCKS: u64 = 256;

/// What to do with the database.
#[derive(Debug, Subcommand)]
pub(crate) enum DbCommand {
    /// Prints what the database holds and how much room each part takes.
    Stats(DbArguments),
    /// Computes all roots and trie nodes anew from the flat state and compares them with what is stored.
    Verify(DbArguments),
    /// Takes back the blocks after one, finalized ones excepted.
    Unwind {
        #[command(flatten)]
        database: DbArguments,
        /// The number of the block that becomes the head.
        #[arg(long)]
        to: u64,
    },
    /// Drops receipts and states of the past that are not to be kept.
    Prune {
        #[command(flatten)]
        database: DbArguments,
        /// What to keep: `archive` (all), `full` (10,064 blocks) or `distance=N` (N blocks).
        #[arg(long)]
        keep: Pruning,
    },
    /// Copies the database into a new folder, with a checksum of every file.
    Snapshot {
        #[command(flatten)]
        database: DbArguments,
        /// The new folder.
        #[arg(long)]
        out: PathBuf,
    },
    /// Makes a database of a snapshot, checking every file.
    Restore {
        #[command(flatten)]
        database: DbArguments,
        /// The snapshot's folder.
        #[arg(long)]
        from: PathBuf,
        /// Then also do what `verify` does.
        #[arg(long)]
        verify: bool,
    },
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

impl DbArguments {
    fn open(&self) -> Result<Database> {
        let spec = Arc::new(ChainSpec::from_path(&self.chain)?);
        let folder = folder(&self.datadir);
        eyre::ensure!(folder.is_dir(), "--datadir {}: no database there", self.datadir.display());
        Database::open(&folder, spec).wrap_err("opening the database")
    }
}

/// Where a node keeps its database inside its data folder.
pub(crate) fn folder(datadir: &std::path::Path) -> PathBuf {
    datadir.join("db")
}

pub(crate) fn run(command: DbCommand) -> Result<()> {
    match command {
        DbCommand::Stats(arguments) => print_stats(&arguments.open()?.stats()?),
        DbCommand::Verify(arguments) => verify(&arguments.open()?)?,
        DbCommand::Unwind { database, to } => unwind(&database.open()?, to)?,
        DbCommand::Prune { database, keep } => {
            let report = database.open()?.prune(keep)?;
            let (blocks, state, receipts) = (report.blocks, report.state_from, report.receipts_from);
            println!("dropped {blocks} blocks' history; states from block {state}, receipts from {receipts}");
        }
        DbCommand::Snapshot { database, out } => {
            let manifest = database.open()?.write_snapshot(&out)?;
            let (number, hash, files) = (manifest.number, manifest.hash, manifest.files.len());
            println!("head {number} {hash}: {files} files in {}", out.display());
        }
        DbCommand::Restore { database, from, verify: also_verify } => {
            let genesis_hash = ChainSpec::from_path(&database.chain)?.genesis_hash();
            std::fs::create_dir_all(&database.datadir).wrap_err("making the data folder")?;
            let manifest = restore_snapshot(&from, &folder(&database.datadir), genesis_hash)?;
            println!("head {} {}: every file is whole", manifest.number, manifest.hash);
            let database = database.open()?;
            if also_verify {
                verify(&database)?;
            }
        }
    }
    Ok(())
}

fn verify(database: &Database) -> Result<()> {
    let report = database.check()?;
    let (number, hash) = (report.head.number, report.head.hash);
    println!(
        "head {number} {hash}: state root verified, {} accounts, {} slots, {} trie nodes",
        report.accounts, report.slots, report.nodes
    );
    if let Some(lost) = database.lost() {
        println!(
            "note: block {} had been stored when the log was damaged; the chain went on from block {} {}",
            lost.reported.number, lost.last_good.number, lost.last_good.hash
        );
    }
    Ok(())
}

fn unwind(database: &Database, to: u64) -> Result<()> {
    let from = database.heads().latest.number;
    let mut head = from;
    // The last step is the one that can be refused, so ask for it first.
    eyre::ensure!(to <= head, "--to {to}: the head is block {head}");
    let finalized = database.heads().finalized.number;
    eyre::ensure!(to >= finalized, "--to {to}: block {finalized} is finalized");
    database.state_at(to)?;
    while head > to {
        head = to.max(head.saturating_sub(UNWIND_STEP_BLOCKS));
        database.unwind_to(head)?;
    }
    let head = database.heads().latest;
    println!("head {} {}: took back {} blocks", head.number, head.hash, from - head.number);
    Ok(())
}

fn print_stats(stats: &DatabaseStats) {
    let heads = &stats.heads;
    for (name, head) in [("latest", heads.latest), ("safe", heads.safe), ("finalized", heads.finalized)] {
        println!("{name:<16} {:>14} {}", head.number, head.hash);
    }
    println!("{:<16} {:>14}", "schema", stats.schema);
    println!("{:<16} {:>14}", "states from", stats.state_from);
    println!("{:<16} {:>14}", "receipts from", stats.receipts_from);
    println!("\n{:<16} {:>14} {:>16} {:>16}", "column family", "keys (about)", "bytes on disk", "in memory");
    for column in &stats.columns {
        let (keys, table, memory) = (column.keys, column.table_bytes, column.memory_bytes);
        println!("{:<16} {keys:>14} {table:>16} {memory:>16}", column.name);
    }
    let memory: u64 = stats.columns.iter().map(|column| column.memory_bytes).sum();
    println!("{:<16} {:>14} {:>16} {memory:>16}", "all", "", stats.table_bytes());
    println!("{:<16} {:>14} {:>16} {:>16}", "block cache", "", "", stats.cache_bytes);
    if let Some(lost) = stats.lost {
        println!(
            "\nblock {} had been stored when the log was damaged; the chain went on from block {} {}",
            lost.reported.number, lost.last_good.number, lost.last_good.hash
        );
    }
}
