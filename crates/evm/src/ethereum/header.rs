//! What the header of a plain Ethereum block must say given its parent, its body and the active forks.

use alloy_consensus::{
    EMPTY_OMMER_ROOT_HASH, Header, Transaction,
    constants::MAXIMUM_EXTRA_DATA_SIZE,
    proofs::{calculate_ommers_root, calculate_withdrawals_root},
};
use alloy_hardforks::{EthereumHardfork, EthereumHardforks, ForkCondition};
use alloy_primitives::{B64, B256, U256};
use alloy_rlp::Encodable;
use openledger_chainspec::ChainSpec;

use super::{difficulty::next_difficulty, rules::BlockRules};
use crate::{
    Block, Differences, ExecutionError,
    header::{MAX_GAS_LIMIT, list_root},
};

/// Bytes of a block in RLP, from Osaka on (EIP-7934).
const MAX_RLP_BLOCK_SIZE: usize = 8 << 20;
/// The lowest gas limit of a block.
const MIN_GAS_LIMIT: u64 = 5_000;
/// From block to block the gas limit moves by less than one part in this many.
const GAS_LIMIT_BOUND_DIVISOR: u64 = 1_024;
/// Ommers that a proof-of-work block may name, and how many generations back.
const MAX_OMMERS: usize = 2;
const MAX_OMMER_DEPTH: u64 = 6;
/// What the blocks after the DAO's fork carry in `extraData`, and how many they are.
const DAO_EXTRA_DATA: &[u8] = b"dao-hard-fork";
const DAO_BLOCKS: u64 = 10;

/// Checks everything in a block's header that needs no execution, but the proof of work. `parent_hash` is
/// the hash of `parent`. Reports every field found wrong.
pub(crate) fn validate_header(
    spec: &ChainSpec,
    parent: &Header,
    parent_hash: B256,
    block: &Block,
) -> Result<(), ExecutionError> {
    let header = &block.header;
    let rules = BlockRules::new(spec, header);
    let mut wrong = Differences::default();
    wrong.compare("parentHash", &parent_hash, &header.parent_hash);
    wrong.compare("number", &parent.number.saturating_add(1), &header.number);
    if header.timestamp <= parent.timestamp {
        wrong.push("timestamp", format!("later than {}", parent.timestamp), header.timestamp.to_string());
    }
    let transactions_root = list_root(&block.body.transactions);
    wrong.compare("transactionsRoot", &transactions_root, &header.transactions_root);
    check_gas(&rules, spec, parent, header, &mut wrong);
    check_extra_data(&rules, header, &mut wrong);
    if rules.is_merged() {
        wrong.compare("nonce", &B64::ZERO, &header.nonce);
        wrong.compare("sha3Uncles", &EMPTY_OMMER_ROOT_HASH, &header.ommers_hash);
        wrong.compare("uncles", &0, &block.body.ommers.len());
    } else {
        // Whoever stakes once does not mine again.
        let was_merged = spec.terminal_total_difficulty().is_some() && parent.difficulty.is_zero();
        let expected =
            if was_merged { U256::ZERO } else { next_difficulty(&rules, parent, header.timestamp) };
        wrong.compare("difficulty", &expected, &header.difficulty);
        check_ommers(block, &mut wrong);
    }
    check_withdrawals(&rules, block, &mut wrong);
    check_blobs(&rules, spec, parent, block, &mut wrong);
    // Its value follows from execution.
    let prague = rules.is_prague_active_at_timestamp(header.timestamp);
    wrong.compare("has requestsHash", &prague, &header.requests_hash.is_some());
    if rules.is_osaka_active_at_timestamp(header.timestamp) && block.length() > MAX_RLP_BLOCK_SIZE {
        wrong.push("size", format!("at most {MAX_RLP_BLOCK_SIZE}"), block.length().to_string());
    }
    wrong.compare("blockAccessListHash", &None, &header.block_access_list_hash);
    wrong.compare("slotNumber", &None, &header.slot_number);

    if wrong.is_empty() {
        Ok(())
    } else {
        Err(ExecutionError::InvalidBlock { number: header.number, differences: wrong })
    }
}

