//! Our import against the limit, segment by segment, taking turns.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use alloy_primitives::Address;
use alloy_rlp::Decodable;
use eyre::{Result, WrapErr, ensure};
use openledger_engine::{Block, Engine, EngineConfig, EngineHandle};
use openledger_figures::{Figures, median};
use openledger_storage::Database;

use crate::{
    accounts::addresses,
    blocks::{Segment, build},
    genesis::{Chain, chain},
    limit::{Limit, Recovery},
    process::cpu_time,
    workload::Kind,
};

/// Blocks that are decoded ahead, as `openledger import` does.
const READ_AHEAD_BLOCKS: usize = 64;

/// Sizes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ImportSizes {
    pub(crate) accounts: u64,
    pub(crate) rounds: usize,
    /// Blocks of each kind in each round.
    pub(crate) blocks: usize,
    /// Gas that a block is filled with.
    pub(crate) gas: u64,
}

/// What one of the two gave in each round: Mgas/s.
#[derive(Debug, Default)]
struct Rates {
    ours: Vec<f64>,
    limit: Vec<f64>,
    ratio: Vec<f64>,
    /// The same of time on cores.
    cpu_ratio: Vec<f64>,
    /// Ours over the limit that recovers senders as we do.
    vector_ratio: Vec<f64>,
}

/// How long something took.
#[derive(Debug, Clone, Copy)]
struct Took {
    wall: Duration,
    /// On all cores.
    cpu: Duration,
}

/// Starts to measure.
#[derive(Debug)]
struct Stopwatch(Instant, Duration);

impl Stopwatch {
    fn start() -> Self {
        Self(Instant::now(), cpu_time(process::id()))
    }

    fn stop(&self) -> Took {
        Took { wall: self.0.elapsed(), cpu: cpu_time(process::id()) - self.1 }
    }
}

/// Measures and checks.
pub(crate) async fn measure(sizes: ImportSizes, base: &Path, results: &mut Figures) -> Result<()> {
    let folder = tempfile::tempdir_in(base)?;
    let accounts: Vec<Address> = addresses(sizes.accounts);
    let chain = chain(&accounts)?;
    let (building, importing) = (folder.path().join("built"), folder.path().join("imported"));
    drop(Database::open(&building, Arc::clone(&chain.spec))?);
    copy(&building, &importing)?;
    println!("import: building {} rounds of {} blocks of each kind", sizes.rounds, sizes.blocks);
    // The first round fills caches on both sides and is not counted.
    let segments = build(&building, &chain, &accounts, sizes.rounds + 1, sizes.blocks, sizes.gas).await?;
    fs::remove_dir_all(&building)?;
    let cores = thread::available_parallelism()?.get();
    let mut limit = Limit::new(&chain, cores, Recovery::OneByOne)?;
    let mut vector_limit = Limit::new(&chain, cores, Recovery::Together)?;
    let database = Database::open(&importing, Arc::clone(&chain.spec))?;
    let (engine, thread) = Engine::spawn(database.clone(), EngineConfig::default())?;

    let mut rates: BTreeMap<&str, Rates> = BTreeMap::new();
    let (mut grown, mut transfers) = (0, 0);
    for (index, segment) in segments.iter().enumerate() {
        let round = index / Kind::ALL.len();
        let before = flushed_bytes(&database, &importing)?;
        let (ours, best) = if index % 2 == 0 {
            let best = run_limit(&mut limit, segment)?;
            (run_import(&engine, segment).await?, best)
        } else {
            let ours = run_import(&engine, segment).await?;
            (ours, run_limit(&mut limit, segment)?)
        };
        let vector_best = run_limit(&mut vector_limit, segment)?;
        if segment.kind == Kind::Transfer {
            grown += flushed_bytes(&database, &importing)?.saturating_sub(before);
            transfers += segment.transactions;
        }
        let rate = |took: Took| segment.gas as f64 / 1e6 / took.wall.as_secs_f64();
        let name = segment.kind.name();
        let (ours_cpu, best_cpu) = (ours.cpu.as_secs_f64(), best.cpu.as_secs_f64());
        println!(
            "import {name} {round}: {:.0} Mgas/s, limit {:.0} Mgas/s, with vectors {:.0} Mgas/s; on cores {ours_cpu:.2} s, \
             limit {best_cpu:.2} s, with vectors {:.2} s",
            rate(ours),
            rate(best),
            rate(vector_best),
            vector_best.cpu.as_secs_f64()
        );
        if round > 0 {
            let rates = rates.entry(name).or_default();
            rates.ours.push(rate(ours));
            rates.limit.push(rate(best));
            rates.ratio.push(best.wall.as_secs_f64() / ours.wall.as_secs_f64());
            rates.cpu_ratio.push(best_cpu / ours_cpu.max(0.01));
            rates.vector_ratio.push(vector_best.wall.as_secs_f64() / ours.wall.as_secs_f64());
        }
    }
    for (name, rates) in rates {
        results.set(format!("import.{name}.mgas_s"), median(&rates.ours));
        results.set(format!("import.{name}.limit_mgas_s"), median(&rates.limit));
        results.set(format!("import.{name}.vs_limit"), median(&rates.ratio));
        results.set(format!("import.{name}.cpu_vs_limit"), median(&rates.cpu_ratio));
        results.set(format!("import.{name}.vs_vector_limit"), median(&rates.vector_ratio));
    }
    results.set("disk.bytes_per_transfer", grown as f64 / transfers as f64);
    drop((engine, database));
    ensure!(thread.join(), "the engine that imports has panicked");
    Ok(())
}

