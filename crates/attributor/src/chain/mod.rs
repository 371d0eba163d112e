//! The L2 as the sidecar sees it: views, transactions, and what reverts mean.

mod lineage;
mod refusal;

pub(crate) use self::lineage::lineage;
use self::refusal::{refusal, reverted};
use crate::AttributorError;
use alloy_network::{EthereumWallet, NetworkTransactionBuilder, TransactionBuilder};
use alloy_primitives::{Address, B256, U256};
use alloy_provider::{CallItem, DynProvider, MulticallBuilder, MulticallError, Provider, ProviderBuilder};
use alloy_rpc_types_eth::{BlockNumberOrTag, Filter, Header, TransactionReceipt, TransactionRequest};
use alloy_signer_local::PrivateKeySigner;
use alloy_sol_types::{SolCall, SolEvent};
use alloy_transport::{TransportError, TransportErrorKind};
use openledger_abi::{ATTRIBUTION, COURT, DATANETS, IAttribution, ICourt, IDatanets, IPayouts, PAYOUTS};
use std::{future::IntoFuture, ops::RangeInclusive, time::Duration};
use tokio::{
    sync::Mutex,
    time::{Instant, sleep, timeout},
};

const POLL: Duration = Duration::from_millis(200);
/// A node that says nothing for so long is away.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// A transaction that is not in a block by then is given up; whoever sent it looks at the chain and starts over.
const INCLUSION_TIMEOUT: Duration = Duration::from_secs(60);
/// A node that was killed has forgotten what waited in its pool.
const SEND_AGAIN_AFTER: Duration = Duration::from_secs(5);
/// Views that are asked in one call: bounds the gas it takes and the answer.
const VIEWS_A_CALL: usize = 64;

/// A contract interface whose calls go to one fixed address.
pub(crate) trait Precompile: SolCall {
    const ADDRESS: Address;
}

/// Access to the chain with the operator's account.
#[derive(Debug)]
pub(crate) struct Chain {
    provider: DynProvider,
    wallet: EthereumWallet,
    account: Address,
    one_at_a_time: Mutex<()>,
}

impl Chain {
    pub(crate) fn connect(url: &str, signer: PrivateKeySigner) -> Result<Self, AttributorError> {
        let account = signer.address();
        let url = url.parse().map_err(|e| AttributorError::Invalid(format!("L2 endpoint {url}: {e}")))?;
        let provider = ProviderBuilder::default().connect_http(url).erased();
        let wallet = EthereumWallet::from(signer);
        Ok(Self { provider, wallet, account, one_at_a_time: Mutex::new(()) })
    }

    pub(crate) fn account(&self) -> Address {
        self.account
    }

    pub(crate) async fn chain_id(&self) -> Result<u64, AttributorError> {
        answered(self.provider.get_chain_id()).await
    }

    /// Unix seconds of the latest block.
    pub(crate) async fn now(&self) -> Result<u64, AttributorError> {
        Ok(self.header(BlockNumberOrTag::Latest).await?.timestamp)
    }

    /// Number of the latest block.
    pub(crate) async fn latest(&self) -> Result<u64, AttributorError> {
        Ok(self.header(BlockNumberOrTag::Latest).await?.number)
    }

    /// Number of the latest block that L1 holds.
    pub(crate) async fn safe(&self) -> Result<u64, AttributorError> {
        Ok(self.header(BlockNumberOrTag::Safe).await?.number)
    }

    async fn header(&self, tag: BlockNumberOrTag) -> Result<Header, AttributorError> {
        let block = answered(self.provider.get_block_by_number(tag)).await?;
        block
            .map(|block| block.header)
            .ok_or_else(|| AttributorError::Chain(format!("it has no {tag} block")))
    }

    /// A view.
    pub(crate) async fn call<C: Precompile>(&self, call: C) -> Result<C::Return, AttributorError> {
        let request = TransactionRequest::default()
            .with_from(self.account)
            .with_to(C::ADDRESS)
            .with_input(call.abi_encode());
        let output = answered(self.provider.call(request)).await?;
        C::abi_decode_returns(&output).map_err(|e| AttributorError::Chain(format!("undecodable answer: {e}")))
    }

