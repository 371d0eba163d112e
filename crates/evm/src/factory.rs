//! EVMs that have OpenLedger's precompiles.

use alloy_evm::{Database, Evm, EvmEnv, EvmFactory, precompiles::PrecompilesMap};
use alloy_op_evm::{OpEvm, OpEvmContext, OpEvmFactory, OpTx, OpTxError};
use op_revm::{OpHaltReason, OpSpecId};
use openledger_chainspec::ChainSpec;
use revm::{Inspector, context::BlockEnv, context_interface::result::EVMError, inspector::NoOpInspector};

/// An EVM made by [`OpenEvmFactory`].
pub type OpenEvm<DB, I> = OpEvm<DB, I, PrecompilesMap, OpTx>;

/// Makes OP EVMs that have Datanets, Attribution and Payouts at their addresses, where their fork is active.
#[derive(Debug, Clone, Copy)]
pub struct OpenEvmFactory {
    has_precompiles: bool,
}

impl OpenEvmFactory {
    /// For the blocks of a chain at `timestamp` in seconds.
    pub fn new(spec: &ChainSpec, timestamp: u64) -> Self {
        Self { has_precompiles: spec.is_meridian_active_at_timestamp(timestamp) }
    }

    /// The one place where the precompiles enter an EVM.
    fn install<DB: Database, I>(&self, mut evm: OpenEvm<DB, I>) -> OpenEvm<DB, I>
    where
        I: Inspector<OpEvmContext<DB>>,
    {
        if self.has_precompiles {
            let gas_params = evm.cfg_env().gas_params.clone();
            openledger_precompiles::install(evm.precompiles_mut(), &gas_params);
        }
        evm
    }
}

impl EvmFactory for OpenEvmFactory {
    type Evm<DB: Database, I: Inspector<OpEvmContext<DB>>> = OpenEvm<DB, I>;
    type Context<DB: Database> = OpEvmContext<DB>;
    type Tx = OpTx;
    type Error<DBError: core::error::Error + Send + Sync + 'static> = EVMError<DBError, OpTxError>;
    type HaltReason = OpHaltReason;
    type Spec = OpSpecId;
    type BlockEnv = BlockEnv;
    type Precompiles = PrecompilesMap;

    fn create_evm<DB: Database>(
        &self,
        db: DB,
        env: EvmEnv<OpSpecId, BlockEnv>,
    ) -> Self::Evm<DB, NoOpInspector> {
        self.install(OpEvmFactory::<OpTx>::default().create_evm(db, env))
    }

    fn create_evm_with_inspector<DB: Database, I: Inspector<Self::Context<DB>>>(
        &self,
        db: DB,
        env: EvmEnv<OpSpecId, BlockEnv>,
        inspector: I,
    ) -> Self::Evm<DB, I> {
        self.install(OpEvmFactory::<OpTx>::default().create_evm_with_inspector(db, env, inspector))
    }
}
