//! Sends transactions of one account and sees them mined.

use std::{
    fmt,
    future::{Future, IntoFuture},
    sync::Arc,
    time::{Duration, Instant},
};

use alloy_consensus::{SignableTransaction, TxEip1559, TxEnvelope};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use alloy_provider::{DynProvider, Provider, ProviderBuilder};
use alloy_rpc_types_eth::{Filter, TransactionInput, TransactionReceipt, TransactionRequest};
use alloy_signer::SignerSync;
use alloy_signer_local::PrivateKeySigner;
use alloy_sol_types::SolCall;
use alloy_transport::TransportError;
use tokio::sync::Mutex;

use crate::DevnetError;

const TIP_WEI: u128 = 1_000_000;
const MINED_TIMEOUT: Duration = Duration::from_secs(120);
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// A node that was killed has forgotten what waited in its pool.
const SEND_AGAIN_AFTER: Duration = Duration::from_secs(5);
/// How long a node may be away, for it is started again when it dies.
const AWAY: Duration = Duration::from_secs(60);

/// Connects to a JSON-RPC endpoint over HTTP.
pub fn connect(url: &str) -> Result<DynProvider, DevnetError> {
    let url = url.parse().map_err(DevnetError::rpc(format!("the URL `{url}`")))?;
    Ok(ProviderBuilder::default().connect_http(url).erased())
}

/// One transaction to send.
#[derive(Debug, Clone)]
pub struct Call {
    /// What it is for, in error messages.
    pub label: String,
    /// Called contract, or creation.
    pub to: TxKind,
    /// Calldata or constructor code.
    pub input: Bytes,
    /// Value in wei.
    pub value: U256,
    /// Gas limit; estimated where it is left out.
    pub gas_limit: Option<u64>,
}

impl Call {
    /// A call of a contract's function.
    pub fn function(label: impl Into<String>, to: Address, call: &impl SolCall) -> Self {
        Self {
            label: label.into(),
            to: TxKind::Call(to),
            input: call.abi_encode().into(),
            value: U256::ZERO,
            gas_limit: None,
        }
    }

    /// With `value` in wei.
    pub const fn with_value(mut self, value: U256) -> Self {
        self.value = value;
        self
    }

    /// With a gas limit, so that nothing is estimated.
    pub const fn with_gas_limit(mut self, gas_limit: u64) -> Self {
        self.gas_limit = Some(gas_limit);
        self
    }
}

/// An account on one chain. Clones share the account's nonce order.
#[derive(Clone)]
pub struct Wallet {
    provider: DynProvider,
    signer: PrivateKeySigner,
    chain_id: u64,
    sending: Arc<Mutex<()>>,
}

impl fmt::Debug for Wallet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wallet")
            .field("address", &self.signer.address())
            .field("chain_id", &self.chain_id)
            .finish_non_exhaustive()
    }
}

impl Wallet {
    /// The account of `signer` on the chain at `url`.
    pub async fn connect(url: &str, signer: PrivateKeySigner) -> Result<Self, DevnetError> {
        let provider = connect(url)?;
        let chain_id =
            provider.get_chain_id().await.map_err(DevnetError::rpc(format!("eth_chainId of {url}")))?;
        Ok(Self { provider, signer, chain_id, sending: Arc::default() })
    }

    /// The account's address.
    pub const fn address(&self) -> Address {
        self.signer.address()
    }

    /// The endpoint.
    pub const fn provider(&self) -> &DynProvider {
        &self.provider
    }

    /// The account's next nonce, counting what is pending.
    pub async fn next_nonce(&self) -> Result<u64, DevnetError> {
        while_away(|| self.provider.get_transaction_count(self.address()).pending().into_future())
            .await
            .map_err(DevnetError::rpc("eth_getTransactionCount"))
    }

    /// Sends one transaction and waits for its receipt; a revert is an error.
    pub async fn send(&self, call: Call) -> Result<TransactionReceipt, DevnetError> {
        let label = call.label.clone();
        let mut receipts = self.send_all(vec![call]).await?;
        receipts.pop().ok_or(DevnetError::Transaction { label, reason: "no receipt".to_owned() })
    }

    /// Sends transactions in order, all before the first is mined, and waits for their receipts.
    pub async fn send_all(&self, calls: Vec<Call>) -> Result<Vec<TransactionReceipt>, DevnetError> {
        let mut sent = Vec::with_capacity(calls.len());
        {
            let _order = self.sending.lock().await;
            let first_nonce = self.next_nonce().await?;
            let gas_price = while_away(|| self.provider.get_gas_price()).await;
            let gas_price = gas_price.map_err(DevnetError::rpc("eth_gasPrice"))?;
            for (nonce, call) in (first_nonce..).zip(calls) {
                let transaction = self.submit(&call, nonce, gas_price).await?;
                sent.push((call, transaction));
            }
        }
        let mut receipts = Vec::with_capacity(sent.len());
        for (call, transaction) in sent {
            let receipt = self.wait_for_receipt(&call.label, &transaction).await?;
            if !receipt.status() {
                let reason = self.revert_reason(&call, &receipt).await;
                return Err(DevnetError::Transaction { label: call.label, reason });
            }
            receipts.push(receipt);
        }
        Ok(receipts)
    }

    /// Calls a function without a transaction and decodes what it returns.
    pub async fn view<C: SolCall>(&self, to: Address, call: &C) -> Result<C::Return, DevnetError> {
        view(&self.provider, to, call).await
    }

