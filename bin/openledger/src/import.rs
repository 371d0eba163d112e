//! `openledger import`: adds blocks of a file to a chain.

use std::{
    fs::File,
    io::{BufReader, Read},
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
    time::Instant,
};

use alloy_rlp::Decodable;
use clap::Args;
use eyre::{Result, WrapErr, bail, ensure};
use openledger_chainspec::ChainSpec;
use openledger_engine::{Block, Engine, EngineConfig};
use openledger_storage::{Database, DatabaseConfig, Pruning};
use serde::Serialize;
use tokio::task::spawn_blocking;

/// Bytes that a block in RLP may have.
const MAX_BLOCK_BYTES: usize = 64 << 20;
/// Blocks that are read ahead.
const READ_AHEAD_BLOCKS: usize = 64;

/// What to import, and where to.
#[derive(Debug, Args)]
pub(crate) struct ImportArguments {
    /// The chain's genesis, in geth's format.
    #[arg(long)]
    chain: PathBuf,
    /// The data folder; made where it is not there.
    #[arg(long)]
    datadir: PathBuf,
    /// What to keep of the past: `archive` (all), `full` (states and receipts of 10,064 blocks) or `distance=N` (of
    /// N blocks).
    #[arg(long, value_name = "KEEP", default_value_t = Pruning::Archive)]
    pruning: Pruning,
    /// Blocks in RLP, one after the other, as `geth export` writes them.
    blocks: PathBuf,
}

/// The last line that is printed.
#[derive(Debug, Serialize)]
struct Summary {
    head: alloy_primitives::B256,
    number: u64,
    /// Gas used by the blocks that were added.
    gas: u64,
    /// From opening the file until all is durable.
    seconds: f64,
}

/// Adds the file's blocks. Those that the chain has already are passed over.
pub(crate) async fn run(arguments: ImportArguments) -> Result<()> {
    let ImportArguments { chain, datadir, pruning, blocks } = arguments;
    let spec = Arc::new(ChainSpec::from_path(&chain)?);
    let genesis = spec.genesis_header().number;
    let config = DatabaseConfig { pruning, ..Default::default() };
    let database = Database::open_with(&crate::db::folder(&datadir), spec, config)?;
    let (engine, thread) = Engine::spawn(database, EngineConfig::default())?;
    let start = Instant::now();
    let (sender, receiver) = mpsc::sync_channel(READ_AHEAD_BLOCKS);
    let reader = spawn_blocking(move || read_blocks(&blocks, genesis, &sender));
    let imported = engine.import(receiver).await;
    let read = reader.await?;
    drop(engine);
    ensure!(thread.join(), "the engine's thread has panicked");
    let imported = imported?;
    let summary = Summary {
        head: imported.head.hash,
        number: imported.head.number,
        gas: imported.gas,
        seconds: start.elapsed().as_secs_f64(),
    };
    read?;
    println!("{}", serde_json::to_string(&summary)?);
    Ok(())
}

/// Sends the file's blocks until it ends or nobody takes them. The genesis block is passed over.
fn read_blocks(path: &Path, genesis: u64, blocks: &mpsc::SyncSender<Block>) -> Result<()> {
    let named = || format!("cannot read {}", path.display());
    let mut file = BufReader::new(File::open(path).wrap_err_with(named)?);
    for index in 0_u64.. {
        let Some(rlp) = next_item(&mut file).wrap_err_with(|| format!("{}, item {index}", path.display()))?
        else {
            return Ok(());
        };
        let mut rest = &rlp[..];
        let block = Block::decode(&mut rest)
            .wrap_err_with(|| format!("{}, item {index} is not a block", path.display()))?;
        if block.header.number > genesis && blocks.send(block).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// The next RLP item, its header included; `None` at the end of the file.
fn next_item(file: &mut impl Read) -> Result<Option<Vec<u8>>> {
    let mut item = vec![0; 1];
    if file.read(&mut item)? == 0 {
        return Ok(None);
    }
    // 0xc0 to 0xf7 say the list's length, 0xf8 to 0xff how many bytes say it.
    let length_bytes = match item[0] {
        code @ 0xf8.. => usize::from(code - 0xf7),
        0xc0.. => 0,
        code => bail!("it starts with {code:#04x}, a block is an RLP list"),
    };
    read_more(file, &mut item, length_bytes)?;
    let payload = match length_bytes {
        0 => usize::from(item[0] - 0xc0),
        _ => item[1..].iter().fold(0_usize, |length, byte| length.saturating_mul(256) | usize::from(*byte)),
    };
    ensure!(payload <= MAX_BLOCK_BYTES, "it has {payload} bytes, a block has at most {MAX_BLOCK_BYTES}");
    read_more(file, &mut item, payload)?;
    Ok(Some(item))
}

fn read_more(file: &mut impl Read, item: &mut Vec<u8>, bytes: usize) -> Result<()> {
    let start = item.len();
    item.resize(start + bytes, 0);
    file.read_exact(&mut item[start..]).wrap_err("the file ends in the middle of a block")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn items_are_read_one_after_the_other() {
        let short = alloy_rlp::encode([1_u8, 2, 3].iter().map(|byte| u64::from(*byte)).collect::<Vec<_>>());
        let long = alloy_rlp::encode(vec![u64::MAX; 100]);
        let file = [short.clone(), long.clone()].concat();
        let mut rest = &file[..];
        assert_eq!(next_item(&mut rest).unwrap(), Some(short));
        assert_eq!(next_item(&mut rest).unwrap(), Some(long));
        assert_eq!(next_item(&mut rest).unwrap(), None);
    }

    #[test]
    fn what_is_no_list_or_cut_short_or_too_long_is_refused() {
        assert!(next_item(&mut &[0x83, 1, 2, 3][..]).is_err());
        assert!(next_item(&mut &[0xc3, 1][..]).is_err());
        assert!(next_item(&mut &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff][..]).is_err());
    }
}
