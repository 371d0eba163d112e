//! The node that is measured: JSON-RPC, pool, sequencer, engine and storage as `openledger node` wires them, over an
//! L1 in memory, building a block as soon as the one before is made and a transaction waits.

use std::{
    io::{Read, Write},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use alloy_consensus::{Header, ReceiptEnvelope, Sealable, Sealed};
use alloy_eips::BlockNumHash;
use alloy_primitives::B256;
use eyre::Result;
use openledger_chainspec::{ChainSpec, RollupConfig, RollupGenesis, SystemConfig};
use openledger_engine::{Engine, EngineConfig};
use openledger_rpc::{RpcConfig, RpcDeps, RpcServer};
use openledger_sequencer::{L1Source, L1SourceError, Sequencer, SequencerConfig};
use openledger_storage::Database;
use openledger_txpool::{PoolConfig, TxPool};
use tokio::{sync::Notify, time::sleep};

use crate::genesis::{BLOCK_GAS, START};

/// Pause while there is nothing to seal.
const IDLE: Duration = Duration::from_millis(1);

/// What `serve` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct ServeArguments {
    /// The data folder.
    #[arg(long)]
    datadir: PathBuf,
    /// The genesis file.
    #[arg(long)]
    genesis: PathBuf,
    /// Transactions that the pool takes.
    #[arg(long)]
    pool: usize,
}

/// An L1 that is always there and has a block each 12 seconds.
#[derive(Debug, Clone, Copy)]
struct SteadyL1;

impl SteadyL1 {
    fn at(number: u64) -> Sealed<Header> {
        let header = Header {
            number,
            parent_hash: if number == 0 {
                B256::ZERO
            } else {
                B256::from(alloy_primitives::U256::from(number))
            },
            timestamp: START + 12 * number,
            base_fee_per_gas: Some(7),
            excess_blob_gas: Some(0),
            parent_beacon_block_root: Some(B256::repeat_byte(8)),
            ..Default::default()
        };
        header.seal_slow()
    }
}

impl L1Source for SteadyL1 {
    async fn header(&self, number: u64) -> Result<Option<Sealed<Header>>, L1SourceError> {
        // It stays at its genesis: a chain that is measured is shorter than the sequencer drift.
        Ok((number == 0).then(|| Self::at(number)))
    }

    async fn receipts(&self, _: B256) -> Result<Vec<ReceiptEnvelope>, L1SourceError> {
        Ok(Vec::new())
    }
}

/// Serves until standard input ends. The first line of the output is the address.
pub(crate) async fn serve(arguments: ServeArguments) -> Result<()> {
    let spec = Arc::new(ChainSpec::from_path(&arguments.genesis)?);
    let rollup = Arc::new(RollupConfig {
        genesis: RollupGenesis {
            l1: BlockNumHash { number: 0, hash: SteadyL1::at(0).hash() },
            l2: BlockNumHash { number: 0, hash: spec.genesis_hash() },
            l2_time: START,
            system_config: SystemConfig { gas_limit: BLOCK_GAS, ..Default::default() },
        },
        block_time: 1,
        isthmus_time: Some(0),
        ..Default::default()
    });
    let database = Database::open(&arguments.datadir, spec)?;
    let (engine, _thread) = Engine::spawn(database.clone(), EngineConfig::default())?;
    let limits = PoolConfig {
        max_transactions: arguments.pool,
        max_slots: arguments.pool,
        max_per_sender: arguments.pool,
        ..Default::default()
    };
    let pool = TxPool::new(limits, database.clone())?;
    let head_moved = Arc::new(Notify::new());
    let config = RpcConfig { http: Some(([127, 0, 0, 1], 0).into()), ws: None, ..Default::default() };
    let deps = RpcDeps {
        database,
        pool: pool.clone(),
        rollup: Some(rollup.as_ref().clone()),
        head_moved: Arc::clone(&head_moved),
    };
    let rpc = RpcServer::start(config, deps).await?;
    if let Some(address) = rpc.http_addr() {
        println!("{address}");
        std::io::stdout().flush()?;
    }
    let mut sequencer = Sequencer::new(rollup, engine, SteadyL1, pool.clone(), SequencerConfig::default());
    let sealing = async {
        loop {
            if pool.has_ready() {
                sequencer.seal_ahead().await?;
            } else if sequencer.is_storing() {
                sequencer.settle().await?;
            } else {
                sleep(IDLE).await;
                continue;
            }
            head_moved.notify_one();
        }
    };
    let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    tokio::select! {
        result = sealing => result,
        _ = ended => Ok(()),
    }
}
