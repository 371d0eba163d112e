//! The L2 as the sidecar sees it: views, transactions, and what reverts mean.

use crate::AttributorError;
use alloy_network::{EthereumWallet, TransactionBuilder};
use alloy_primitives::{Address, B256, U256};
use alloy_provider::{DynProvider, PendingTransactionConfig, Provider, ProviderBuilder};
use alloy_rpc_types_eth::{TransactionReceipt, TransactionRequest};
use alloy_signer_local::PrivateKeySigner;
use alloy_sol_types::{SolCall, SolInterface};
use alloy_transport::{RpcError, TransportError};
use openledger_abi::{ATTRIBUTION, DATANETS, IAttribution, IDatanets, IPayouts, PAYOUTS};
use std::time::Duration;
use tokio::sync::Mutex;

const POLL: Duration = Duration::from_millis(200);
/// A transaction that is not in a block by then was dropped.
const INCLUSION_TIMEOUT: Duration = Duration::from_secs(60);

/// A contract interface whose calls go to one fixed address.
pub(crate) trait Precompile: SolCall {
    const ADDRESS: Address;
}

/// Access to the chain with the operator's account.
#[derive(Debug)]
pub(crate) struct Chain {
    provider: DynProvider,
    account: Address,
    one_at_a_time: Mutex<()>,
}

impl Chain {
    pub(crate) fn connect(url: &str, signer: PrivateKeySigner) -> Result<Self, AttributorError> {
        let account = signer.address();
        let url = url.parse().map_err(|e| AttributorError::Invalid(format!("L2 endpoint {url}: {e}")))?;
        let provider = ProviderBuilder::new()
            .with_simple_nonce_management()
            .wallet(EthereumWallet::from(signer))
            .connect_http(url)
            .erased();
        provider.client().set_poll_interval(POLL);
        Ok(Self { provider, account, one_at_a_time: Mutex::new(()) })
    }

    pub(crate) fn account(&self) -> Address {
        self.account
    }

    pub(crate) async fn chain_id(&self) -> Result<u64, AttributorError> {
        self.provider.get_chain_id().await.map_err(refusal)
    }

    /// Unix seconds of the latest block.
    pub(crate) async fn now(&self) -> Result<u64, AttributorError> {
        let block = self.provider.get_block_by_number(Default::default()).await.map_err(refusal)?;
        block.map(|b| b.header.timestamp).ok_or_else(|| AttributorError::Chain("it has no block".into()))
    }

    /// A view.
    pub(crate) async fn call<C: Precompile>(&self, call: C) -> Result<C::Return, AttributorError> {
        let request = TransactionRequest::default()
            .with_from(self.account)
            .with_to(C::ADDRESS)
            .with_input(call.abi_encode());
        let output = self.provider.call(request).await.map_err(refusal)?;
        C::abi_decode_returns(&output).map_err(|e| AttributorError::Chain(format!("undecodable answer: {e}")))
    }

    /// Sends a transaction and waits for its block.
    pub(crate) async fn send<C: Precompile>(
        &self,
        call: C,
        value: U256,
    ) -> Result<TransactionReceipt, AttributorError> {
        let _guard = self.one_at_a_time.lock().await;
        let request =
            TransactionRequest::default().with_to(C::ADDRESS).with_value(value).with_input(call.abi_encode());
        let pending = self.provider.send_transaction(request).await.map_err(refusal)?;
        let config = PendingTransactionConfig::new(*pending.tx_hash()).with_timeout(Some(INCLUSION_TIMEOUT));
        let hash = self.provider.watch_pending_transaction(config).await;
        let hash = match hash {
            Ok(watched) => watched.await.map_err(|e| AttributorError::Chain(e.to_string()))?,
            Err(error) => return Err(AttributorError::Chain(error.to_string())),
        };
        let receipt = self.provider.get_transaction_receipt(hash).await.map_err(refusal)?;
        let receipt = receipt.ok_or_else(|| AttributorError::Chain(format!("no receipt of {hash}")))?;
        if receipt.status() {
            Ok(receipt)
        } else {
            Err(AttributorError::Reverted(format!(
                "transaction {hash} reverted in block {:?}",
                receipt.block_number
            )))
        }
    }

    /// The receipt's block and transaction of a request that is already settled.
    pub(crate) async fn settlement_of(&self, request: B256) -> Result<Option<(u64, B256)>, AttributorError> {
        use alloy_sol_types::SolEvent;
        let filter = alloy_rpc_types_eth::Filter::new()
            .address(ATTRIBUTION)
            .from_block(0)
            .event_signature(IAttribution::ReceiptSettled::SIGNATURE_HASH)
            .topic1(request);
        let logs = self.provider.get_logs(&filter).await.map_err(refusal)?;
        Ok(logs.first().and_then(|log| log.block_number.zip(log.transaction_hash)))
    }
}

/// Tells a node that is away from a call that reverts, and names the revert.
fn refusal(error: TransportError) -> AttributorError {
    let RpcError::ErrorResp(payload) = &error else { return AttributorError::Chain(error.to_string()) };
    match payload.as_revert_data() {
        Some(data) => AttributorError::Reverted(revert_reason(&data)),
        None => AttributorError::Reverted(payload.message.to_string()),
    }
}

fn revert_reason(data: &[u8]) -> String {
    if let Ok(error) = IDatanets::IDatanetsErrors::abi_decode(data) {
        return format!("{error:?}");
    }
    if let Ok(error) = IAttribution::IAttributionErrors::abi_decode(data) {
        return format!("{error:?}");
    }
    if let Ok(error) = IPayouts::IPayoutsErrors::abi_decode(data) {
        return format!("{error:?}");
    }
    format!("revert data 0x{}", alloy_primitives::hex::encode(data))
}

macro_rules! at {
    ($address:expr; $($interface:ident :: $call:ident),* $(,)?) => {
        $(impl Precompile for $interface::$call { const ADDRESS: Address = $address; })*
    };
}

at!(DATANETS;
    IDatanets::datanetOfCall, IDatanets::contributionOfCall, IDatanets::versionOfCall,
    IDatanets::contributionCountCall, IDatanets::publishVersionCall, IDatanets::isCuratorCall,
);
at!(ATTRIBUTION;
    IAttribution::registerModelCall, IAttribution::modelOfCall, IAttribution::modelCountCall,
    IAttribution::bondCall, IAttribution::bondOfCall, IAttribution::settleCall, IAttribution::MAX_INLINE_SHARESCall,
);
at!(PAYOUTS; IPayouts::requestOfCall, IPayouts::quoteCall);