    /// Many views in few questions, by way of multicall3; the answers in the order of the calls.
    pub(crate) async fn call_many<C: Precompile + 'static>(
        &self,
        calls: &[C],
    ) -> Result<Vec<Result<C::Return, AttributorError>>, AttributorError> {
        let mut answers = Vec::with_capacity(calls.len());
        for some in calls.chunks(VIEWS_A_CALL) {
            let items = some
                .iter()
                .map(|call| CallItem::<C>::new(C::ADDRESS, call.abi_encode().into()).with_failure_allowed());
            let batch = MulticallBuilder::new_dynamic(&self.provider).extend_calls(items);
            let asked = async {
                batch.aggregate3().await.map_err(|error| match error {
                    MulticallError::TransportError(error) => error,
                    error => TransportErrorKind::custom(error),
                })
            };
            let returned = answered(asked).await?;
            answers.extend(
                returned.into_iter().map(|one| one.map_err(|failure| reverted(&failure.return_data))),
            );
        }
        Ok(answers)
    }

    /// Waits until no transaction of this account is on its way: what an earlier life of this process sent decides
    /// what is left to do.
    pub(crate) async fn nothing_pending(&self) -> Result<(), AttributorError> {
        let _guard = self.one_at_a_time.lock().await;
        let deadline = Instant::now() + INCLUSION_TIMEOUT;
        loop {
            let mined = answered(self.provider.get_transaction_count(self.account)).await?;
            let sent = answered(self.provider.get_transaction_count(self.account).pending()).await?;
            if sent <= mined {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(AttributorError::Chain("an earlier transaction is still not in a block".into()));
            }
            sleep(POLL).await;
        }
    }

    /// Sends a transaction and waits for its block. An error that is retryable leaves open whether it gets there.
    pub(crate) async fn send<C: Precompile>(
        &self,
        call: C,
        value: U256,
    ) -> Result<TransactionReceipt, AttributorError> {
        self.send_with(call, value, &[]).await
    }

    /// As [`Self::send`], with bytes after the arguments, which the contract does not read.
    pub(crate) async fn send_with<C: Precompile>(
        &self,
        call: C,
        value: U256,
        trailing: &[u8],
    ) -> Result<TransactionReceipt, AttributorError> {
        let _guard = self.one_at_a_time.lock().await;
        let mut input = call.abi_encode();
        input.extend(trailing);
        let view = TransactionRequest::default()
            .with_from(self.account)
            .with_to(C::ADDRESS)
            .with_value(value)
            .with_input(input);
        // The estimate comes first, for it is where a call that reverts is named and costs nothing.
        let gas = answered(self.provider.estimate_gas(view.clone())).await?;
        let fees = answered(self.provider.estimate_eip1559_fees()).await?;
        let request = view
            .clone()
            .with_gas_limit(gas.saturating_add(gas / 4))
            .with_max_fee_per_gas(fees.max_fee_per_gas)
            .with_max_priority_fee_per_gas(fees.max_priority_fee_per_gas)
            .with_chain_id(self.chain_id().await?)
            .with_nonce(answered(self.provider.get_transaction_count(self.account).pending()).await?);
        let transaction = request
            .build(&self.wallet)
            .await
            .map_err(|error| AttributorError::Invalid(format!("transaction: {error}")))?;
        let hash = *transaction.tx_hash();
        match answered(self.provider.send_tx_envelope(transaction.clone())).await {
            // Silence says nothing about whether the node has taken it.
            Ok(_) | Err(AttributorError::Chain(_)) => {}
            Err(AttributorError::NotNow(reason)) if reason.contains("already known") => {}
            Err(error) => return Err(error),
        }
        let (deadline, mut send_again) =
            (Instant::now() + INCLUSION_TIMEOUT, Instant::now() + SEND_AGAIN_AFTER);
        let receipt = loop {
            if let Ok(Some(receipt)) = answered(self.provider.get_transaction_receipt(hash)).await {
                break receipt;
            }
            if Instant::now() >= deadline {
                return Err(AttributorError::Chain(format!("transaction {hash} is not in a block yet")));
            }
            if Instant::now() >= send_again {
                send_again = Instant::now() + SEND_AGAIN_AFTER;
                // A refusal says nothing: it may be in a block already. The receipt decides.
                let _ = answered(self.provider.send_tx_envelope(transaction.clone())).await;
            }
            sleep(POLL).await;
        };
        if receipt.status() {
            return Ok(receipt);
        }
        // The state has changed since the estimate; the call says what it meets now.
        answered(self.provider.call(view)).await?;
        let reason = format!("transaction {hash} reverted in block {:?}", receipt.block_number);
        Err(AttributorError::Reverted(reason))
    }

    /// The transaction of a receipt in the block that holds it.
    pub(crate) async fn settlement_of(&self, request: B256, block: u64) -> Result<B256, AttributorError> {
        let filter = Filter::new()
            .address(ATTRIBUTION)
            .select(block)
            .event_signature(IAttribution::ReceiptSettled::SIGNATURE_HASH)
            .topic1(request);
        let logs = answered(self.provider.get_logs(&filter)).await?;
        let found = logs.first().and_then(|log| log.transaction_hash);
        found.ok_or_else(|| {
            AttributorError::Chain(format!("block {block} does not hold the receipt of {request}"))
        })
    }

    /// The court's events of one kind in these blocks, of one request where one is named.
    pub(crate) async fn court_events<E: SolEvent>(
        &self,
        blocks: RangeInclusive<u64>,
        request: Option<B256>,
    ) -> Result<Vec<E>, AttributorError> {
        let mut filter = Filter::new().address(COURT).select(blocks).event_signature(E::SIGNATURE_HASH);
        if let Some(request) = request {
            filter = filter.topic1(request);
        }
        let logs = answered(self.provider.get_logs(&filter)).await?;
        Ok(logs.iter().filter_map(|log| E::decode_log(&log.inner).ok().map(|log| log.data)).collect())
    }

    /// Whether `owner` revealed a contribution with that root in these blocks.
    pub(crate) async fn is_revealed(
        &self,
        owner: Address,
        root: B256,
        blocks: RangeInclusive<u64>,
    ) -> Result<bool, AttributorError> {
        let filter = Filter::new()
            .address(DATANETS)
            .select(blocks)
            .event_signature(IDatanets::Revealed::SIGNATURE_HASH)
            .topic3(owner.into_word());
        let logs = answered(self.provider.get_logs(&filter)).await?;
        let mut revealed = logs.iter().filter_map(|log| IDatanets::Revealed::decode_log(&log.inner).ok());
        Ok(revealed.any(|log| log.root == root))
    }
}

