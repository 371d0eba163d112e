//! The load generator: requests that were rendered before, over connections that stay open.

use std::time::{Duration, Instant};

use alloy_eips::Encodable2718;
use alloy_primitives::hex;
use eyre::{OptionExt, Result, ensure};
use openledger_primitives::OpenTxEnvelope;
use reqwest::{Client, header::CONTENT_TYPE};
use serde_json::{Value, json};
use tokio::{task::JoinSet, time::sleep};

/// How often the head is looked at.
const POLL: Duration = Duration::from_millis(5);
/// How long no block may come.
const PATIENCE: Duration = Duration::from_secs(120);

/// Bodies of requests, for each connection its own.
pub(crate) type Requests = Vec<Vec<Vec<u8>>>;

/// Renders each connection's transactions in batches.
pub(crate) fn render(connections: &[Vec<OpenTxEnvelope>], batch: usize) -> Result<Requests> {
    let request = |(id, tx): (usize, &OpenTxEnvelope)| {
        let raw = hex::encode_prefixed(tx.encoded_2718());
        json!({ "jsonrpc": "2.0", "id": id, "method": "eth_sendRawTransaction", "params": [raw] })
    };
    let body = |batch: &[OpenTxEnvelope]| {
        Ok(serde_json::to_vec(&batch.iter().enumerate().map(request).collect::<Vec<_>>())?)
    };
    connections.iter().map(|transactions| transactions.chunks(batch).map(body).collect()).collect()
}

/// A node's JSON-RPC.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    url: String,
    client: Client,
}

impl Endpoint {
    pub(crate) fn new(url: String) -> Result<Self> {
        Ok(Self { url, client: Client::builder().no_proxy().timeout(PATIENCE).build()? })
    }

    pub(crate) async fn call(&self, method: &str, params: Value) -> Result<Value> {
        let body =
            serde_json::to_vec(&json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }))?;
        let answer = self.post(body).await?;
        let answer: Value = serde_json::from_slice(&answer)?;
        let result = answer.get("result").filter(|result| !result.is_null()).cloned();
        result.ok_or_else(|| eyre::eyre!("{method} at {}: {answer}", self.url))
    }

    async fn number(&self, method: &str, params: Value) -> Result<u64> {
        let value = self.call(method, params).await?;
        let text = value.as_str().and_then(|text| text.strip_prefix("0x")).ok_or_eyre("not a number")?;
        Ok(u64::from_str_radix(text, 16)?)
    }

    async fn post(&self, body: Vec<u8>) -> Result<Vec<u8>> {
        let request = self.client.post(&self.url).header(CONTENT_TYPE, "application/json").body(body);
        Ok(request.send().await?.error_for_status()?.bytes().await?.to_vec())
    }

    /// Waits until it answers.
    pub(crate) async fn ready(&self) -> Result<()> {
        let start = Instant::now();
        while let Err(error) = self.call("eth_chainId", json!([])).await {
            ensure!(start.elapsed() < PATIENCE, "{} does not answer: {error}", self.url);
            sleep(POLL).await;
        }
        Ok(())
    }

    /// Sends everything and waits until `count` transactions are in blocks, not counting the first
    /// `forced` of each. Gives the time from the first byte sent until the last block was seen.
    pub(crate) async fn run(&self, requests: &Requests, count: u64, forced: u64) -> Result<Duration> {
        let requests = requests.clone();
        let first = self.number("eth_blockNumber", json!([])).await? + 1;
        let start = Instant::now();
        let mut connections = JoinSet::new();
        for bodies in requests {
            // A client of its own is a connection of its own.
            let endpoint = Self::new(self.url.clone())?;
            connections.spawn(async move {
                for body in bodies {
                    let answer = endpoint.post(body).await?;
                    let refused = answer.windows(8).any(|window| window == b"\"error\":");
                    ensure!(!refused, "refused: {}", String::from_utf8_lossy(&answer));
                }
                Ok(())
            });
        }
        let (mut next, mut seen, mut last) = (first, 0, Instant::now());
        while seen < count {
            let head = self.number("eth_blockNumber", json!([])).await?;
            while next <= head {
                let number = json!([format!("{next:#x}")]);
                let transactions = self.number("eth_getBlockTransactionCountByNumber", number).await?;
                seen += transactions.saturating_sub(forced);
                (next, last) = (next + 1, Instant::now());
            }
            while let Some(done) = connections.try_join_next() {
                done??;
            }
            ensure!(last.elapsed() < PATIENCE, "only {seen} of {count} transactions are in blocks");
            if seen < count {
                sleep(POLL).await;
            }
        }
        let took = last - start;
        while let Some(done) = connections.join_next().await {
            done??;
        }
        ensure!(seen == count, "{seen} transactions in blocks, {count} were sent");
        println!("  {count} transactions in {} blocks, {took:.2?}", next - first);
        self.check_receipts(next - 1).await?;
        Ok(took)
    }

    /// All transactions of a block must have succeeded.
    async fn check_receipts(&self, number: u64) -> Result<()> {
        let receipts = self.call("eth_getBlockReceipts", json!([format!("{number:#x}")])).await?;
        let receipts = receipts.as_array().ok_or_eyre("receipts are no list")?;
        let failed = receipts.iter().find(|receipt| receipt["status"] != "0x1");
        ensure!(!receipts.is_empty() && failed.is_none(), "block {number}: {failed:?}");
        Ok(())
    }
}
