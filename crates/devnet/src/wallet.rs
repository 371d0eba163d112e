//! Sends transactions of one account and sees them mined.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use alloy_consensus::{SignableTransaction, TxEip1559, TxEnvelope};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use alloy_provider::{DynProvider, Provider, ProviderBuilder};
use alloy_rpc_types_eth::{TransactionInput, TransactionReceipt, TransactionRequest};
use alloy_signer::SignerSync;
use alloy_signer_local::PrivateKeySigner;
use alloy_sol_types::SolCall;
use tokio::sync::Mutex;

use crate::DevnetError;

const TIP_WEI: u128 = 1_000_000;
const MINED_TIMEOUT: Duration = Duration::from_secs(120);
const POLL_INTERVAL: Duration = Duration::from_millis(100);

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
        self.provider
            .get_transaction_count(self.address())
            .pending()
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
            let gas_price = self.provider.get_gas_price().await.map_err(DevnetError::rpc("eth_gasPrice"))?;
            for (nonce, call) in (first_nonce..).zip(calls) {
                let hash = self.submit(&call, nonce, gas_price).await?;
                sent.push((call, hash));
            }
        }
        let mut receipts = Vec::with_capacity(sent.len());
        for (call, hash) in sent {
            let receipt = self.wait_for_receipt(&call.label, hash).await?;
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

    async fn submit(&self, call: &Call, nonce: u64, gas_price: u128) -> Result<B256, DevnetError> {
        let fail = |reason: String| DevnetError::Transaction { label: call.label.clone(), reason };
        let gas_limit = match call.gas_limit {
            Some(gas_limit) => gas_limit,
            None => {
                let estimate = self.provider.estimate_gas(self.request(call)).await;
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
        self.provider
            .send_raw_transaction(&envelope.encoded_2718())
            .await
            .map(|pending| *pending.tx_hash())
            .map_err(|error| fail(error.to_string()))
    }

    async fn wait_for_receipt(&self, label: &str, hash: B256) -> Result<TransactionReceipt, DevnetError> {
        let deadline = Instant::now() + MINED_TIMEOUT;
        loop {
            let receipt = self.provider.get_transaction_receipt(hash).await;
            if let Some(receipt) = receipt.map_err(DevnetError::rpc("eth_getTransactionReceipt"))? {
                return Ok(receipt);
            }
            if Instant::now() >= deadline {
                return Err(DevnetError::Timeout {
                    what: format!("transaction `{label}` ({hash}) to be mined"),
                    seconds: MINED_TIMEOUT.as_secs(),
                });
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
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
    let output =
        provider.call(request).await.map_err(DevnetError::rpc(format!("{} at {to}", C::SIGNATURE)))?;
    C::abi_decode_returns(&output).map_err(DevnetError::rpc(format!("{} at {to}", C::SIGNATURE)))
}
