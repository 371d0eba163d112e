//! Executing a block of a plain Ethereum chain.

use std::{borrow::Cow, fmt::Debug};

use alloy_consensus::{
    BlockBody, Eip658Value, EthereumTxEnvelope, Header, Receipt, Transaction, TxEip4844, TxType,
    transaction::Recovered,
};
use alloy_eips::eip7685::Requests;
use alloy_evm::{
    EthEvm, Evm,
    block::{BlockExecutionError, BlockExecutor},
    eth::{
        EthBlockExecutionCtx, EthBlockExecutor, EthEvmBuilder,
        receipt_builder::{ReceiptBuilder, ReceiptBuilderCtx},
    },
    precompiles::PrecompilesMap,
};
use alloy_hardforks::EthereumHardforks;
use alloy_primitives::Address;
use openledger_chainspec::ChainSpec;
use openledger_primitives::{OpenReceipt, OpenTxEnvelope, OpenTxType};
use revm::{
    DatabaseRef,
    database::{State, WrapDatabaseRef, states::bundle_state::BundleRetention},
};

use super::{
    collision::StorageCollisions,
    requests::{check_deposit_logs, check_system_contracts},
    rules::BlockRules,
};
use crate::{Block, Differences, ExecutedBlock, ExecutionError};

/// Makes this node's receipts.
#[derive(Debug, Clone, Copy)]
struct Receipts;

impl ReceiptBuilder for Receipts {
    type Transaction = EthereumTxEnvelope<TxEip4844>;
    type Receipt = OpenReceipt;

    fn build_receipt<E: Evm>(&self, ctx: ReceiptBuilderCtx<'_, TxType, E>) -> OpenReceipt {
        let tx_type = match ctx.tx_type {
            TxType::Legacy => OpenTxType::Legacy,
            TxType::Eip2930 => OpenTxType::Eip2930,
            TxType::Eip1559 => OpenTxType::Eip1559,
            TxType::Eip4844 => OpenTxType::Eip4844,
            TxType::Eip7702 => OpenTxType::Eip7702,
        };
        let receipt = Receipt {
            status: Eip658Value::Eip658(ctx.result.is_success()),
            cumulative_gas_used: ctx.cumulative_gas_used,
            logs: ctx.result.into_logs(),
        };
        OpenReceipt::new(tx_type, receipt.with_bloom())
    }
}

type Executor<'a, D> = EthBlockExecutor<
    'a,
    EthEvm<State<WrapDatabaseRef<D>>, StorageCollisions<'a>, PrecompilesMap>,
    BlockRules<'a>,
    Receipts,
>;

fn begin<'a, D: DatabaseRef + Debug>(
    rules: BlockRules<'a>,
    state: D,
    header: &Header,
    body: Option<&'a BlockBody<OpenTxEnvelope>>,
) -> Executor<'a, D> {
    let state = State::builder().with_database_ref(state).with_bundle_update().build();
    let context = EthBlockExecutionCtx {
        parent_hash: header.parent_hash,
        parent_beacon_block_root: header.parent_beacon_block_root,
        ommers: body.map_or(&[], |body| &body.ommers),
        withdrawals: body.and_then(|body| body.withdrawals.as_ref()).map(|all| Cow::Borrowed(all.as_slice())),
        extra_data: header.extra_data.clone(),
        tx_count_hint: body.map(|body| body.transactions.len()),
        slot_number: None,
    };
    let collisions = StorageCollisions::new(rules.spec());
    let evm = EthEvmBuilder::new(state, rules.env(header))
        .inspector(collisions)
        .set_inspect(collisions.can_happen())
        .build();
    EthBlockExecutor::new(evm, context, rules, Receipts)
}

