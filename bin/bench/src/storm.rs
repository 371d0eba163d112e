//! The most memory that a node takes while a driver, over the Engine API's JSON-RPC, takes its chain back again and
//! again.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
};

use alloy_eips::Encodable2718;
use alloy_primitives::{Address, B256, TxKind, U256};
use eyre::{OptionExt, Result, ensure};
use jsonrpsee::RpcModule;
use op_alloy_consensus::TxDeposit;
use openledger_chainspec::ChainSpec;
use openledger_engine::{Engine, EngineConfig};
use openledger_engine_api::{
    Claims, EngineApi, EngineApiConfig, EngineApiServer, JwtSecret, ServerConfig, load_or_create_secret,
};
use openledger_figures::Figures;
use openledger_storage::Database;
use reqwest::{Client, header::CONTENT_TYPE};
use serde_json::{Value, json};

use crate::{accounts::Random, blocks::attributes, genesis::START, import::funded, process::peak_mib};

/// Blocks that are taken back at most.
const DEPTH: u64 = 8;
/// Forced transactions of a block, each to an account of its own.
const DEPOSITS: u64 = 20;

/// What `serve-engine` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct ServeEngineArguments {
    #[arg(long)]
    datadir: PathBuf,
    #[arg(long)]
    genesis: PathBuf,
    #[arg(long)]
    secret: PathBuf,
}

/// Serves until standard input ends. The first line of the output is the address.
pub(crate) async fn serve_engine(arguments: ServeEngineArguments) -> Result<()> {
    let spec = Arc::new(ChainSpec::from_path(&arguments.genesis)?);
    let database = Database::open(&arguments.datadir, spec)?;
    let (engine, thread) = Engine::spawn(database, EngineConfig::default())?;
    let api = EngineApi::new(engine, None, EngineApiConfig::default());
    let listen = ServerConfig::new(([127, 0, 0, 1], 0).into(), load_or_create_secret(&arguments.secret)?);
    let server = EngineApiServer::start(listen, api, RpcModule::new(())).await?;
    println!("{}", server.address());
    std::io::stdout().flush()?;
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    server.stop().await;
    ensure!(thread.join(), "the engine's thread has panicked");
    Ok(())
}

/// A node in a process of its own, and its driver.
struct Driven {
    child: Child,
    url: String,
    secret: JwtSecret,
    client: Client,
}

impl Drop for Driven {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Driven {
    fn start(folder: &Path) -> Result<Self> {
        let secret = folder.join("jwt.hex");
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("serve-engine").arg("--datadir").arg(folder.join("driven")).arg("--secret").arg(&secret);
        command.arg("--genesis").arg(folder.join("genesis.json"));
        let secret = load_or_create_secret(&secret)?;
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut address = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut address)?;
        }
        let url = format!("http://{}", address.trim());
        Ok(Self { child, url, secret, client: Client::builder().no_proxy().build()? })
    }

    async fn call(&self, method: &str, params: Value) -> Result<Value> {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
        let token = format!("Bearer {}", self.secret.encode(&Claims::default())?);
        let request = self.client.post(&self.url).header(CONTENT_TYPE, "application/json");
        let answer = request.header("Authorization", token).body(body).send().await?.error_for_status()?;
        let answer: Value = serde_json::from_slice(&answer.bytes().await?)?;
        ensure!(answer.get("error").is_none(), "{method}: {answer}");
        Ok(answer["result"].clone())
    }

    /// Moves the head; with attributes, starts a payload.
    async fn choose(&self, head: B256, attributes: Option<Value>) -> Result<Value> {
        let state =
            json!({ "headBlockHash": head, "safeBlockHash": B256::ZERO, "finalizedBlockHash": B256::ZERO });
        let updated = self.call("engine_forkchoiceUpdatedV3", json!([state, attributes])).await?;
        ensure!(updated["payloadStatus"]["status"] == "VALID", "the head {head} is refused: {updated}");
        Ok(updated["payloadId"].clone())
    }

    /// Has a block built on `parent`, hands it back, and gives its hash.
    async fn extend(&self, parent: B256, number: u64, random: &mut Random) -> Result<B256> {
        let mut attributes = attributes(parent, START + 2 * number);
        let forced = attributes.transactions.get_or_insert_default();
        for _ in 0..DEPOSITS {
            let to = Address::from_word(random.word());
            let deposit = TxDeposit {
                source_hash: random.word(),
                from: to,
                to: TxKind::Call(to),
                mint: 1,
                value: U256::ONE,
                gas_limit: 21_000,
                ..Default::default()
            };
            forced.push(deposit.encoded_2718().into());
        }
        attributes.no_tx_pool = Some(true);
        let id = self.choose(parent, Some(serde_json::to_value(attributes)?)).await?;
        let built = self.call("engine_getPayloadV4", json!([id])).await?;
        let payload = &built["executionPayload"];
        let params = json!([payload, [], built["parentBeaconBlockRoot"], []]);
        let status = self.call("engine_newPayloadV4", params).await?;
        ensure!(status["status"] == "VALID", "block {number} is refused: {status}");
        Ok(payload["blockHash"].as_str().ok_or_eyre("a payload has no hash")?.parse()?)
    }
}

/// Measures and checks.
pub(crate) async fn measure(reorgs: u64, base: &Path, results: &mut Figures) -> Result<()> {
    let folder = tempfile::tempdir_in(base)?;
    let (_, chain) = funded(100)?;
    fs::write(folder.path().join("genesis.json"), serde_json::to_vec(chain.spec.genesis())?)?;
    let node = Driven::start(folder.path())?;
    let mut random = Random(41);
    let mut hashes = vec![chain.spec.genesis_hash()];
    let mut early = 0.0;
    for reorg in 0..reorgs {
        let old = hashes.last().copied().ok_or_eyre("the chain has no genesis")?;
        let back = (1 + random.below(DEPTH)).min(hashes.len() as u64 - 1);
        hashes.truncate(hashes.len() - back as usize);
        // The new branch is longer by one block.
        for _ in 0..=back {
            let parent = hashes.last().copied().ok_or_eyre("the chain has no genesis")?;
            hashes.push(node.extend(parent, hashes.len() as u64, &mut random).await?);
        }
        let new = hashes.last().copied().ok_or_eyre("the chain has no genesis")?;
        // There, back to the old branch, and there again.
        for head in [new, old, new] {
            node.choose(head, None).await?;
        }
        if reorg == reorgs / 10 {
            early = peak_mib(node.child.id());
        }
    }
    results.set("memory.reorg_storm_early_mib", early);
    results.set("memory.reorg_storm_mib", peak_mib(node.child.id()));
    drop(node);
    let database = Database::open(&folder.path().join("driven"), chain.spec)?;
    let head = database.heads().latest;
    ensure!(hashes.last() == Some(&head.hash), "the chain ends at {}, not where it was taken", head.hash);
    database.check()?;
    Ok(())
}
