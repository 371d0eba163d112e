//! What a header must say given its parent, its body and the active forks.

use alloy_consensus::{EMPTY_OMMER_ROOT_HASH, EMPTY_ROOT_HASH, Header};
use alloy_eips::{Encodable2718, eip7685::EMPTY_REQUESTS_HASH};
use alloy_op_hardforks::OpHardforks;
use alloy_primitives::{B64, B256, U256};
use openledger_chainspec::ChainSpec;
use openledger_trie::ordered_root;

use crate::{Block, Differences, ExecutionError, ethereum};

/// The highest gas limit that a header may have (EIP-1985).
pub(crate) const MAX_GAS_LIMIT: u64 = i64::MAX as u64;

/// The header's `blobGasUsed`: Jovian keeps the data footprint there, Ecotone a zero.
pub(crate) fn blob_gas_used(spec: &ChainSpec, timestamp: u64, da_footprint: u64) -> Option<u64> {
    if spec.is_jovian_active_at_timestamp(timestamp) {
        Some(da_footprint)
    } else {
        spec.is_ecotone_active_at_timestamp(timestamp).then_some(0)
    }
}

/// The root over a block's transactions or its receipts.
pub(crate) fn list_root(items: &[impl Encodable2718]) -> B256 {
    ordered_root(items, |item, out| item.encode_2718(out))
}

/// Checks everything in a block's header that needs no execution. `parent_hash` is the hash of
/// `parent`. Reports every field found wrong.
pub fn validate_header(
    spec: &ChainSpec,
    parent: &Header,
    parent_hash: B256,
    block: &Block,
) -> Result<(), ExecutionError> {
    if !spec.is_optimism() {
        return ethereum::validate_header(spec, parent, parent_hash, block);
    }
    let Block { header, body } = block;
    let time = header.timestamp;
    let isthmus = spec.is_isthmus_active_at_timestamp(time);
    let ecotone = spec.is_ecotone_active_at_timestamp(time);
    let canyon = spec.is_canyon_active_at_timestamp(time);

    let mut wrong = Differences::default();
    wrong.compare("parentHash", &parent_hash, &header.parent_hash);
    wrong.compare("number", &parent.number.saturating_add(1), &header.number);
    if time <= parent.timestamp {
        wrong.push("timestamp", format!("later than {}", parent.timestamp), time.to_string());
    }
    wrong.compare("sha3Uncles", &EMPTY_OMMER_ROOT_HASH, &header.ommers_hash);
    wrong.compare("uncles", &0, &body.ommers.len());
    wrong.compare("difficulty", &U256::ZERO, &header.difficulty);
    wrong.compare("nonce", &B64::ZERO, &header.nonce);
    let transactions_root = list_root(&body.transactions);
    wrong.compare("transactionsRoot", &transactions_root, &header.transactions_root);
    if header.gas_limit == 0 || header.gas_limit > MAX_GAS_LIMIT {
        wrong.push("gasLimit", format!("1 to {MAX_GAS_LIMIT}"), header.gas_limit.to_string());
    }
    if header.gas_used > header.gas_limit {
        let most = format!("at most {}", header.gas_limit);
        wrong.push("gasUsed", most, header.gas_used.to_string());
    }
    wrong.compare("baseFeePerGas", &Some(spec.next_base_fee(parent)), &header.base_fee_per_gas);
    if let Err(error) = spec.base_fee_params_of(header) {
        wrong.push("extraData", error.to_string(), header.extra_data.to_string());
    }
    wrong.compare("excessBlobGas", &ecotone.then_some(0), &header.excess_blob_gas);
    // Its value under Jovian follows from execution.
    wrong.compare("has blobGasUsed", &ecotone, &header.blob_gas_used.is_some());
    wrong.compare("has parentBeaconBlockRoot", &ecotone, &header.parent_beacon_block_root.is_some());
    let withdrawals = body.withdrawals.as_ref().map(|withdrawals| withdrawals.len());
    wrong.compare("withdrawals", &canyon.then_some(0), &withdrawals);
    if isthmus {
        // Its value is the message passer's storage root, which the state gives.
        wrong.compare("has withdrawalsRoot", &true, &header.withdrawals_root.is_some());
    } else {
        let root = canyon.then_some(EMPTY_ROOT_HASH);
        wrong.compare("withdrawalsRoot", &root, &header.withdrawals_root);
    }
    wrong.compare("requestsHash", &isthmus.then_some(EMPTY_REQUESTS_HASH), &header.requests_hash);
    wrong.compare("blockAccessListHash", &None, &header.block_access_list_hash);
    wrong.compare("slotNumber", &None, &header.slot_number);

    if wrong.is_empty() {
        Ok(())
    } else {
        Err(ExecutionError::InvalidBlock { number: header.number, differences: wrong })
    }
}
