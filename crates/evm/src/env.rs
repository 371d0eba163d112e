//! The environment that transactions of a block see.

use alloy_consensus::Header;
use alloy_evm::{EvmEnv, eth::NextEvmEnvAttributes};
use alloy_op_evm::{env::evm_env_for_op_next_block, evm_env_for_op_block};
use op_alloy_rpc_types_engine::OpPayloadAttributes;
use op_revm::OpSpecId;
use openledger_chainspec::ChainSpec;

/// The environment of the block with this `header`: for executing, calling and tracing in it.
pub fn evm_env(spec: &ChainSpec, header: &Header) -> EvmEnv<OpSpecId> {
    evm_env_for_op_block(header, spec, spec.chain_id())
}

/// The environment of the block that `attributes` ask for on top of `parent`.
///
/// `gas_limit` is the block's, which the attributes may leave out only before they are checked.
pub fn next_evm_env(
    spec: &ChainSpec,
    parent: &Header,
    attributes: &OpPayloadAttributes,
    gas_limit: u64,
) -> EvmEnv<OpSpecId> {
    let base = &attributes.payload_attributes;
    let next = NextEvmEnvAttributes {
        timestamp: base.timestamp,
        suggested_fee_recipient: base.suggested_fee_recipient,
        prev_randao: base.prev_randao,
        gas_limit,
        slot_number: None,
    };
    evm_env_for_op_next_block(parent, next, spec.next_base_fee(parent), spec, spec.chain_id())
}
