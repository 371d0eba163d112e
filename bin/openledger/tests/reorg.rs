//! L1 takes blocks back under a running network.
#![allow(clippy::unwrap_used, missing_docs)]

use alloy_primitives::B256;
use alloy_provider::{DynProvider, Provider};
use openledger_devnet::{Artifacts, Devnet, DevnetOptions, Ports, Programs, connect};
use serde_json::{Value, json};
use std::{fs, path::Path, time::Duration};
use tokio::time::{Instant, sleep};

/// Blocks that L1 takes back.
const DEPTH: u64 = 3;
const POLL: Duration = Duration::from_millis(200);
/// Only a network that does not go on takes so long.
const STUCK_AFTER: Duration = Duration::from_secs(150);

async fn start(datadir: &Path) -> Devnet {
    let openledger = env!("CARGO_BIN_EXE_openledger").into();
    let mut devnet = Devnet::prepare(DevnetOptions {
        datadir: datadir.to_owned(),
        artifacts: Artifacts::find().unwrap(),
        ports: Ports::free().unwrap(),
        programs: Programs { openledger, attributor: None, model: None },
        story_accounts: Vec::new(),
    })
    .await
    .unwrap();
    devnet.start_chain().await.unwrap();
    devnet.start_verifier().await.unwrap();
    devnet
}

async fn ask(chain: &DynProvider, method: &'static str, parameters: Value) -> Value {
    chain.raw_request(method.into(), parameters).await.unwrap()
}

/// Number and hash of a block, by number or tag.
async fn block(chain: &DynProvider, which: &str) -> Option<(u64, B256)> {
    let block = ask(chain, "eth_getBlockByNumber", json!([which, false])).await;
    let number = block.get("number")?.as_str()?.trim_start_matches("0x");
    Some((u64::from_str_radix(number, 16).unwrap(), block["hash"].as_str()?.parse().unwrap()))
}

async fn head(chain: &DynProvider, tag: &str) -> u64 {
    block(chain, tag).await.unwrap().0
}

async fn until(what: &str, deadline: Instant, mut done: impl AsyncFnMut() -> bool) {
    while !done().await {
        assert!(Instant::now() < deadline, "gave up waiting until {what}");
        sleep(POLL).await;
    }
}

/// Blob transactions in L1's newest blocks.
async fn blob_transactions(l1: &DynProvider) -> usize {
    let newest = l1.get_block_number().await.unwrap();
    let mut count = 0;
    for number in newest + 1 - DEPTH..=newest {
        let block = ask(l1, "eth_getBlockByNumber", json!([format!("{number:#x}"), true])).await;
        let transactions = block["transactions"].as_array().unwrap();
        count += transactions.iter().filter(|transaction| transaction["type"] == "0x3").count();
    }
    count
}

#[tokio::test(flavor = "multi_thread")]
async fn safe_head_passes_its_old_height_after_l1_took_batches_back() {
    let folder = tempfile::tempdir().unwrap();
    let datadir = folder.path().join("net");
    let devnet = start(&datadir).await;
    let roles = devnet.roles().clone();
    let [l1, sequencer, verifier] =
        [roles.l1_http(), roles.l2_http(), roles.verifier_http()].map(|url| connect(&url).unwrap());
    let deadline = Instant::now() + STUCK_AFTER;
    until("both nodes have safe blocks", deadline, async || {
        head(&sequencer, "safe").await > 0 && head(&verifier, "safe").await > 0
    })
    .await;

    // L1 stands still while it is looked at, so that what is taken back is what was seen.
    let block_time_seconds = 2;
    loop {
        ask(&l1, "evm_setIntervalMining", json!([0])).await;
        if blob_transactions(&l1).await > 0 {
            break;
        }
        ask(&l1, "evm_setIntervalMining", json!([block_time_seconds])).await;
        sleep(POLL).await;
        assert!(Instant::now() < deadline, "the batcher posts nothing");
    }
    // Nothing above this block can have been on L1.
    let before = head(&sequencer, "latest").await;
    ask(&l1, "anvil_reorg", json!([DEPTH, []])).await;
    assert_eq!(blob_transactions(&l1).await, 0, "the batches are gone");
    ask(&l1, "evm_setIntervalMining", json!([block_time_seconds])).await;

    let deadline = Instant::now() + STUCK_AFTER;
    until("the safe heads pass their old height", deadline, async || {
        head(&sequencer, "safe").await > before && head(&verifier, "safe").await > before
    })
    .await;
    let above = format!("{:#x}", before + 1);
    let derived = block(&verifier, &above).await;
    assert!(derived.is_some());
    assert_eq!(derived, block(&sequencer, &above).await);

    devnet.stop().await;
    for role in ["sequencer", "verifier"] {
        let log = fs::read_to_string(roles.layout.log_of(role)).unwrap();
        assert!(!log.contains("engine has stopped"), "{role} does not stop quietly:\n{log}");
        assert!(log.contains("stopping"), "{role} was not stopped:\n{log}");
    }
}