fn check_gas(
    rules: &BlockRules<'_>,
    spec: &ChainSpec,
    parent: &Header,
    header: &Header,
    wrong: &mut Differences,
) {
    let is_london = |number| rules.is_london_active_at_block(number);
    let elasticity = spec.default_base_fee_params().elasticity_multiplier;
    // The first block with a base fee doubles the limit, so that the target stays (EIP-1559).
    let before = if is_london(header.number) && !is_london(parent.number) {
        let elasticity = u64::try_from(elasticity).unwrap_or(u64::MAX);
        parent.gas_limit.saturating_mul(elasticity)
    } else {
        parent.gas_limit
    };
    let limit = header.gas_limit;
    if !(MIN_GAS_LIMIT..=MAX_GAS_LIMIT).contains(&limit) {
        wrong.push("gasLimit", format!("{MIN_GAS_LIMIT} to {MAX_GAS_LIMIT}"), limit.to_string());
    } else if limit.abs_diff(before) >= before / GAS_LIMIT_BOUND_DIVISOR {
        let bound = before / GAS_LIMIT_BOUND_DIVISOR;
        wrong.push("gasLimit", format!("less than {bound} away from {before}"), limit.to_string());
    }
    if header.gas_used > limit {
        wrong.push("gasUsed", format!("at most {limit}"), header.gas_used.to_string());
    }
    let base_fee = is_london(header.number).then(|| spec.next_base_fee(parent));
    wrong.compare("baseFeePerGas", &base_fee, &header.base_fee_per_gas);
}

fn check_extra_data(rules: &BlockRules<'_>, header: &Header, wrong: &mut Differences) {
    let data = &header.extra_data;
    if data.len() > MAXIMUM_EXTRA_DATA_SIZE {
        let most = format!("at most {MAXIMUM_EXTRA_DATA_SIZE} bytes");
        wrong.push("extraData", most, format!("{} bytes", data.len()));
    }
    if let ForkCondition::Block(first) = rules.ethereum_fork_activation(EthereumHardfork::Dao)
        && (first..first.saturating_add(DAO_BLOCKS)).contains(&header.number)
        && data.as_ref() != DAO_EXTRA_DATA
    {
        wrong.push("extraData", "dao-hard-fork".to_owned(), data.to_string());
    }
}

/// Not checked: that an ommer's parent is an ancestor, and that no other block named it.
fn check_ommers(block: &Block, wrong: &mut Differences) {
    let Block { header, body } = block;
    wrong.compare("sha3Uncles", &calculate_ommers_root(&body.ommers), &header.ommers_hash);
    if body.ommers.len() > MAX_OMMERS {
        wrong.push("uncles", format!("at most {MAX_OMMERS}"), body.ommers.len().to_string());
    }
    for ommer in &body.ommers {
        if ommer.number >= header.number || ommer.number.saturating_add(MAX_OMMER_DEPTH) < header.number {
            let depth = format!("1 to {MAX_OMMER_DEPTH} before {}", header.number);
            wrong.push("number of an uncle", depth, ommer.number.to_string());
        }
    }
    if let [first, second] = &body.ommers[..]
        && first == second
    {
        wrong.push("uncles", "different".to_owned(), "the same twice".to_owned());
    }
}

fn check_withdrawals(rules: &BlockRules<'_>, block: &Block, wrong: &mut Differences) {
    let Block { header, body } = block;
    let shanghai = rules.is_shanghai_active_at_timestamp(header.timestamp);
    wrong.compare("has withdrawals", &shanghai, &body.withdrawals.is_some());
    let root = body.withdrawals.as_ref().map(|withdrawals| calculate_withdrawals_root(withdrawals));
    wrong.compare("withdrawalsRoot", &root, &header.withdrawals_root);
}

fn check_blobs(
    rules: &BlockRules<'_>,
    spec: &ChainSpec,
    parent: &Header,
    block: &Block,
    wrong: &mut Differences,
) {
    let Block { header, body } = block;
    let cancun = rules.is_cancun_active_at_timestamp(header.timestamp);
    wrong.compare("has parentBeaconBlockRoot", &cancun, &header.parent_beacon_block_root.is_some());
    let Some(params) = spec.blob_params_at(header.timestamp).filter(|_| cancun) else {
        wrong.compare("blobGasUsed", &None, &header.blob_gas_used);
        wrong.compare("excessBlobGas", &None, &header.excess_blob_gas);
        return;
    };
    let used = body.transactions.iter().filter_map(Transaction::blob_gas_used).sum::<u64>();
    wrong.compare("blobGasUsed", &Some(used), &header.blob_gas_used);
    if used > params.max_blob_gas_per_block() {
        let most = format!("at most {}", params.max_blob_gas_per_block());
        wrong.push("blobGasUsed", most, used.to_string());
    }
    // The first block with blobs starts from nothing.
    let excess = parent.next_block_excess_blob_gas(params).unwrap_or_default();
    wrong.compare("excessBlobGas", &Some(excess), &header.excess_blob_gas);
}
