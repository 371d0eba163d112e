//! How blocks are executed. There is one way in production; tests put others in its place.

use std::fmt::Debug;

use alloy_primitives::Address;
use openledger_chainspec::ChainSpec;
use openledger_evm::{
    Block, BuildInput, ExecutedBlock, ExecutionError, PendingBlock, build_block, execute_block,
};
use openledger_storage::StorageError;
use revm::DatabaseRef;

/// The state that a block is executed on, to read.
pub trait StateRead: DatabaseRef<Error = StorageError> + Debug + Sync {}

impl<T: DatabaseRef<Error = StorageError> + Debug + Sync> StateRead for T {}

/// Executes blocks; what is not said otherwise is done by the EVM of this chain.
pub trait Execution: Debug + Send + Sync + 'static {
    /// Builds the block that the attributes ask for.
    fn build(
        &self,
        input: BuildInput<'_, &dyn StateRead>,
        keep_going: &mut dyn FnMut() -> bool,
    ) -> Result<PendingBlock, ExecutionError> {
        build_block(input, keep_going)
    }

    /// Executes a given block.
    fn execute(
        &self,
        spec: &ChainSpec,
        state: &dyn StateRead,
        block: &Block,
        senders: &[Address],
    ) -> Result<ExecutedBlock, ExecutionError> {
        execute_block(spec, state, block, senders)
    }
}

/// The EVM of this chain.
#[derive(Debug, Clone, Copy, Default)]
pub struct EvmExecution;

impl Execution for EvmExecution {}