/// Executes a transaction and keeps its changes.
fn execute_one<D: DatabaseRef + Debug>(
    executor: &mut Executor<'_, D>,
    number: u64,
    index: usize,
    tx: &OpenTxEnvelope,
    sender: Address,
) -> Result<(), ExecutionError> {
    let invalid = |reason: String| ExecutionError::InvalidTransaction { index, hash: tx.tx_hash(), reason };
    check_signature_rules(&executor.spec, number, tx).map_err(invalid)?;
    let narrow = EthereumTxEnvelope::<TxEip4844>::try_from(tx.clone());
    let narrow = narrow.map_err(|error| invalid(error.to_string()))?;
    let result = executor.execute_transaction(Recovered::new_unchecked(narrow, sender));
    result.map(drop).map_err(|error| match error {
        BlockExecutionError::Validation(error) => invalid(error.to_string()),
        BlockExecutionError::Internal(error) => ExecutionError::Internal(error.to_string()),
    })
}

/// Executes `block` on the state after its parent. What follows from its header is for others to compare.
pub(crate) fn execute<D: DatabaseRef + Debug>(
    spec: &ChainSpec,
    state: D,
    block: &Block,
    senders: &[Address],
) -> Result<ExecutedBlock, ExecutionError> {
    let Block { header, body } = block;
    let rules = BlockRules::new(spec, header);
    let mut executor = begin(rules, state, header, Some(body));
    let failed = |error| block_error(header.number, error);
    executor.apply_pre_execution_changes().map_err(failed)?;
    for (index, (tx, sender)) in body.transactions.iter().zip(senders).enumerate() {
        execute_one(&mut executor, header.number, index, tx, *sender)?;
    }
    let prague = rules.is_prague_active_at_timestamp(header.timestamp);
    if prague {
        check_deposit_logs(spec.deposit_contract_address(), executor.receipts())
            .map_err(|reason| invalid_block(header.number, reason))?;
        check_system_contracts(executor.evm_mut().db_mut())
            .map_err(|error| ExecutionError::Internal(error.to_string()))?
            .map_err(|reason| invalid_block(header.number, reason))?;
    }
    let (evm, result) = executor.finish().map_err(failed)?;
    let mut state = evm.into_db();
    state.merge_transitions(BundleRetention::PlainState);
    Ok(ExecutedBlock {
        receipts: result.receipts,
        bundle: state.take_bundle(),
        gas_used: result.gas_used,
        da_footprint: 0,
        requests: if prague { result.requests } else { Requests::default() },
    })
}

/// Executes one transaction of a plain Ethereum chain on `state`, as the first of the block with this
/// `header`, without what a block does before and after its transactions.
pub fn execute_transaction<D: DatabaseRef + Debug>(
    spec: &ChainSpec,
    state: D,
    header: &Header,
    tx: &OpenTxEnvelope,
    sender: Address,
) -> Result<ExecutedBlock, ExecutionError> {
    let mut executor = begin(BlockRules::new(spec, header), state, header, None);
    execute_one(&mut executor, header.number, 0, tx, sender)?;
    let gas_used = executor.cumulative_tx_gas_used;
    let receipts = std::mem::take(&mut executor.receipts);
    let mut state = executor.evm.into_db();
    state.merge_transitions(BundleRetention::PlainState);
    let bundle = state.take_bundle();
    Ok(ExecutedBlock { receipts, bundle, gas_used, da_footprint: 0, requests: Requests::default() })
}

/// What of a signature is valid from certain forks on only.
fn check_signature_rules(rules: &BlockRules<'_>, number: u64, tx: &OpenTxEnvelope) -> Result<(), String> {
    let names_chain = matches!(tx, OpenTxEnvelope::Legacy(tx) if tx.tx().chain_id().is_some());
    if names_chain && !rules.is_spurious_dragon_active_at_block(number) {
        return Err("its signature names a chain, which is valid from Spurious Dragon on".to_owned());
    }
    Ok(())
}

fn block_error(number: u64, error: BlockExecutionError) -> ExecutionError {
    match error {
        BlockExecutionError::Validation(error) => invalid_block(number, error.to_string()),
        BlockExecutionError::Internal(error) => ExecutionError::Internal(error.to_string()),
    }
}

fn invalid_block(number: u64, reason: String) -> ExecutionError {
    let mut differences = Differences::default();
    differences.push("execution", "possible".to_owned(), reason);
    ExecutionError::InvalidBlock { number, differences }
}