/// An answer within a bounded time.
async fn answered<T>(
    question: impl IntoFuture<Output = Result<T, TransportError>>,
) -> Result<T, AttributorError> {
    match timeout(CALL_TIMEOUT, question).await {
        Ok(answer) => answer.map_err(refusal),
        Err(_) => Err(AttributorError::Chain(format!("silence for {} s", CALL_TIMEOUT.as_secs()))),
    }
}

macro_rules! at {
    ($address:expr; $($interface:ident :: $call:ident),* $(,)?) => {
        $(impl Precompile for $interface::$call { const ADDRESS: Address = $address; })*
    };
}

at!(DATANETS;
    IDatanets::datanetOfCall, IDatanets::contributionOfCall, IDatanets::versionOfCall,
    IDatanets::contributionCountCall, IDatanets::publishVersionCall, IDatanets::isCuratorCall,
    IDatanets::commitmentOfCall, IDatanets::revealWindowCall,
);
at!(ATTRIBUTION;
    IAttribution::registerModelWithCall, IAttribution::standingOfCall, IAttribution::modelOfCall, IAttribution::modelCountCall,
    IAttribution::bondCall, IAttribution::bondOfCall, IAttribution::settleCall, IAttribution::MAX_INLINE_SHARESCall,
    IAttribution::receiptOfCall, IAttribution::lineageOfCall, IAttribution::receiptsOfModelCall,
);
at!(COURT;
    ICourt::caseOfCall, ICourt::challengeCall, ICourt::challengeStakeCall, ICourt::appealCall,
    ICourt::appealBondCall, ICourt::deliverCall, ICourt::voteCall, ICourt::advanceCall, ICourt::executeCall,
    ICourt::judgesOfCall, ICourt::setJudgesCall, ICourt::stakeCall, ICourt::stakeOfCall, ICourt::periodsCall,
);
at!(PAYOUTS; IPayouts::requestOfCall, IPayouts::quoteCall);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn unreachable_node_is_retried() {
        let chain = Chain::connect("http://127.0.0.1:1", PrivateKeySigner::random()).unwrap();
        let error = chain.send(IAttribution::bondCall {}, U256::from(1)).await.unwrap_err();
        assert!(error.is_retryable(), "{error}");
        assert!(chain.nothing_pending().await.unwrap_err().is_retryable());
    }

    async fn ask(chain: &Chain, method: &'static str, parameters: serde_json::Value) -> serde_json::Value {
        chain.provider.raw_request(method.into(), parameters).await.unwrap()
    }

    async fn pooled(chain: &Chain) -> Option<String> {
        let content = ask(chain, "txpool_content", serde_json::json!([])).await;
        let of_account =
            content["pending"].as_object().and_then(|accounts| accounts.values().next().cloned());
        let transaction =
            of_account.and_then(|all| all.as_object().and_then(|all| all.values().next().cloned()));
        transaction.and_then(|transaction| transaction["hash"].as_str().map(str::to_owned))
    }

    async fn until_pooled(chain: &Chain) -> String {
        loop {
            if let Some(hash) = pooled(chain).await {
                return hash;
            }
            sleep(POLL).await;
        }
    }

    #[tokio::test]
    async fn transaction_that_the_pool_forgot_is_sent_again_and_counts_once() {
        let anvil = crate::stub::anvil();
        let signer: PrivateKeySigner = anvil.keys()[0].clone().into();
        let chain = std::sync::Arc::new(Chain::connect(&anvil.endpoint(), signer).unwrap());
        let sender = std::sync::Arc::clone(&chain);
        let sending =
            tokio::spawn(async move { sender.send(IAttribution::bondCall {}, U256::from(7)).await });
        let first = until_pooled(&chain).await;
        ask(&chain, "anvil_dropTransaction", serde_json::json!([first])).await;
        assert_eq!(pooled(&chain).await, None);
        assert_eq!(until_pooled(&chain).await, first, "the very same transaction");
        ask(&chain, "evm_mine", serde_json::json!([])).await;
        let receipt = sending.await.unwrap().unwrap();
        assert_eq!(receipt.transaction_hash.to_string(), first);
        assert_eq!(chain.provider.get_balance(ATTRIBUTION).await.unwrap(), U256::from(7));
    }

    #[tokio::test]
    async fn next_life_waits_for_what_the_last_one_sent() {
        let anvil = crate::stub::anvil();
        let signer: PrivateKeySigner = anvil.keys()[0].clone().into();
        let killed = std::sync::Arc::new(Chain::connect(&anvil.endpoint(), signer.clone()).unwrap());
        let sender = std::sync::Arc::clone(&killed);
        let sending =
            tokio::spawn(async move { sender.send(IAttribution::bondCall {}, U256::from(7)).await });
        until_pooled(&killed).await;
        sending.abort();
        let next = Chain::connect(&anvil.endpoint(), signer).unwrap();
        assert!(timeout(Duration::from_secs(1), next.nothing_pending()).await.is_err(), "it must wait");
        ask(&next, "evm_mine", serde_json::json!([])).await;
        timeout(Duration::from_secs(5), next.nothing_pending()).await.unwrap().unwrap();
        assert_eq!(next.provider.get_balance(ATTRIBUTION).await.unwrap(), U256::from(7));
    }
}
