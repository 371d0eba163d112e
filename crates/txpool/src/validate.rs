//! The checks that need no other transaction of the pool.

use alloy_consensus::{Transaction, transaction::Recovered};
use alloy_eips::Encodable2718;
use openledger_primitives::OpenTxEnvelope;
use revm::{context_interface::cfg::gas::calculate_initial_tx_gas, primitives::eip3860::MAX_INITCODE_SIZE};

use crate::{PoolConfig, PoolError, PoolHead};

/// Checks the transaction itself against the rules in force at `head`.
pub(crate) fn validate(
    transaction: &Recovered<OpenTxEnvelope>,
    chain_id: u64,
    head: &PoolHead,
    config: &PoolConfig,
) -> Result<(), PoolError> {
    match transaction.inner() {
        OpenTxEnvelope::Deposit(_) => {
            return Err(PoolError::TypeNotSupported("deposits come from L1 only"));
        }
        OpenTxEnvelope::Eip4844(_) => {
            return Err(PoolError::TypeNotSupported("blob transactions (EIP-4844) belong on L1"));
        }
        OpenTxEnvelope::Eip7702(signed) if signed.tx().authorization_list.is_empty() => {
            return Err(PoolError::EmptyAuthorizations);
        }
        _ => {}
    }
    let size = transaction.encode_2718_len();
    if size > config.max_transaction_bytes {
        return Err(PoolError::Oversized { size, limit: config.max_transaction_bytes });
    }
    match transaction.chain_id() {
        None => return Err(PoolError::Unprotected),
        Some(have) if have != chain_id => {
            return Err(PoolError::WrongChain { have, want: chain_id });
        }
        Some(_) => {}
    }
    let size = transaction.input().len();
    if transaction.is_create() && size > MAX_INITCODE_SIZE {
        return Err(PoolError::InitCodeTooLarge { size, limit: MAX_INITCODE_SIZE });
    }
    let have = transaction.gas_limit();
    if have > head.gas_limit {
        return Err(PoolError::GasLimitTooHigh { have, limit: head.gas_limit });
    }
    let cap = transaction.max_fee_per_gas();
    let tip = transaction.priority_fee_or_price();
    if tip > cap {
        return Err(PoolError::TipAboveFeeCap { tip, cap });
    }
    if tip < config.min_priority_fee_wei {
        return Err(PoolError::Underpriced { have: tip, want: config.min_priority_fee_wei });
    }
    if transaction.nonce() == u64::MAX {
        return Err(PoolError::NonceMax);
    }
    let (accounts, keys) = transaction.access_list().map_or((0, 0), |list| {
        (list.len() as u64, list.iter().map(|item| item.storage_keys.len() as u64).sum())
    });
    let gas = calculate_initial_tx_gas(
        head.spec_id.into_eth_spec(),
        transaction.input(),
        transaction.is_create(),
        accounts,
        keys,
        transaction.authorization_list().map_or(0, |list| list.len() as u64),
    );
    if have < gas.initial_total_gas {
        return Err(PoolError::IntrinsicGas { have, want: gas.initial_total_gas });
    }
    if have < gas.floor_gas {
        return Err(PoolError::FloorGas { have, want: gas.floor_gas });
    }
    Ok(())
}
