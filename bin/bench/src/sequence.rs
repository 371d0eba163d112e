//! Transactions a second from bytes on a socket to a durable block: ours against anvil, with the same bytes, taking
//! turns; and against what the cores recover senders at.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Instant,
};

use alloy_primitives::Address;
use eyre::{Result, WrapErr, ensure};
use openledger_figures::{Figures, median};
use openledger_primitives::{OpenTxEnvelope, recover_senders};

use crate::{
    accounts::{Random, sign},
    genesis::{BLOCK_GAS, CHAIN_ID, Chain},
    import::funded,
    limit::recover_all,
    load::{Endpoint, Requests, render},
    process::cpu_time,
    workload::Kind,
};

/// Of anvil: room for every transaction that is sent.
const PEER_BLOCK_GAS: u64 = 1000 * BLOCK_GAS;
const CONNECTIONS: usize = 4;
const BATCH: usize = 100;
/// Times that the recovery rate is measured in each round.
const RECOVERIES: usize = 3;

/// Sizes, and the peer.
#[derive(Debug)]
pub(crate) struct SequenceSizes {
    pub(crate) rounds: usize,
    pub(crate) transactions: usize,
    pub(crate) senders: usize,
    pub(crate) anvil: PathBuf,
}

/// A process that ends with this.
struct Node {
    child: Child,
    endpoint: Endpoint,
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Measures and checks.
pub(crate) async fn measure(sizes: &SequenceSizes, base: &Path, results: &mut Figures) -> Result<()> {
    ensure!(sizes.anvil.exists(), "{} is missing: run `make setup` or give --anvil", sizes.anvil.display());
    let folder = tempfile::tempdir_in(base)?;
    let (accounts, chain) = funded(sizes.senders.max(CONNECTIONS) as u64)?;
    let genesis = folder.path().join("genesis.json");
    fs::write(&genesis, serde_json::to_vec(chain.spec.genesis())?)?;
    for kind in [Kind::Transfer, Kind::Erc20] {
        let connections = transactions(kind, &accounts, &chain, sizes.transactions)?;
        let requests = render(&connections, BATCH)?;
        let all: Vec<_> = connections.into_iter().flatten().collect();
        let (mut ours, mut anvil, mut recovery) = (Vec::new(), Vec::new(), Vec::new());
        let mut cpu_us = Vec::new();
        for round in 0..sizes.rounds {
            for turn in 0..2 {
                if (round + turn) % 2 == 0 {
                    let datadir = folder.path().join(format!("{}-{round}", kind.name()));
                    let node = start_ours(&datadir, &genesis, all.len())?;
                    let before = cpu_time(node.child.id());
                    ours.push(rate(&node, "ours", &requests, all.len(), 1).await?);
                    let cpu = cpu_time(node.child.id()) - before;
                    cpu_us.push(cpu.as_secs_f64() * 1e6 / all.len() as f64);
                    drop(node);
                    fs::remove_dir_all(&datadir)?;
                } else {
                    let node = start_anvil(&sizes.anvil, &genesis)?;
                    anvil.push(rate(&node, "anvil", &requests, all.len(), 0).await?);
                }
            }
            for _ in 0..RECOVERIES {
                let start = Instant::now();
                ensure!(recover_all(&all)?.len() == all.len(), "a sender is missing");
                recovery.push(all.len() as f64 / start.elapsed().as_secs_f64());
            }
        }
        let ratios: Vec<f64> = ours.iter().zip(&anvil).map(|(ours, anvil)| ours / anvil).collect();
        let name = kind.name();
        results.set(format!("sequence.{name}.tps"), median(&ours));
        results.set(format!("sequence.{name}.anvil_tps"), median(&anvil));
        results.set(format!("sequence.{name}.vs_anvil"), median(&ratios));
        results.set(format!("sequence.{name}.vs_recover"), median(&ours) / median(&recovery));
        results.set(format!("sequence.{name}.node_cpu_us"), median(&cpu_us));
        results.set("recover.per_s", median(&recovery));
        results.set("recover.node_per_core_s", node_rate(&all)?);
    }
    Ok(())
}

/// What the node's own way of recovering senders does on one core.
fn node_rate(transactions: &[OpenTxEnvelope]) -> Result<f64> {
    let some = &transactions[..transactions.len().min(20_000)];
    let start = Instant::now();
    ensure!(recover_senders(some).iter().all(Result::is_ok), "a sender is missing");
    Ok(some.len() as f64 / start.elapsed().as_secs_f64())
}

/// Signed transactions, for each connection those of its own senders, in turn.
fn transactions(
    kind: Kind,
    accounts: &[Address],
    chain: &Chain,
    count: usize,
) -> Result<Vec<Vec<OpenTxEnvelope>>> {
    let mut random = Random(23);
    let share = accounts.len() / CONNECTIONS;
    let connection = |connection: usize| {
        let drafts = (0..count / CONNECTIONS).map(|index| {
            let from = connection * share + index % share;
            let to = accounts[random.below(accounts.len() as u64) as usize];
            kind.draft(from as u64, (index / share) as u64, to, chain.token, 1 + random.below(1 << 40))
        });
        sign(drafts.collect())
    };
    (0..CONNECTIONS).map(connection).collect()
}

async fn rate(node: &Node, name: &str, requests: &Requests, count: usize, forced: u64) -> Result<f64> {
    node.endpoint.ready().await?;
    println!("{name}:");
    let took = node.endpoint.run(requests, count as u64, forced).await?;
    Ok(count as f64 / took.as_secs_f64())
}

fn start_ours(datadir: &Path, genesis: &Path, pool: usize) -> Result<Node> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("serve").arg("--datadir").arg(datadir).arg("--genesis").arg(genesis);
    command.args(["--pool", &pool.to_string()]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut address = String::new();
    if let Some(output) = child.stdout.take() {
        BufReader::new(output).read_line(&mut address)?;
    }
    let endpoint = Endpoint::new(format!("http://{}", address.trim()))?;
    Ok(Node { child, endpoint })
}

/// The fastest way found: blocks that hold all that waits, one a second. Mining at once, it did not get through
/// 10,000 transactions in 40 seconds; blocks of 30M gas would hold 1,428 transfers a second.
fn start_anvil(program: &Path, genesis: &Path) -> Result<Node> {
    let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
    let mut command = Command::new(program);
    command.args(["--host", "127.0.0.1", "--silent", "--port", &port.to_string()]);
    command.args(["--chain-id", &CHAIN_ID.to_string(), "--gas-limit", &PEER_BLOCK_GAS.to_string()]);
    command
        .args(["--block-time", "1", "--accounts", "1", "--no-request-size-limit"])
        .arg("--init")
        .arg(genesis);
    command.args(["--threads", &thread::available_parallelism()?.to_string()]);
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().wrap_err("cannot start anvil")?;
    Ok(Node { child, endpoint: Endpoint::new(format!("http://127.0.0.1:{port}"))? })
}
