//! The most memory that a node takes while it imports many blocks: as much after the first tenth as at the end.

use std::{
    fs::{self, File},
    io::{BufReader, BufWriter, Read, Write},
    path::{Path, PathBuf},
    process::{self, Command},
    sync::{Arc, mpsc},
};

use alloy_consensus::transaction::Recovered;
use alloy_primitives::B256;
use alloy_rlp::Decodable;
use eyre::{OptionExt, Result, ensure};
use openledger_chainspec::ChainSpec;
use openledger_engine::{Block, Engine, EngineConfig};
use openledger_figures::Figures;
use openledger_storage::Database;

use crate::{
    accounts::sign,
    blocks::attributes,
    genesis::{Chain, START},
    import::funded,
    process::peak_mib,
    workload::{Kind, Uniform},
};

const ACCOUNTS: u64 = 10_000;
const TRANSFERS: u64 = 5;
/// Blocks whose transactions are signed together.
const SIGNED_TOGETHER: u64 = 1_000;
const READ_AHEAD_BLOCKS: usize = 64;
/// Peaks that are told, evenly over the import.
const PEAKS: u64 = 10;

/// What `import-file` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct ImportFileArguments {
    #[arg(long)]
    datadir: PathBuf,
    #[arg(long)]
    genesis: PathBuf,
    /// Blocks in RLP, each after its length in four bytes.
    #[arg(long)]
    file: PathBuf,
    /// How many.
    #[arg(long)]
    blocks: u64,
}

/// Measures and checks.
pub(crate) async fn measure(blocks: u64, base: &Path, results: &mut Figures) -> Result<()> {
    let folder = tempfile::tempdir_in(base)?;
    let path = |name: &str| folder.path().join(name);
    let (accounts, chain) = funded(ACCOUNTS)?;
    fs::write(path("genesis.json"), serde_json::to_vec(chain.spec.genesis())?)?;
    println!("memory: building {blocks} blocks");
    let mut uniform = Uniform::new(&accounts, chain.token);
    let head = write_blocks(&chain, &mut uniform, blocks, &path("built"), &path("blocks")).await?;
    fs::remove_dir_all(path("built"))?;
    // In a process of its own, which has nothing else in memory.
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg("import-file")
        .arg("--datadir")
        .arg(path("imported"))
        .arg("--genesis")
        .arg(path("genesis.json"));
    command.arg("--file").arg(path("blocks")).args(["--blocks", &blocks.to_string()]);
    let output = command.output()?;
    ensure!(output.status.success(), "the import fails: {}", String::from_utf8_lossy(&output.stderr));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    ensure!(told["head"] == head.to_string(), "imported to {}, not {head}", told["head"]);
    let peak = |index: usize| told["peaks_mib"][index].as_f64().ok_or_eyre("a peak is missing");
    results.set("memory.import_10k_mib", peak(0)?);
    results.set("memory.import_100k_mib", peak(PEAKS as usize - 1)?);
    Ok(())
}

/// Builds a chain of small blocks and writes them to a file; gives the head.
async fn write_blocks(
    chain: &Chain,
    uniform: &mut Uniform<'_>,
    blocks: u64,
    datadir: &Path,
    file: &Path,
) -> Result<B256> {
    let database = Database::open(datadir, Arc::clone(&chain.spec))?;
    let (engine, thread) = Engine::spawn(database, EngineConfig::default())?;
    let mut out = BufWriter::new(File::create(file)?);
    let mut head = chain.spec.genesis_hash();
    let mut stored = None;
    for first in (1..=blocks).step_by(SIGNED_TOGETHER as usize) {
        let numbers = first..=blocks.min(first + SIGNED_TOGETHER - 1);
        let drafts = uniform.drafts(Kind::Transfer, TRANSFERS * numbers.clone().count() as u64);
        let senders: Vec<_> = drafts.iter().map(|draft| uniform.accounts[draft.from as usize]).collect();
        let recovered = |(transaction, sender)| Recovered::new_unchecked(transaction, sender);
        let mut signed = sign(drafts)?.into_iter().zip(senders).map(recovered);
        for number in numbers {
            let pool: Vec<_> = signed.by_ref().take(TRANSFERS as usize).collect();
            let count = pool.len();
            let built = engine.build(head, attributes(head, START + 2 * number), pool).await?;
            ensure!(built.included.len() == count + 1, "block {number} left some out: {:?}", built.skipped);
            let rlp = alloy_rlp::encode(&built.block);
            out.write_all(&u32::try_from(rlp.len())?.to_be_bytes())?;
            out.write_all(&rlp)?;
            head = built.hash;
            stored = Some(engine.extend(built.block, built.hash).await?);
        }
    }
    if let Some(stored) = stored {
        stored.await?;
    }
    out.flush()?;
    drop(engine);
    ensure!(thread.join(), "the engine that builds has panicked");
    Ok(head)
}

/// Imports a file and prints the head, and this process's peak of memory after each tenth.
pub(crate) async fn import_file(arguments: ImportFileArguments) -> Result<()> {
    let spec = Arc::new(ChainSpec::from_path(&arguments.genesis)?);
    let database = Database::open(&arguments.datadir, spec)?;
    let (engine, thread) = Engine::spawn(database, EngineConfig::default())?;
    let (sender, receiver) = mpsc::sync_channel(READ_AHEAD_BLOCKS);
    let reader = tokio::task::spawn_blocking(move || read_blocks(&arguments.file, arguments.blocks, &sender));
    let imported = engine.import(receiver).await?;
    let mut peaks = reader.await??;
    drop(engine);
    ensure!(thread.join(), "the engine's thread has panicked");
    peaks.push(peak_mib(process::id()));
    println!("{}", serde_json::json!({ "head": imported.head.hash, "peaks_mib": peaks }));
    Ok(())
}

/// Hands the blocks over, and looks at memory after each tenth but the last.
fn read_blocks(file: &Path, blocks: u64, sender: &mpsc::SyncSender<Block>) -> Result<Vec<f64>> {
    let mut file = BufReader::new(File::open(file)?);
    let mut peaks = Vec::new();
    for number in 1..=blocks {
        let mut length = [0; 4];
        file.read_exact(&mut length)?;
        let mut rlp = vec![0; u32::from_be_bytes(length) as usize];
        file.read_exact(&mut rlp)?;
        if sender.send(Block::decode(&mut &rlp[..])?).is_err() {
            break;
        }
        if number * PEAKS / blocks > (number - 1) * PEAKS / blocks && number < blocks {
            peaks.push(peak_mib(process::id()));
        }
    }
    Ok(peaks)
}
