//! `openledger node`.

use crate::{db, l1_headers::L1Headers, shutdown};
use alloy_consensus::transaction::{Recovered, SignerRecoverable};
use clap::{Args, ValueEnum};
use eyre::{Result, WrapErr, ensure, eyre};
use jsonrpsee::Methods;
use metrics_exporter_prometheus::PrometheusBuilder;
use openledger_chainspec::{ChainSpec, RollupConfig};
use openledger_derivation::{Driver, DriverConfig};
use openledger_engine::{ChainEvent, Engine, EngineConfig, EngineHandle};
use openledger_engine_api::{
    EngineApi, EngineApiConfig, EngineApiHandle, EngineApiServer, ServerConfig, load_or_create_secret,
};
use openledger_l1::{L1Client, L1ClientConfig};
use openledger_rpc::{RpcConfig, RpcDeps, RpcServer, Submission};
use openledger_sequencer::{Sequencer, SequencerConfig};
use openledger_storage::{Database, DatabaseConfig, Pruning};
use openledger_txpool::{PoolConfig, TxPool};
use std::{
    fs,
    future::Future,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{Notify, broadcast::error::RecvError, watch},
    task::JoinSet,
    time::sleep,
};
use tracing::{info, warn};
use url::Url;

const RETRY: Duration = Duration::from_secs(2);

/// Where the Engine API listens by default.
const AUTHRPC_PORT: u16 = 8551;

