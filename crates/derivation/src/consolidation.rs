//! Consolidation: is the block that is here the block that is derived?

use alloy_consensus::Block;
use alloy_eips::Encodable2718;
use alloy_primitives::{B64, B256};
use op_alloy_rpc_types_engine::OpPayloadAttributes;
use openledger_primitives::OpenTxEnvelope;

/// The first field that differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} differs")]
pub struct Mismatch(pub &'static str);

/// Compares everything that attributes say about a block on `parent` with `block`.
pub fn attributes_match(
    parent: B256,
    attributes: &OpPayloadAttributes,
    block: &Block<OpenTxEnvelope>,
) -> Result<(), Mismatch> {
    let header = &block.header;
    let payload = &attributes.payload_attributes;
    let transactions = attributes.transactions.as_deref().unwrap_or_default();
    let same_transactions = transactions.len() == block.body.transactions.len()
        && transactions
            .iter()
            .zip(&block.body.transactions)
            .all(|(derived, here)| *derived == here.encoded_2718());
    let checks = [
        ("parent hash", header.parent_hash == parent),
        ("timestamp", header.timestamp == payload.timestamp),
        ("prevRandao", header.mix_hash == payload.prev_randao),
        ("fee recipient", header.beneficiary == payload.suggested_fee_recipient),
        ("parent beacon block root", header.parent_beacon_block_root == payload.parent_beacon_block_root),
        ("gas limit", attributes.gas_limit.is_none_or(|limit| limit == header.gas_limit)),
        ("EIP-1559 parameters", same_eip1559_params(attributes.eip_1559_params, header)),
        ("minimum base fee", same_min_base_fee(attributes.min_base_fee, header)),
        ("transactions", same_transactions),
    ];
    match checks.iter().find(|(_, same)| !same) {
        Some((field, _)) => Err(Mismatch(field)),
        None => Ok(()),
    }
}

/// Zero parameters stand for the chain's defaults, which the engine has filled in.
fn same_eip1559_params(params: Option<B64>, header: &alloy_consensus::Header) -> bool {
    let set = params.filter(|params| !params.is_zero());
    set.is_none_or(|params| header.extra_data.get(1..9) == Some(params.as_slice()))
}

fn same_min_base_fee(fee: Option<u64>, header: &alloy_consensus::Header) -> bool {
    fee.is_none_or(|fee| header.extra_data.get(9..17) == Some(&fee.to_be_bytes()[..]))
}
