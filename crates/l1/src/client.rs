//! L1 over JSON-RPC, with the beacon API beside it.

use std::{future::IntoFuture, sync::Arc, time::Duration};

use alloy_consensus::{Header, ReceiptEnvelope, Sealed, TxEnvelope, proofs::calculate_transaction_root};
use alloy_eips::{BlockNumberOrTag, eip4844::Blob};
use alloy_network::Ethereum;
use alloy_primitives::B256;
use alloy_provider::{Provider, RootProvider};
use alloy_rpc_types_eth as rpc;
use openledger_protocol::verify_receipts;
use reqwest::Url;

use crate::{BeaconClient, L1Error, L1Source, L1Transaction, RetryPolicy, cache::Cache, endpoint::redacted};

/// Blob transactions may come with their blobs, as anvil gives them.
type RpcBlock = rpc::Block<rpc::Transaction<TxEnvelope>>;

/// How L1 is reached.
#[derive(Debug, Clone)]
pub struct L1ClientConfig {
    /// JSON-RPC endpoint, `http://` or `https://`.
    pub rpc_url: Url,
    /// Beacon endpoint; needed as soon as a batch is in a blob.
    pub beacon_url: Option<Url>,
    /// The longest that one request may take.
    pub timeout: Duration,
    /// How failures are repeated.
    pub retry: RetryPolicy,
    /// Blocks whose transactions, and whose receipts, are kept in memory.
    pub cached_blocks: usize,
}

impl L1ClientConfig {
    /// Defaults for an endpoint.
    pub fn new(rpc_url: Url, beacon_url: Option<Url>) -> Self {
        Self {
            rpc_url,
            beacon_url,
            timeout: Duration::from_secs(10),
            retry: RetryPolicy::default(),
            cached_blocks: 64,
        }
    }
}

/// A client of one L1 node. Share it in an `Arc`.
#[derive(Debug)]
pub struct L1Client {
    provider: RootProvider<Ethereum>,
    beacon: Option<BeaconClient>,
    endpoint: String,
    timeout: Duration,
    retry: RetryPolicy,
    headers: Cache<B256, Sealed<Header>>,
    transactions: Cache<B256, Arc<Vec<L1Transaction>>>,
    receipts: Cache<B256, Arc<Vec<ReceiptEnvelope>>>,
}

impl L1Client {
    /// Connects lazily: the first request finds out whether the node is there.
    pub fn new(config: L1ClientConfig) -> Result<Self, L1Error> {
        let endpoint = redacted(&config.rpc_url);
        if !matches!(config.rpc_url.scheme(), "http" | "https") {
            let reason = "the scheme must be http or https".to_owned();
            return Err(L1Error::Endpoint { endpoint, reason });
        }
        let timeout = config.timeout;
        let beacon = config.beacon_url.map(|url| BeaconClient::new(url, timeout)).transpose()?;
        Ok(Self {
            provider: RootProvider::new_http(config.rpc_url),
            beacon,
            endpoint,
            timeout,
            retry: config.retry,
            headers: Cache::new(config.cached_blocks.saturating_mul(4)),
            transactions: Cache::new(config.cached_blocks),
            receipts: Cache::new(config.cached_blocks),
        })
    }

    /// Scheme, host and port of the JSON-RPC endpoint.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The node's chain id.
    pub async fn chain_id(&self) -> Result<u64, L1Error> {
        self.request(|| self.provider.get_chain_id()).await
    }

    /// One request with timeout and retries.
    async fn request<T, F, E>(&self, mut make: impl FnMut() -> F) -> Result<T, L1Error>
    where
        F: IntoFuture<Output = Result<T, E>>,
        E: std::fmt::Display,
    {
        let once = || {
            let request = tokio::time::timeout(self.timeout, make().into_future());
            async {
                let failed = |reason| L1Error::Unreachable { endpoint: self.endpoint.clone(), reason };
                match request.await {
                    Ok(Ok(value)) => Ok(value),
                    // Transport errors may carry the URL, which may carry a key.
                    Ok(Err(error)) => Err(failed(without_urls(&error.to_string()))),
                    Err(_) => Err(failed(format!("no answer in {:?}", self.timeout))),
                }
            }
        };
        self.retry.run(once).await
    }

    async fn header(
        &self,
        method: &'static str,
        id: impl serde::Serialize,
    ) -> Result<Option<Sealed<Header>>, L1Error> {
        let params = (id, false);
        let params =
            serde_json::value::to_raw_value(&params).map_err(|error| self.unreachable(error.to_string()))?;
        let block: Option<RpcBlock> =
            self.request(|| self.provider.raw_request(method.into(), params.clone())).await?;
        let Some(block) = block else { return Ok(None) };
        self.seal(block.header).map(Some)
    }

    async fn tagged(&self, tag: BlockNumberOrTag) -> Result<Option<Sealed<Header>>, L1Error> {
        self.header("eth_getBlockByNumber", tag).await
    }

    /// Checks that a header hashes to its hash, and keeps it.
    fn seal(&self, header: rpc::Header) -> Result<Sealed<Header>, L1Error> {
        let claimed = header.hash;
        let sealed = Sealed::new_unchecked(header.inner, claimed);
        if sealed.inner().hash_slow() != claimed {
            return Err(self.inconsistent("header", claimed));
        }
        self.headers.insert(claimed, sealed.clone());
        Ok(sealed)
    }

