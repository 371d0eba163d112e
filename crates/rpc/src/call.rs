//! Running a call that leaves no trace: `eth_call`, `eth_createAccessList`.

use alloy_consensus::Header;
use alloy_eips::{BlockId, eip2930::AccessListResult};
use alloy_evm::{
    Evm, EvmEnv, EvmFactory,
    overrides::{apply_block_overrides, apply_state_overrides},
    rpc::TryIntoTxEnv,
};
use alloy_op_evm::OpTx;
use alloy_primitives::{Bytes, U256};
use alloy_rpc_types_eth::{BlockOverrides, TransactionRequest, state::StateOverride};
use op_revm::{OpHaltReason, OpSpecId, OpTransaction};
use openledger_evm::{OpenEvmFactory, evm_env};
use openledger_storage::StateView;
use revm::{
    Database,
    context::TxEnv,
    context_interface::result::{ExecutionResult, ResultAndState},
    database::{CacheDB, WrapDatabaseRef},
};
use revm_inspectors::access_list::AccessListInspector;

use crate::{
    error::{RpcError, RpcResult},
    node::Node,
};

/// State that a call changes for itself alone.
pub(crate) type CallState = CacheDB<StateView>;

/// A call ready to run: the state it reads, the block it sees, what it does.
#[derive(Debug)]
pub(crate) struct PreparedCall {
    pub(crate) factory: OpenEvmFactory,
    pub(crate) state: CallState,
    pub(crate) env: EvmEnv<OpSpecId>,
    pub(crate) tx: OpTx,
}

/// The error of a call that failed.
pub(crate) fn failure(result: ExecutionResult<OpHaltReason>) -> RpcError {
    match result {
        ExecutionResult::Revert { output, .. } => {
            RpcError::Reverted { reason: revert_reason(&output), output }
        }
        ExecutionResult::Halt { reason, .. } => match format!("{reason:?}") {
            reason if reason.contains("OutOfGas") => RpcError::Execution(format!("out of gas: {reason}")),
            reason => RpcError::Execution(format!("execution stopped: {reason}")),
        },
        ExecutionResult::Success { .. } => RpcError::Internal("a success is no failure".into()),
    }
}

/// Decodes `Error(string)` and `Panic(uint256)`.
fn revert_reason(output: &[u8]) -> Option<String> {
    const ERROR: [u8; 4] = [0x08, 0xc3, 0x79, 0xa0];
    const PANIC: [u8; 4] = [0x4e, 0x48, 0x7b, 0x71];
    let (selector, rest) = output.split_first_chunk::<4>()?;
    if *selector == PANIC {
        let code = U256::try_from_be_slice(rest.get(..32)?)?;
        return Some(format!("panic code 0x{code:02x}"));
    }
    if *selector != ERROR {
        return None;
    }
    let length = usize::try_from(U256::try_from_be_slice(rest.get(32..64)?)?).ok()?;
    let text = rest.get(64..64usize.checked_add(length)?)?;
    Some(String::from_utf8_lossy(text).into_owned())
}