    async fn submit(&self, call: &Call, nonce: u64, gas_price: u128) -> Result<TxEnvelope, DevnetError> {
        let fail = |reason: String| DevnetError::Transaction { label: call.label.clone(), reason };
        let gas_limit = match call.gas_limit {
            Some(gas_limit) => gas_limit,
            None => {
                let estimate =
                    while_away(|| self.provider.estimate_gas(self.request(call)).into_future()).await;
                let gas = estimate.map_err(|error| fail(error.to_string()))?;
                gas.saturating_add(gas / 4)
            }
        };
        let transaction = TxEip1559 {
            chain_id: self.chain_id,
            nonce,
            gas_limit,
            max_fee_per_gas: gas_price.saturating_mul(4).saturating_add(TIP_WEI),
            max_priority_fee_per_gas: TIP_WEI,
            to: call.to,
            value: call.value,
            access_list: Default::default(),
            input: call.input.clone(),
        };
        let signature = self
            .signer
            .sign_hash_sync(&transaction.signature_hash())
            .map_err(|error| fail(error.to_string()))?;
        let envelope = TxEnvelope::from(transaction.into_signed(signature));
        let raw = envelope.encoded_2718();
        match while_away(|| self.provider.send_raw_transaction(&raw)).await {
            Ok(_) => Ok(envelope),
            // The node took it, or even sealed it, and died before it could say so.
            Err(error) => match self.provider.get_transaction_receipt(*envelope.tx_hash()).await {
                Ok(Some(_)) => Ok(envelope),
                _ if error.to_string().contains("already known") => Ok(envelope),
                _ => Err(fail(error.to_string())),
            },
        }
    }

    /// Waits for a receipt. A node that is away is waited for, and is sent the transaction again.
    async fn wait_for_receipt(
        &self,
        label: &str,
        transaction: &TxEnvelope,
    ) -> Result<TransactionReceipt, DevnetError> {
        let hash = *transaction.tx_hash();
        let deadline = Instant::now() + MINED_TIMEOUT;
        let mut send_again = Instant::now() + SEND_AGAIN_AFTER;
        loop {
            if let Ok(Some(receipt)) = self.provider.get_transaction_receipt(hash).await {
                return Ok(receipt);
            }
            if Instant::now() >= deadline {
                return Err(DevnetError::Timeout {
                    what: format!("transaction `{label}` ({hash}) to be mined"),
                    seconds: MINED_TIMEOUT.as_secs(),
                });
            }
            if Instant::now() >= send_again {
                send_again = Instant::now() + SEND_AGAIN_AFTER;
                // A refusal says nothing: it may be mined already. The receipt decides.
                let _ = self.provider.send_raw_transaction(&transaction.encoded_2718()).await;
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Timestamp of the latest block, in seconds.
    pub async fn latest_timestamp(&self) -> Result<u64, DevnetError> {
        let block = while_away(|| self.provider.get_block_by_number(Default::default()).into_future()).await;
        let block = block.map_err(DevnetError::rpc("eth_getBlockByNumber"))?;
        let missing = || DevnetError::Rpc {
            what: "eth_getBlockByNumber".to_owned(),
            reason: "there is no latest block".to_owned(),
        };
        Ok(block.ok_or_else(missing)?.header.timestamp)
    }

    /// Logs of `address` in one block whose first indexed argument is `topic`.
    pub async fn logs_in(
        &self,
        block: u64,
        address: Address,
        topic: B256,
    ) -> Result<Vec<alloy_primitives::Log>, DevnetError> {
        let filter = Filter::new().select(block).address(address).topic1(topic);
        let logs = while_away(|| self.provider.get_logs(&filter)).await;
        Ok(logs.map_err(DevnetError::rpc("eth_getLogs"))?.into_iter().map(|log| log.inner).collect())
    }

    /// Runs a reverted call again on the state after its block, to learn what it says.
    async fn revert_reason(&self, call: &Call, receipt: &TransactionReceipt) -> String {
        let again = self.provider.call(self.request(call)).await;
        let said = match again {
            Ok(_) => "a repeated call passes".to_owned(),
            Err(error) => error.to_string(),
        };
        format!("reverted after {} gas ({}): {said}", receipt.gas_used, receipt.transaction_hash)
    }

    fn request(&self, call: &Call) -> TransactionRequest {
        TransactionRequest {
            from: Some(self.address()),
            to: Some(call.to),
            value: Some(call.value),
            input: TransactionInput::both(call.input.clone()),
            ..Default::default()
        }
    }
}

/// Calls a function at `provider` and decodes what it returns.
pub async fn view<C: SolCall>(
    provider: &DynProvider,
    to: Address,
    call: &C,
) -> Result<C::Return, DevnetError> {
    let request = TransactionRequest {
        to: Some(TxKind::Call(to)),
        input: TransactionInput::both(call.abi_encode().into()),
        ..Default::default()
    };
    let output = while_away(|| provider.call(request.clone()).into_future()).await;
    let output = output.map_err(DevnetError::rpc(format!("{} at {to}", C::SIGNATURE)))?;
    C::abi_decode_returns(&output).map_err(DevnetError::rpc(format!("{} at {to}", C::SIGNATURE)))
}

/// Asks again while the node does not answer at all; what it answers stands.
async fn while_away<T, F>(ask: impl Fn() -> F) -> Result<T, TransportError>
where
    F: Future<Output = Result<T, TransportError>>,
{
    let deadline = Instant::now() + AWAY;
    loop {
        match ask().await {
            Err(error) if error.as_error_resp().is_none() && Instant::now() < deadline => {
                tracing::debug!(%error, "asking again");
                tokio::time::sleep(POLL_INTERVAL * 5).await;
            }
            answered => return answered,
        }
    }
}