    fn unreachable(&self, reason: String) -> L1Error {
        L1Error::Unreachable { endpoint: self.endpoint.clone(), reason }
    }

    fn inconsistent(&self, what: impl Into<String>, block: B256) -> L1Error {
        L1Error::Inconsistent { endpoint: self.endpoint.clone(), what: what.into(), block }
    }
}

/// Cuts everything that looks like a URL out of a message.
fn without_urls(message: &str) -> String {
    let words = message.split(' ').map(|word| if word.contains("://") { "<url>" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

impl L1Source for L1Client {
    async fn block_by_number(&self, number: u64) -> Result<Option<Sealed<Header>>, L1Error> {
        self.tagged(BlockNumberOrTag::Number(number)).await
    }

    async fn block_by_hash(&self, hash: B256) -> Result<Option<Sealed<Header>>, L1Error> {
        if let Some(header) = self.headers.get(&hash) {
            return Ok(Some(header));
        }
        let header = self.header("eth_getBlockByHash", hash).await?;
        match &header {
            Some(header) if header.hash() != hash => Err(self.inconsistent("hash", hash)),
            _ => Ok(header),
        }
    }

    async fn head(&self) -> Result<Sealed<Header>, L1Error> {
        let head = self.tagged(BlockNumberOrTag::Latest).await?;
        head.ok_or_else(|| self.unreachable("it has no latest block".to_owned()))
    }

    async fn safe(&self) -> Result<Option<Sealed<Header>>, L1Error> {
        self.tagged(BlockNumberOrTag::Safe).await
    }

    async fn finalized(&self) -> Result<Option<Sealed<Header>>, L1Error> {
        self.tagged(BlockNumberOrTag::Finalized).await
    }

    async fn transactions(&self, header: &Sealed<Header>) -> Result<Arc<Vec<L1Transaction>>, L1Error> {
        let hash = header.hash();
        if let Some(transactions) = self.transactions.get(&hash) {
            return Ok(transactions);
        }
        if header.transaction_root_is_empty() {
            return Ok(Arc::default());
        }
        let params = serde_json::value::to_raw_value(&(hash, true))
            .map_err(|error| self.unreachable(error.to_string()))?;
        let block: Option<RpcBlock> =
            self.request(|| self.provider.raw_request("eth_getBlockByHash".into(), params.clone())).await?;
        let block = block.ok_or(L1Error::UnknownBlock(hash))?;
        let given: Vec<TxEnvelope> =
            block.transactions.into_transactions_vec().into_iter().map(|tx| tx.into_inner()).collect();
        // anvil's root commits to blob transactions with their blobs, everyone else's without.
        let with_blobs = calculate_transaction_root(&given) == header.transactions_root;
        let transactions: Vec<L1Transaction> = given.into_iter().map(without_blobs).collect();
        if !with_blobs && calculate_transaction_root(&transactions) != header.transactions_root {
            return Err(self.inconsistent("transactions", hash));
        }
        let transactions = Arc::new(transactions);
        self.transactions.insert(hash, transactions.clone());
        Ok(transactions)
    }

    async fn receipts(&self, header: &Sealed<Header>) -> Result<Arc<Vec<ReceiptEnvelope>>, L1Error> {
        let hash = header.hash();
        if let Some(receipts) = self.receipts.get(&hash) {
            return Ok(receipts);
        }
        if header.receipts_root == alloy_consensus::constants::EMPTY_RECEIPTS {
            return Ok(Arc::default());
        }
        let receipts = self.request(|| self.provider.get_block_receipts(hash.into())).await?;
        let receipts = receipts.ok_or(L1Error::UnknownBlock(hash))?;
        let receipts: Vec<ReceiptEnvelope> =
            receipts.into_iter().map(|receipt| receipt.inner.into_primitives_receipt()).collect();
        verify_receipts(header, &receipts).map_err(|error| self.inconsistent(error.to_string(), hash))?;
        let receipts = Arc::new(receipts);
        self.receipts.insert(hash, receipts.clone());
        Ok(receipts)
    }

    async fn blobs(&self, header: &Sealed<Header>, hashes: &[B256]) -> Result<Vec<Arc<Blob>>, L1Error> {
        let beacon = self.beacon.as_ref().ok_or(L1Error::NoBeacon)?;
        self.retry.run(|| beacon.blobs(header, hashes)).await
    }
}

/// The transaction as blocks hold it.
fn without_blobs(transaction: TxEnvelope) -> L1Transaction {
    match transaction {
        TxEnvelope::Legacy(tx) => L1Transaction::Legacy(tx),
        TxEnvelope::Eip2930(tx) => L1Transaction::Eip2930(tx),
        TxEnvelope::Eip1559(tx) => L1Transaction::Eip1559(tx),
        TxEnvelope::Eip7702(tx) => L1Transaction::Eip7702(tx),
        // The hash is that of the transaction without its blobs in either form.
        TxEnvelope::Eip4844(tx) => L1Transaction::Eip4844(tx.map(Into::into)),
    }
}