/// As `openledger import` does it: decodes, and hands over to the engine until all is durable.
async fn run_import(engine: &EngineHandle, segment: &Segment) -> Result<Took> {
    let blocks = segment.blocks.clone();
    let start = Stopwatch::start();
    let (sender, receiver) = mpsc::sync_channel(READ_AHEAD_BLOCKS);
    let reader = tokio::task::spawn_blocking(move || -> Result<()> {
        for rlp in &blocks {
            if sender.send(Block::decode(&mut &rlp[..])?).is_err() {
                break;
            }
        }
        Ok(())
    });
    let imported = engine.import(receiver).await?;
    let took = start.stop();
    reader.await??;
    ensure!(imported.head.hash == segment.head, "imported to {}, not {}", imported.head.hash, segment.head);
    ensure!(imported.gas == segment.gas, "imported {} gas of {}", imported.gas, segment.gas);
    Ok(took)
}

fn run_limit(limit: &mut Limit, segment: &Segment) -> Result<Took> {
    let start = Stopwatch::start();
    let gas = limit.run(&segment.blocks)?;
    let took = start.stop();
    // What is missing is the L1 attributes' gas.
    let deposits = segment.gas.saturating_sub(gas);
    let most = 100_000 * segment.blocks.len() as u64;
    ensure!(gas <= segment.gas && deposits <= most, "the limit used {gas} gas of {}", segment.gas);
    Ok(took)
}

/// Bytes of the folder, once everything is in tables.
fn flushed_bytes(database: &Database, folder: &Path) -> Result<u64> {
    database.flush()?;
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        // A file may go while the folder is read.
        bytes += entry?.metadata().map_or(0, |metadata| metadata.len());
    }
    Ok(bytes)
}

/// Copies a folder without subfolders.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        fs::copy(entry.path(), to.join(entry.file_name())).wrap_err("cannot copy the database")?;
    }
    Ok(())
}

/// The chain and accounts that other measurements share.
pub(crate) fn funded(accounts: u64) -> Result<(Vec<Address>, Chain)> {
    let accounts = addresses(accounts);
    let chain = chain(&accounts)?;
    Ok((accounts, chain))
}