/// Flags of the node.
#[derive(Debug, Args)]
pub(crate) struct NodeArguments {
    /// What this node does.
    #[arg(long, value_enum)]
    role: Role,
    /// Folder of the chain's database.
    #[arg(long)]
    datadir: PathBuf,
    /// The genesis file.
    #[arg(long, value_name = "FILE")]
    chain: PathBuf,
    /// The rollup configuration, as op-node reads it.
    #[arg(long, value_name = "FILE")]
    rollup_config: PathBuf,
    /// JSON-RPC endpoint of an L1 node. With the role `engine`, its driver reads L1.
    #[arg(long = "l1.rpc", value_name = "URL", required_if_eq_any([("role", "sequencer"), ("role", "verifier")]))]
    l1_rpc: Option<Url>,
    /// Beacon API endpoint of an L1 node, for blobs.
    #[arg(long = "l1.beacon", value_name = "URL", required_if_eq_any([("role", "sequencer"), ("role", "verifier")]))]
    l1_beacon: Option<Url>,
    /// What to keep of the past: `archive` (all), `full` (states and receipts of 10,064 blocks) or `distance=N` (of
    /// N blocks).
    #[arg(long, value_name = "KEEP", default_value_t = Pruning::Archive)]
    pruning: Pruning,
    /// L1 blocks that a sequencer or verifier stays behind L1's head.
    #[arg(long = "l1.confirmations", default_value_t = 0)]
    l1_confirmations: u64,
    /// Address that JSON-RPC listens on.
    #[arg(long = "http.addr", default_value = "127.0.0.1")]
    http_addr: IpAddr,
    /// Port of JSON-RPC over HTTP.
    #[arg(long = "http.port", default_value_t = 8545)]
    http_port: u16,
    /// Origins that browsers may call from; `*` for any.
    #[arg(long = "http.corsdomain", value_delimiter = ',')]
    http_corsdomain: Vec<String>,
    /// Port of JSON-RPC over WebSocket.
    #[arg(long = "ws.port", default_value_t = 8546)]
    ws_port: u16,
    /// Address that the Engine API listens on.
    #[arg(long = "authrpc.addr", default_value = "127.0.0.1")]
    authrpc_addr: IpAddr,
    /// Port of the Engine API. It is served where this or the secret is given, and with the role `engine`.
    #[arg(long = "authrpc.port", value_name = "PORT")]
    authrpc_port: Option<u16>,
    /// File with the secret of the Engine API's tokens, 32 bytes in hex; made where it is missing. By
    /// default `jwt.hex` in the data folder.
    #[arg(long = "authrpc.jwtsecret", value_name = "FILE")]
    authrpc_jwtsecret: Option<PathBuf>,
    /// Address and port of Prometheus metrics.
    #[arg(long, value_name = "ADDR:PORT")]
    metrics: Option<SocketAddr>,
    /// Where a verifier passes transactions on to.
    #[arg(long = "rollup.sequencer-http", value_name = "URL")]
    sequencer_http: Option<Url>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Role {
    /// Takes transactions and makes blocks.
    Sequencer,
    /// Derives the chain from L1 alone.
    Verifier,
    /// Does what a driver such as op-node or kona-node says over the Engine API.
    Engine,
}

pub(crate) async fn run(arguments: NodeArguments) -> Result<()> {
    let spec = Arc::new(ChainSpec::from_path(&arguments.chain)?);
    let rollup = Arc::new(RollupConfig::from_path(&arguments.rollup_config)?);
    ensure!(
        rollup.genesis.l2.hash == spec.genesis_hash() && rollup.l2_chain_id == spec.chain_id(),
        "--chain and --rollup-config describe two chains: genesis {} and {}",
        spec.genesis_hash(),
        rollup.genesis.l2.hash,
    );
    if let Some(address) = arguments.metrics {
        PrometheusBuilder::new()
            .with_http_listener(address)
            .install()
            .wrap_err_with(|| format!("--metrics {address}"))?;
    }
    let folder = db::folder(&arguments.datadir);
    fs::create_dir_all(&folder).wrap_err_with(|| format!("--datadir {}", arguments.datadir.display()))?;
    let config = DatabaseConfig { pruning: arguments.pruning, ..Default::default() };
    let database = Database::open_with(&folder, spec, config)?;
    let head = database.heads().latest;
    info!(role = ?arguments.role, head = head.number, hash = %head.hash, "opened the chain");

    let bad_blocks = Some(arguments.datadir.join("bad-blocks"));
    let (engine, engine_thread) =
        Engine::spawn(database.clone(), EngineConfig { bad_blocks, ..Default::default() })?;
    let pool = TxPool::new(PoolConfig::default(), database.clone())?;
    let head_moved = Arc::new(Notify::new());
    let rpc = RpcServer::start(
        rpc_config(&arguments),
        RpcDeps {
            database,
            pool: pool.clone(),
            rollup: Some(rollup.as_ref().clone()),
            head_moved: Arc::clone(&head_moved),
        },
    )
    .await?;
    info!(http = ?rpc.http_addr(), ws = ?rpc.ws_addr(), "JSON-RPC is up");
    let engine_api = serve_engine_api(&arguments, &engine, &pool, rpc.methods().clone()).await?;

    let (stop, stopped) = watch::channel(false);
    let mut services = JoinSet::new();
    services.spawn(follow_chain(engine.clone(), pool.clone(), head_moved, wait(stopped.clone())));
    services.spawn(drive(arguments, rollup, engine, pool, stopped));
    let ended = tokio::select! {
        ended = services.join_next() => ended.transpose()?.unwrap_or(Ok(())),
        () = shutdown::requested() => Ok(()),
    };
    info!("stopping");
    let _ = stop.send(true);
    if let Some(engine_api) = engine_api {
        engine_api.stop().await;
    }
    rpc.stop().await;
    while let Some(service) = services.join_next().await {
        if let Err(error) = service.map_err(eyre::Report::from).and_then(|ended| ended) {
            warn!(%error, "while stopping");
        }
    }
    // The engine ends with its last handle, after what it was told to do.
    tokio::task::spawn_blocking(move || engine_thread.join()).await?;
    ended
}

/// The Engine API, where it is asked for.
async fn serve_engine_api(
    arguments: &NodeArguments,
    engine: &EngineHandle,
    pool: &TxPool,
    eth: Methods,
) -> Result<Option<EngineApiHandle>> {
    let wanted = arguments.authrpc_port.is_some() || arguments.authrpc_jwtsecret.is_some();
    if !wanted && arguments.role != Role::Engine {
        return Ok(None);
    }
    let default_secret = arguments.datadir.join("jwt.hex");
    let secret = load_or_create_secret(arguments.authrpc_jwtsecret.as_ref().unwrap_or(&default_secret))?;
    let listen = SocketAddr::new(arguments.authrpc_addr, arguments.authrpc_port.unwrap_or(AUTHRPC_PORT));
    let api = EngineApi::new(engine.clone(), Some(pool.clone()), EngineApiConfig::default());
    Ok(Some(EngineApiServer::start(ServerConfig::new(listen, secret), api, eth).await?))
}

/// Sequencing and derivation, once L1 answers. With the role `engine` a driver of its own does both.
async fn drive(
    arguments: NodeArguments,
    rollup: Arc<RollupConfig>,
    engine: EngineHandle,
    pool: TxPool,
    stopped: watch::Receiver<bool>,
) -> Result<()> {
    let Some(l1_rpc) = arguments.l1_rpc.clone().filter(|_| arguments.role != Role::Engine) else {
        drop((engine, pool));
        wait(stopped).await;
        return Ok(());
    };
    let l1 = Arc::new(L1Client::new(L1ClientConfig::new(l1_rpc, arguments.l1_beacon.clone()))?);
    tokio::select! {
        reached = reach(&l1, rollup.l1_chain_id) => reached?,
        () = wait(stopped.clone()) => return Ok(()),
    }
    let driver_config = DriverConfig { confirmations: arguments.l1_confirmations, ..Default::default() };
    let driver = Driver::new(engine.clone(), Arc::clone(&l1), Arc::clone(&rollup), driver_config);
    let derivation = driver.run(wait(stopped.clone()));
    match arguments.role {
        Role::Verifier | Role::Engine => Ok(derivation.await?),
        Role::Sequencer => {
            let headers = L1Headers { client: l1, confirmations: arguments.l1_confirmations };
            let sequencer = Sequencer::new(rollup, engine, headers, pool, SequencerConfig::default());
            let sequencing = sequencer.run(wait(stopped));
            tokio::try_join!(async { sequencing.await.map_err(eyre::Report::from) }, async {
                derivation.await.map_err(eyre::Report::from)
            })?;
            Ok(())
        }
    }
}

/// Waits for L1, saying so, and refuses another chain.
async fn reach(l1: &L1Client, expected: u64) -> Result<()> {
    loop {
        match l1.chain_id().await {
            Ok(found) if found == expected => return Ok(()),
            Ok(found) => {
                return Err(eyre!(
                    "--l1.rpc is chain {found}, but the rollup configuration names L1 chain {expected}"
                ));
            }
            Err(error) => warn!(%error, endpoint = l1.endpoint(), "L1 not reachable, retrying"),
        }
        sleep(RETRY).await;
    }
}

/// Keeps the pool on the chain's head and tells the RPC server that it moved.
async fn follow_chain(
    engine: EngineHandle,
    pool: TxPool,
    head_moved: Arc<Notify>,
    stopped: impl Future<Output = ()> + Send,
) -> Result<()> {
    let mut events = engine.subscribe();
    drop(engine);
    tokio::pin!(stopped);
    loop {
        let event = tokio::select! {
            // In this order, for the engine ends too once the node was told to stop.
            biased;
            () = &mut stopped => return Ok(()),
            event = events.recv() => event,
        };
        let followed = match event {
            Ok(ChainEvent::Unwound { dropped, .. }) => {
                let transactions: Vec<_> = dropped
                    .iter()
                    .flat_map(|block| &block.body.transactions)
                    .filter(|tx| !tx.is_deposit())
                    .filter_map(|tx| Some(Recovered::new_unchecked(tx.clone(), tx.recover_signer().ok()?)))
                    .collect();
                pool.on_unwound(transactions).await
            }
            // After missed events the head itself says what is to be known.
            Ok(ChainEvent::NewBlock(_)) | Err(RecvError::Lagged(_)) => pool.on_new_block().await,
            Ok(_) => Ok(Vec::new()),
            Err(RecvError::Closed) => return Err(eyre!("the engine has stopped")),
        };
        if let Err(error) = followed {
            warn!(%error, "the pool could not follow the chain");
        }
        head_moved.notify_one();
    }
}

fn rpc_config(arguments: &NodeArguments) -> RpcConfig {
    let submission = match (arguments.role, &arguments.sequencer_http) {
        (Role::Sequencer, _) | (Role::Engine, None) => Submission::Pool,
        (Role::Verifier | Role::Engine, Some(url)) => Submission::Forward(url.to_string()),
        (Role::Verifier, None) => Submission::Refuse,
    };
    RpcConfig {
        http: Some(SocketAddr::new(arguments.http_addr, arguments.http_port)),
        ws: Some(SocketAddr::new(arguments.http_addr, arguments.ws_port)),
        cors_origins: arguments.http_corsdomain.clone(),
        submission,
        ..Default::default()
    }
}

async fn wait(mut stopped: watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}
