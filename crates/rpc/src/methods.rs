//! The table of methods: name, parameters, answer.

use std::collections::BTreeMap;

use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_primitives::{Address, B256, Bytes, U64, U256, keccak256};
use alloy_rpc_types_eth::{Filter, TransactionRequest};
use alloy_serde::JsonStorageKey;
use jsonrpsee::{RpcModule, server::RegisterMethodError, types::params::ParamsSequence};
use op_alloy_consensus::transaction::OpTransactionInfo;
use openledger_txpool::PooledTransaction;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    error::{RpcError, RpcResult},
    node::Node,
    subscriptions::subscribe,
    together,
    transactions::Transaction,
};

/// Methods under registration.
struct Table(RpcModule<Node>);

impl Table {
    /// Adds a method that may block: it runs on the blocking threads.
    fn add<R>(
        &mut self,
        name: &'static str,
        method: fn(&Node, &mut ParamsSequence<'_>) -> RpcResult<R>,
    ) -> Result<(), RegisterMethodError>
    where
        R: Serialize + Clone + 'static,
    {
        self.0
            .register_blocking_method(name, move |params, node, _| method(&node, &mut params.sequence()))?;
        Ok(())
    }
}

/// All methods.
pub(crate) fn module(node: Node) -> Result<RpcModule<Node>, RegisterMethodError> {
    let mut table = Table(RpcModule::new(node));
    chain(&mut table)?;
    accounts(&mut table)?;
    execution(&mut table)?;
    filters(&mut table)?;
    node_information(&mut table)?;
    debug(&mut table)?;
    let mut module = table.0;
    module.register_async_method(together::METHOD, |params, node, _| async move {
        let raw: Bytes = params.one()?;
        node.send_raw_transaction(raw).await
    })?;
    module.register_subscription(
        "eth_subscribe",
        "eth_subscription",
        "eth_unsubscribe",
        |params, pending, node, _| subscribe(params, pending, node),
    )?;
    Ok(module)
}

fn index(index: U64) -> usize {
    index.to::<u64>().try_into().unwrap_or(usize::MAX)
}

fn chain(table: &mut Table) -> Result<(), RegisterMethodError> {
    table.add("eth_blockNumber", |node, _| Ok(U64::from(node.database.heads().latest.number)))?;
    table.add("eth_getBlockByNumber", |node, p| {
        node.get_block(p.next::<BlockNumberOrTag>()?.into(), p.optional_next()?.unwrap_or(false))
    })?;
    table.add("eth_getBlockByHash", |node, p| {
        node.get_block(p.next::<B256>()?.into(), p.optional_next()?.unwrap_or(false))
    })?;
    table.add("eth_getBlockTransactionCountByNumber", |node, p| {
        Ok(node.transaction_count(p.next::<BlockNumberOrTag>()?.into())?.map(U64::from))
    })?;
    table.add("eth_getBlockTransactionCountByHash", |node, p| {
        Ok(node.transaction_count(p.next::<B256>()?.into())?.map(U64::from))
    })?;
    table.add("eth_getUncleCountByBlockNumber", |node, p| {
        Ok(node.find(p.next::<BlockNumberOrTag>()?.into())?.map(|_| U64::ZERO))
    })?;
    table.add("eth_getUncleCountByBlockHash", |node, p| {
        Ok(node.find(p.next::<B256>()?.into())?.map(|_| U64::ZERO))
    })?;
    table.add("eth_getTransactionByHash", |node, p| node.get_transaction(p.next()?))?;
    table.add("eth_getTransactionByBlockNumberAndIndex", |node, p| {
        node.transaction_in(p.next::<BlockNumberOrTag>()?.into(), index(p.next()?))
    })?;
    table.add("eth_getTransactionByBlockHashAndIndex", |node, p| {
        node.transaction_in(p.next::<B256>()?.into(), index(p.next()?))
    })?;
    table.add("eth_getRawTransactionByHash", |node, p| node.raw_transaction(p.next()?))?;
    table.add("eth_getTransactionReceipt", |node, p| node.get_receipt(p.next()?))?;
    table.add("eth_getBlockReceipts", |node, p| node.get_block_receipts(p.next()?))?;
    table.add("eth_getLogs", |node, p| node.logs(&p.next()?))
}

fn accounts(table: &mut Table) -> Result<(), RegisterMethodError> {
    table.add("eth_getBalance", |node, p| node.balance(p.next()?, p.optional_next()?))?;
    table.add("eth_getCode", |node, p| node.code(p.next()?, p.optional_next()?))?;
    table.add("eth_getTransactionCount", |node, p| {
        Ok(U64::from(node.nonce(p.next()?, p.optional_next()?)?))
    })?;
    table.add("eth_getStorageAt", |node, p| {
        node.storage_at(p.next()?, p.next::<JsonStorageKey>()?, p.optional_next()?)
    })?;
    table.add("eth_getProof", |node, p| node.proof(p.next::<Address>()?, p.next()?, p.optional_next()?))?;
    table.add("eth_accounts", |_, _| Ok(Vec::<Address>::new()))
}

fn execution(table: &mut Table) -> Result<(), RegisterMethodError> {
    table.add("eth_call", |node, p| {
        node.call(p.next()?, p.optional_next()?, p.optional_next()?, p.optional_next()?)
    })?;
    table.add("eth_estimateGas", |node, p| {
        node.estimate_gas(p.next()?, p.optional_next()?, p.optional_next()?, p.optional_next()?)
    })?;
    table.add("eth_createAccessList", |node, p| node.create_access_list(p.next()?, p.optional_next()?))?;
    table.add("eth_gasPrice", |node, _| Ok(U256::from(node.gas_price()?)))?;
    table.add("eth_maxPriorityFeePerGas", |node, _| Ok(U256::from(node.suggested_tip()?)))?;
    // Blobs are taken by no block here: the price stays at its minimum.
    table.add("eth_blobBaseFee", |_, _| Ok(U256::ONE))?;
    table.add("eth_feeHistory", |node, p| {
        let count = match p.next::<Value>()? {
            Value::Number(count) => count.as_u64(),
            Value::String(count) => count.parse::<U64>().ok().map(|count| count.to()),
            _ => None,
        };
        let count = count.ok_or_else(|| {
            RpcError::InvalidParams("blockCount must be a number or a hexadecimal quantity".into())
        })?;
        node.fee_history(count, p.next()?, p.optional_next()?)
    })
}

fn filters(table: &mut Table) -> Result<(), RegisterMethodError> {
    table.add("eth_newFilter", |node, p| node.new_log_filter(p.next::<Filter>()?))?;
    table.add("eth_newBlockFilter", |node, _| node.new_block_filter())?;
    table.add("eth_newPendingTransactionFilter", |node, _| node.new_pending_filter())?;
    table.add("eth_getFilterChanges", |node, p| {
        serde_json::to_value(node.filter_changes(p.next()?)?)
            .map_err(|error| RpcError::Internal(error.to_string()))
    })?;
    table.add("eth_getFilterLogs", |node, p| node.filter_logs(p.next()?))?;
    table.add("eth_uninstallFilter", |node, p| Ok(node.filters.uninstall(p.next()?)))
}

fn node_information(table: &mut Table) -> Result<(), RegisterMethodError> {
    table.add("eth_chainId", |node, _| Ok(U64::from(node.spec().chain_id())))?;
    table.add("eth_syncing", |_, _| Ok(false))?;
    table.add("eth_protocolVersion", |_, _| Ok("0x44"))?;
    table.add("eth_mining", |_, _| Ok(false))?;
    table.add("eth_hashrate", |_, _| Ok(U64::ZERO))?;
    table.add("net_version", |node, _| Ok(node.spec().chain_id().to_string()))?;
    table.add("net_listening", |_, _| Ok(true))?;
    table.add("net_peerCount", |_, _| Ok(U64::ZERO))?;
    table.add("web3_clientVersion", |node, _| Ok(node.config.version.clone()))?;
    table.add("web3_sha3", |_, p| Ok(keccak256(p.next::<Bytes>()?)))?;
    table.add("openledger_version", |node, _| Ok(node.config.version.clone()))?;
    table.add("optimism_outputAtBlock", |node, p| node.output_at_block(p.next()?))?;
    table.add("optimism_syncStatus", |node, _| node.sync_status())?;
    table.add("optimism_version", |node, _| Ok(node.config.version.clone()))?;
    table.add("optimism_rollupConfig", |node, _| {
        let rollup = node.rollup.as_ref().ok_or_else(|| {
            RpcError::Unsupported("this node was started without a rollup configuration".into())
        })?;
        serde_json::to_value(rollup).map_err(|error| RpcError::Internal(error.to_string()))
    })?;
    table.add("txpool_status", |node, _| {
        let (pending, queued) = node.pool.counts();
        Ok(json!({ "pending": U64::from(pending), "queued": U64::from(queued) }))
    })?;
    table.add("txpool_content", |node, _| {
        let by_nonce = |all: Vec<PooledTransaction>| {
            let entries = all.into_iter().map(|pooled| {
                let transaction = pooled.transaction().clone();
                let nonce = alloy_consensus::Transaction::nonce(transaction.inner()).to_string();
                (nonce, Transaction::from_transaction(transaction, OpTransactionInfo::default()))
            });
            entries.collect::<BTreeMap<_, _>>()
        };
        let mut pending = BTreeMap::new();
        let mut queued = BTreeMap::new();
        for (sender, (executable, waiting)) in node.pool.content() {
            if !executable.is_empty() {
                pending.insert(sender, by_nonce(executable));
            }
            if !waiting.is_empty() {
                queued.insert(sender, by_nonce(waiting));
            }
        }
        Ok(json!({ "pending": pending, "queued": queued }))
    })
}

fn debug(table: &mut Table) -> Result<(), RegisterMethodError> {
    table.add("debug_getRawBlock", |node, p| Ok(Bytes::from(node.raw_block(p.next::<BlockId>()?)?)))?;
    table.add("debug_getRawHeader", |node, p| {
        Ok(Bytes::from(alloy_rlp::encode(&node.header(p.next::<BlockId>()?)?.0)))
    })?;
    table.add("debug_getRawReceipts", |node, p| node.raw_receipts(p.next::<BlockId>()?))?;
    table.add("debug_getRawTransaction", |node, p| node.raw_transaction(p.next()?))?;
    table.add("debug_traceTransaction", |node, p| node.trace_transaction(p.next()?, p.optional_next()?))?;
    table.add("debug_traceCall", |node, p| {
        node.trace_call(p.next::<TransactionRequest>()?, p.optional_next()?, p.optional_next()?)
    })
}