impl Node {
    /// Makes a call ready on top of block `id`.
    pub(crate) fn prepare_call(
        &self,
        mut request: TransactionRequest,
        id: Option<BlockId>,
        state_overrides: Option<StateOverride>,
        block_overrides: Option<Box<BlockOverrides>>,
    ) -> RpcResult<PreparedCall> {
        let id = id.unwrap_or_default();
        let (header, _): (Header, _) = self.header(id)?;
        let mut state = CacheDB::new(self.database.state_at(header.number)?);
        let mut env = evm_env(self.spec(), &header);
        if let Some(overrides) = block_overrides {
            apply_block_overrides(*overrides, &mut state, &mut env.block_env);
        }
        if let Some(overrides) = state_overrides {
            apply_state_overrides(overrides, &mut state)
                .map_err(|error| RpcError::InvalidParams(format!("state override: {error}")))?;
        }
        if request.blob_versioned_hashes.is_some() || request.sidecar.is_some() {
            return Err(RpcError::InvalidParams("this chain takes no blob transactions".into()));
        }
        if request.chain_id.is_some_and(|chain_id| chain_id != self.spec().chain_id()) {
            return Err(RpcError::InvalidParams(format!(
                "chainId does not match this chain's, {}",
                self.spec().chain_id()
            )));
        }
        let cfg = &mut env.cfg_env;
        cfg.disable_nonce_check = true;
        cfg.disable_eip3607 = true;
        cfg.disable_block_gas_limit = true;
        cfg.disable_base_fee = true;
        cfg.tx_gas_limit_cap = Some(u64::MAX);
        let asked = request.gas;
        let cap = self.config.call_gas_limit;
        request.gas = Some(asked.unwrap_or(cap).min(cap));
        let mut base: TxEnv =
            request.try_into_tx_env(&env).map_err(|error| RpcError::InvalidParams(error.to_string()))?;
        if base.gas_price == 0 {
            // A free call sees a base fee of zero, lest BASEFEE-minded contracts refuse it.
            env.block_env.basefee = 0;
        } else {
            let balance = state.basic(base.caller)?.map(|one| one.balance).unwrap_or_default();
            let funds = balance.checked_sub(base.value).ok_or_else(|| {
                RpcError::Execution(format!(
                    "insufficient funds for transfer: balance {balance}, value {}",
                    base.value
                ))
            })?;
            let affordable = (funds / U256::from(base.gas_price)).saturating_to::<u64>();
            if asked.is_none() {
                base.gas_limit = base.gas_limit.min(affordable);
            }
        }
        // Without bytes there is no L1 data fee: a call is posted nowhere.
        let tx = OpTransaction { base, enveloped_tx: Some(Bytes::new()), deposit: Default::default() };
        let factory = OpenEvmFactory::new(self.spec(), header.timestamp);
        Ok(PreparedCall { factory, state, env, tx: OpTx(tx) })
    }

    /// `eth_call`.
    pub(crate) fn call(
        &self,
        request: TransactionRequest,
        id: Option<BlockId>,
        state_overrides: Option<StateOverride>,
        block_overrides: Option<Box<BlockOverrides>>,
    ) -> RpcResult<Bytes> {
        let call = self.prepare_call(request, id, state_overrides, block_overrides)?;
        match call.run()?.result {
            ExecutionResult::Success { output, .. } => Ok(output.into_data()),
            failed => Err(failure(failed)),
        }
    }

    /// `eth_createAccessList`.
    pub(crate) fn create_access_list(
        &self,
        request: TransactionRequest,
        id: Option<BlockId>,
    ) -> RpcResult<AccessListResult> {
        let given = request.access_list.clone().unwrap_or_default();
        let PreparedCall { factory, state, env, mut tx } = self.prepare_call(request, id, None, None)?;
        let mut inspector = AccessListInspector::new(given);
        let run = |tx: OpTx, inspector: &mut AccessListInspector| {
            factory
                .create_evm_with_inspector(state.clone(), env.clone(), inspector)
                .transact(tx)
                .map_err(|error| RpcError::Execution(error.to_string()))
        };
        run(tx.clone(), &mut inspector)?;
        let access_list = inspector.into_access_list();
        tx.0.base.access_list = access_list.clone();
        if tx.0.base.tx_type == 0 {
            tx.0.base.tx_type = 1;
        }
        let result = run(tx, &mut AccessListInspector::default())?.result;
        let gas_used = U256::from(result.tx_gas_used());
        let error = (!result.is_success()).then(|| failure(result).to_string());
        Ok(AccessListResult { access_list, gas_used, error })
    }
}

impl PreparedCall {
    /// Runs the call. The state stays as it was.
    pub(crate) fn run(&self) -> RpcResult<ResultAndState<OpHaltReason>> {
        self.run_with_gas(self.tx.0.base.gas_limit)
    }

    /// Runs the call with another gas limit.
    pub(crate) fn run_with_gas(&self, gas: u64) -> RpcResult<ResultAndState<OpHaltReason>> {
        let mut tx = self.tx.clone();
        tx.0.base.gas_limit = gas;
        self.factory
            .create_evm(WrapDatabaseRef(&self.state), self.env.clone())
            .transact(tx)
            .map_err(|error| RpcError::Execution(error.to_string()))
    }
}
