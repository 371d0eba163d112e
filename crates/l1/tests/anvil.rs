//! The client against a real anvil; skipped with a line where anvil is not installed.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use alloy_consensus::Transaction as _;
use alloy_eips::eip4844::Blob;
use alloy_provider::{Provider as _, ProviderBuilder};
use alloy_signer_local::PrivateKeySigner;
use openledger_l1::{L1Client, L1ClientConfig, L1Error, L1Source, RetryPolicy};
use openledger_tx_manager::{TxCandidate, TxManager, TxManagerConfig};

const ANVIL: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../contracts/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil"
);

struct Anvil(Child);

impl Drop for Anvil {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn config(port: u16) -> L1ClientConfig {
    let url: reqwest::Url = format!("http://127.0.0.1:{port}").parse().unwrap();
    L1ClientConfig::new(url.clone(), Some(url))
}

#[tokio::test]
async fn headers_transactions_and_receipts_of_anvil_are_verified() {
    if !Path::new(ANVIL).exists() {
        eprintln!("skipped: {ANVIL} is missing, run `npm ci` in contracts");
        return;
    }
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let _anvil = Anvil(
        Command::new(ANVIL)
            .args(["--port", &port.to_string(), "--block-time", "1", "--slots-in-an-epoch", "1"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let client = L1Client::new(config(port)).unwrap();
    assert_eq!(client.chain_id().await.unwrap(), 31337);
    let http = reqwest::Client::new();
    let send = serde_json::json!({
        "jsonrpc": "2.0", "id": 1, "method": "eth_sendTransaction",
        "params": [{ "from": "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
                     "to": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8", "value": "0x1" }],
    });
    http.post(format!("http://127.0.0.1:{port}")).json(&send).send().await.unwrap();
    let mut number = 0;
    let header = loop {
        let Some(header) = client.block_by_number(number).await.unwrap() else {
            tokio::time::sleep(Duration::from_millis(200)).await;
            continue;
        };
        if !header.transaction_root_is_empty() {
            break header;
        }
        number += 1;
    };
    let block = client.block(header.clone()).await.unwrap();
    assert_eq!((block.transactions.len(), block.receipts.len()), (1, 1));
    assert_eq!(client.block_by_hash(header.hash()).await.unwrap(), Some(header.clone()));
    let parent = client.block_by_hash(header.parent_hash).await.unwrap().unwrap();
    assert_eq!(parent.number + 1, header.number);
    assert!(client.blobs(&header, &[]).await.unwrap().is_empty());
    let missing = client.blobs(&header, &[header.hash()]).await;
    assert!(matches!(missing, Err(L1Error::MissingBlob { .. })), "{missing:?}");
    assert!(client.finalized().await.unwrap().is_some());
}

#[tokio::test]
async fn blobs_of_a_mined_transaction_are_read_back() {
    if !Path::new(ANVIL).exists() {
        eprintln!("skipped: {ANVIL} is missing, run `npm ci` in contracts");
        return;
    }
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let arguments = ["--port", &port.to_string(), "--hardfork", "osaka"];
    let _anvil = Anvil(Command::new(ANVIL).args(arguments).stdout(Stdio::null()).spawn().unwrap());
    let client = L1Client::new(config(port)).unwrap();
    client.chain_id().await.unwrap();
    let key: PrivateKeySigner =
        "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80".parse().unwrap();
    let url = format!("http://127.0.0.1:{port}").parse().unwrap();
    let provider = ProviderBuilder::default().connect_http(url).erased();
    let manager = TxManager::new(provider, key, TxManagerConfig::default()).await.unwrap();
    let blob = Blob::repeat_byte(0x11);
    let candidate = TxCandidate { gas_limit: Some(21_000), blobs: vec![blob], ..Default::default() };
    let receipt = manager.send(&candidate).await.unwrap();

    let header = client.block_by_hash(receipt.block_hash.unwrap()).await.unwrap().unwrap();
    let block = client.block(header.clone()).await.unwrap();
    let hashes = block.transactions[0].blob_versioned_hashes().unwrap();
    assert_eq!(*block.transactions[0].hash(), receipt.transaction_hash);
    assert_eq!(*client.blobs(&header, hashes).await.unwrap()[0], blob);
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_is_named() {
    let retry = RetryPolicy {
        attempts: 2,
        first_pause: Duration::from_millis(1),
        longest_pause: Duration::from_millis(1),
    };
    let client = L1Client::new(L1ClientConfig { retry, ..config(9) }).unwrap();
    let error = client.head().await.unwrap_err();
    assert!(error.to_string().starts_with("L1 not reachable at http://127.0.0.1:9: "), "{error}");
}
