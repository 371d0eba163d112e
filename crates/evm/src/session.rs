//! The execution of one block, transaction by transaction, on top of a state that is only read.

use std::fmt::Debug;

use alloy_consensus::{Header, transaction::Recovered};
use alloy_evm::{
    Evm, EvmEnv, EvmFactory,
    block::{BlockExecutionError, BlockExecutor, BlockValidationError},
};
use alloy_op_evm::{
    OpBlockExecutionCtx, OpBlockExecutor,
    block::{OpAlloyReceiptBuilder, OpBlockExecutionError},
};
use alloy_primitives::Bytes;
use op_alloy_consensus::OpTxEnvelope;
use op_revm::OpSpecId;
use openledger_chainspec::ChainSpec;
use openledger_primitives::{OpenReceipt, OpenTxEnvelope};
use revm::{
    DatabaseRef,
    database::{State, WrapDatabaseRef, states::bundle_state::BundleRetention},
    inspector::NoOpInspector,
};

use crate::{ExecutedBlock, ExecutionError, OpenEvm, OpenEvmFactory};

type SessionEvm<D> = OpenEvm<State<WrapDatabaseRef<D>>, NoOpInspector>;

/// Why a transaction was not executed.
pub(crate) enum Rejection {
    /// It cannot be executed here; nothing of it is left.
    Invalid(String),
    /// It takes more than the block has left.
    NoRoom(String),
    /// Not its fault.
    Internal(String),
}

/// A block in execution.
pub(crate) struct Session<'a, D: DatabaseRef + Debug> {
    executor: OpBlockExecutor<SessionEvm<D>, OpAlloyReceiptBuilder, &'a ChainSpec>,
}

impl<'a, D: DatabaseRef + Debug> Session<'a, D> {
    /// Starts a block and makes the system calls that stand before its transactions.
    pub(crate) fn begin(
        spec: &'a ChainSpec,
        state: D,
        env: EvmEnv<OpSpecId>,
        header: &Header,
    ) -> Result<Self, ExecutionError> {
        if !spec.is_optimism() {
            return Err(ExecutionError::NotOptimism);
        }
        let state = State::builder().with_database_ref(state).with_bundle_update().build();
        let context = OpBlockExecutionCtx {
            parent_hash: header.parent_hash,
            parent_beacon_block_root: header.parent_beacon_block_root,
            extra_data: Bytes::new(),
        };
        let evm = OpenEvmFactory::new(spec, header.timestamp).create_evm(state, env);
        let mut executor = OpBlockExecutor::new(evm, context, spec, OpAlloyReceiptBuilder::default());
        executor
            .apply_pre_execution_changes()
            .map_err(|error| ExecutionError::Internal(error.to_string()))?;
        Ok(Self { executor })
    }

    /// Gas that the block has left.
    pub(crate) fn gas_left(&self) -> u64 {
        self.executor.evm.block().gas_limit.saturating_sub(self.executor.gas_used)
    }

    /// Executes a transaction and keeps its changes.
    pub(crate) fn execute(&mut self, tx: &Recovered<OpenTxEnvelope>) -> Result<(), Rejection> {
        let narrow = OpTxEnvelope::try_from(tx.inner().clone());
        let narrow = narrow.map_err(|error| Rejection::Invalid(error.to_string()))?;
        let result = self.executor.execute_transaction(Recovered::new_unchecked(narrow, tx.signer()));
        let Err(error) = result else { return Ok(()) };
        // The EVM clears its journal after every transaction, failed ones too.
        Err(match error {
            BlockExecutionError::Validation(error) => match error {
                BlockValidationError::TransactionGasLimitMoreThanAvailableBlockGas { .. } => {
                    Rejection::NoRoom(error.to_string())
                }
                BlockValidationError::InvalidTx { error, .. } => Rejection::Invalid(error.to_string()),
                BlockValidationError::Other(error) if error.is::<OpBlockExecutionError>() => {
                    Rejection::NoRoom(error.to_string())
                }
                error => Rejection::Invalid(error.to_string()),
            },
            BlockExecutionError::Internal(error) => Rejection::Internal(error.to_string()),
        })
    }

    /// Ends the block and takes what it gave.
    pub(crate) fn finish(self) -> Result<ExecutedBlock, ExecutionError> {
        let internal = |error: BlockExecutionError| ExecutionError::Internal(error.to_string());
        let (evm, result) = self.executor.finish().map_err(internal)?;
        let mut state = evm.into_db();
        state.merge_transitions(BundleRetention::PlainState);
        Ok(ExecutedBlock {
            receipts: result.receipts.into_iter().map(OpenReceipt::from).collect(),
            bundle: state.take_bundle(),
            gas_used: result.gas_used,
            da_footprint: result.blob_gas_used,
            requests: result.requests,
        })
    }
}
