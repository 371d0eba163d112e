//! `debug_traceTransaction` and `debug_traceCall`, with revm's inspectors.

use alloy_eips::BlockId;
use alloy_evm::{Evm, EvmFactory, FromRecoveredTx, block::SystemCaller};
use alloy_op_evm::OpTx;
use alloy_primitives::B256;
use alloy_rpc_types_eth::TransactionRequest;
use alloy_rpc_types_trace::geth::{GethDebugTracingCallOptions, GethDebugTracingOptions, GethTrace};
use op_alloy_consensus::OpTxEnvelope;
use openledger_evm::{OpenEvmFactory, evm_env};
use openledger_primitives::OtherChainKind;
use revm::{DatabaseCommit, context_interface::result::ExecutionResult, database::CacheDB};
use revm_inspectors::tracing::{DebugInspector, TransactionContext};

use crate::{
    call::{CallState, PreparedCall},
    error::{RpcError, RpcResult},
    node::Node,
};

fn trace_one(
    mut call: PreparedCall,
    options: GethDebugTracingOptions,
    context: Option<TransactionContext>,
) -> RpcResult<GethTrace> {
    let mut inspector =
        DebugInspector::new(options).map_err(|error| RpcError::InvalidParams(format!("tracer: {error}")))?;
    let result = call
        .factory
        .create_evm_with_inspector(call.state.clone(), call.env.clone(), &mut inspector)
        .transact(call.tx.clone())
        .map_err(|error| RpcError::Execution(error.to_string()))?;
    let (tx, block) = (&call.tx.0.base, &call.env.block_env);
    inspector
        .get_result(context, tx, block, &result, &mut call.state)
        .map_err(|error| RpcError::Internal(error.to_string()))
}

impl Node {
    /// `debug_traceTransaction`: replays the block up to the transaction, then traces it.
    pub(crate) fn trace_transaction(
        &self,
        hash: B256,
        options: Option<GethDebugTracingOptions>,
    ) -> RpcResult<GethTrace> {
        let not_found = || RpcError::Execution(format!("transaction {hash} not found: it is not mined"));
        let (number, index) = self.database.transaction_position(hash)?.ok_or_else(not_found)?;
        let index = index as usize;
        let (block, block_hash) = self.block(number.into())?.ok_or_else(not_found)?;
        let (senders, _) = self.senders_and_receipts(number)?;
        let parent = number.checked_sub(1).ok_or_else(not_found)?;
        let mut state: CallState = CacheDB::new(self.database.state_at(parent)?);
        let env = evm_env(self.spec(), &block.header);
        let factory = OpenEvmFactory::new(self.spec(), block.header.timestamp);
        let mut evm = factory.create_evm(&mut state, env.clone());
        SystemCaller::new(&**self.spec())
            .apply_pre_execution_changes(&block.header, &mut evm)
            .map_err(|error| RpcError::Internal(error.to_string()))?;
        let all = block.body.transactions.into_iter().zip(senders);
        let all = all.map(|(transaction, sender)| {
            let transaction = OpTxEnvelope::try_from(transaction)?;
            Ok(OpTx::from_recovered_tx(&transaction, sender))
        });
        let all: Result<Vec<_>, OtherChainKind> = all.collect();
        let mut txs = all.map_err(|error| RpcError::Execution(error.to_string()))?.into_iter();
        for tx in txs.by_ref().take(index) {
            let done = evm.transact(tx).map_err(|error| RpcError::Internal(error.to_string()))?;
            let _: &ExecutionResult<_> = &done.result;
            evm.db_mut().commit(done.state);
        }
        drop(evm);
        let tx = txs.next().ok_or_else(not_found)?;
        let context =
            TransactionContext { block_hash: Some(block_hash), tx_index: Some(index), tx_hash: Some(hash) };
        trace_one(PreparedCall { factory, state, env, tx }, options.unwrap_or_default(), Some(context))
    }

    /// `debug_traceCall`.
    pub(crate) fn trace_call(
        &self,
        request: TransactionRequest,
        id: Option<BlockId>,
        options: Option<GethDebugTracingCallOptions>,
    ) -> RpcResult<GethTrace> {
        let options = options.unwrap_or_default();
        let overrides = options.block_overrides.map(Box::new);
        let call = self.prepare_call(request, id, options.state_overrides, overrides)?;
        trace_one(call, options.tracing_options, None)
    }
}
