//! `eth_estimateGas`, by bisection as geth does it.

use alloy_eips::BlockId;
use alloy_primitives::{TxKind, U256};
use alloy_rpc_types_eth::{BlockOverrides, TransactionRequest, state::StateOverride};
use revm::{Database, context_interface::result::ExecutionResult};

use crate::{
    call::failure,
    error::{RpcError, RpcResult},
    node::Node,
};

/// Gas of a plain transfer.
const TRANSFER_GAS: u64 = 21_000;

/// The search ends when the bounds are this close, in thousandths of the upper one.
const TOLERANCE_PER_MILLE: u64 = 15;

impl Node {
    /// The least gas limit, within 1.5 %, with which the transaction succeeds.
    pub(crate) fn estimate_gas(
        &self,
        request: TransactionRequest,
        id: Option<BlockId>,
        state_overrides: Option<StateOverride>,
        block_overrides: Option<Box<BlockOverrides>>,
    ) -> RpcResult<U256> {
        let asked = request.gas;
        let mut call = self.prepare_call(request, id, state_overrides, block_overrides)?;
        let mut high = call.tx.0.base.gas_limit;
        if asked.is_none() {
            high = high.min(call.env.block_env.gas_limit);
        }
        // A transfer to an account without code needs no search.
        let base = &call.tx.0.base;
        if let TxKind::Call(to) = base.kind
            && base.data.is_empty()
            && base.authorization_list.is_empty()
            && base.access_list.is_empty()
        {
            let callee = call.state.basic(to)?;
            let is_plain = callee.is_none_or(|callee| callee.is_empty_code_hash());
            if is_plain
                && high >= TRANSFER_GAS
                && call.run_with_gas(TRANSFER_GAS).is_ok_and(|run| run.result.is_success())
            {
                return Ok(U256::from(TRANSFER_GAS));
            }
        }
        let result = call.run_with_gas(high)?.result;
        let ExecutionResult::Success { gas, .. } = &result else {
            return Err(match failure(result) {
                RpcError::Execution(reason) if reason.starts_with("out of gas") => {
                    RpcError::Execution(format!("gas required exceeds allowance ({high})"))
                }
                error => error,
            });
        };
        let mut low = gas.tx_gas_used().saturating_sub(1);
        // Before refunds, and with the 63/64 that calls leave behind: mostly the answer at once.
        let optimistic = (gas.total_gas_spent().saturating_add(2_300)).saturating_mul(64) / 63;
        let mut next = if optimistic < high { optimistic } else { low.midpoint(high) };
        while low + 1 < high {
            if u128::from(high - low) * 1000 < u128::from(high) * u128::from(TOLERANCE_PER_MILLE) {
                break;
            }
            // Too little gas for the intrinsic cost is an error: it bounds from below as well.
            if call.run_with_gas(next).is_ok_and(|run| run.result.is_success()) {
                high = next;
            } else {
                low = next;
            }
            next = low.midpoint(high).min(low.saturating_mul(2).max(low + 1));
        }
        Ok(U256::from(high))
    }
}
