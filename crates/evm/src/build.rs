//! Building a block from payload attributes and the pool.

use std::{collections::HashSet, fmt::Debug};

use alloy_consensus::{
    EMPTY_OMMER_ROOT_HASH, Header, Transaction,
    transaction::{Recovered, SignerRecoverable},
};
use alloy_eips::eip7685::EMPTY_REQUESTS_HASH;
use alloy_op_hardforks::OpHardforks;
use alloy_primitives::{Address, B256, Bytes, U256};
use op_alloy_rpc_types_engine::OpPayloadAttributes;
use openledger_chainspec::ChainSpec;
use openledger_primitives::OpenTxEnvelope;
use revm::DatabaseRef;

use crate::{
    ExecutionError, PendingBlock,
    env::next_evm_env,
    header::{MAX_GAS_LIMIT, blob_gas_used, list_root},
    session::{Rejection, Session},
};

/// Gas of the cheapest transaction: with less left in the block, none fits.
const MIN_TRANSACTION_GAS: u64 = 21_000;

/// What a block is built from.
#[derive(Debug)]
pub struct BuildInput<'a, D> {
    /// The chain.
    pub spec: &'a ChainSpec,
    /// The state after the parent.
    pub state: D,
    /// The parent.
    pub parent: &'a Header,
    /// The parent's hash.
    pub parent_hash: B256,
    /// What the block must be.
    pub attributes: &'a OpPayloadAttributes,
    /// Transactions that may be added, best first.
    pub pool: Vec<Recovered<OpenTxEnvelope>>,
}

/// Why a transaction of the pool is not in the block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SkipReason {
    /// It can never be included on this state: it should leave the pool.
    #[error("invalid: {0}")]
    Invalid(String),
    /// The block has no room left for it, or building was stopped; it may fit the next one.
    #[error("no room: {0}")]
    NoRoom(String),
    /// An earlier transaction of the same sender was left out.
    #[error("waits for an earlier transaction of its sender")]
    WaitsForSender,
}

/// A transaction of the pool that is not in the block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedTransaction {
    /// Its hash.
    pub hash: B256,
    /// Why.
    pub reason: SkipReason,
}

/// Builds the block that `input.attributes` ask for.
///
/// The forced transactions stand first. The pool is used unless the attributes say otherwise, as
/// long as `keep_going` says so: that is where a caller puts its deadline.
pub fn build_block<D: DatabaseRef + Debug>(
    input: BuildInput<'_, D>,
    mut keep_going: impl FnMut() -> bool,
) -> Result<PendingBlock, ExecutionError> {
    let BuildInput { spec, state, parent, parent_hash, attributes, pool } = input;
    let mut header = start_header(spec, parent, parent_hash, attributes)?;
    let env = next_evm_env(spec, parent, attributes, header.gas_limit);
    let mut session = Session::begin(spec, state, env, &header)?;
    let mut included: Vec<Recovered<OpenTxEnvelope>> = Vec::new();

    for (index, tx) in attributes.decoded_transactions().enumerate() {
        let invalid = |reason: String| {
            ExecutionError::InvalidAttributes(format!("forced transaction {index}: {reason}"))
        };
        let tx = tx.map_err(|error| invalid(error.to_string()))?;
        let tx = OpenTxEnvelope::try_from(tx).map_err(|error| invalid(error.to_string()))?;
        let tx = tx.try_into_recovered().map_err(|error| invalid(error.to_string()))?;
        session.execute(&tx).map_err(|rejection| match rejection {
            Rejection::Invalid(reason) | Rejection::NoRoom(reason) => {
                ExecutionError::InvalidTransaction { index, hash: tx.tx_hash(), reason }
            }
            Rejection::Internal(reason) => ExecutionError::Internal(reason),
        })?;
        included.push(tx);
    }
    let pool = if attributes.no_tx_pool.unwrap_or_default() { Vec::new() } else { pool };
    let skipped = add_from_pool(&mut session, pool, &mut included, &mut keep_going)?;

    let executed = session.finish()?;
    header.gas_used = executed.gas_used;
    header.receipts_root = executed.receipts_root();
    header.logs_bloom = executed.logs_bloom();
    header.blob_gas_used = blob_gas_used(spec, header.timestamp, executed.da_footprint);
    let (transactions, senders): (Vec<_>, Vec<_>) = included.into_iter().map(Recovered::into_parts).unzip();
    header.transactions_root = list_root(&transactions);
    Ok(PendingBlock { header, transactions, senders, executed, skipped })
}

fn add_from_pool<D: DatabaseRef + Debug>(
    session: &mut Session<'_, D>,
    pool: Vec<Recovered<OpenTxEnvelope>>,
    included: &mut Vec<Recovered<OpenTxEnvelope>>,
    keep_going: &mut impl FnMut() -> bool,
) -> Result<Vec<SkippedTransaction>, ExecutionError> {
    let mut skipped = Vec::new();
    let mut blocked: HashSet<Address> = HashSet::new();
    for tx in pool {
        let hash = tx.tx_hash();
        let outcome = if tx.is_deposit() {
            Err(Rejection::Invalid("deposits enter a block by derivation only".to_owned()))
        } else if blocked.contains(&tx.signer()) {
            skipped.push(SkippedTransaction { hash, reason: SkipReason::WaitsForSender });
            continue;
        } else if session.gas_left() < MIN_TRANSACTION_GAS.max(tx.gas_limit()) {
            Err(Rejection::NoRoom(format!("{} gas left in the block", session.gas_left())))
        } else if !keep_going() {
            Err(Rejection::NoRoom("the time for building is used up".to_owned()))
        } else {
            session.execute(&tx)
        };
        let reason = match outcome {
            Ok(()) => {
                included.push(tx);
                continue;
            }
            Err(Rejection::Invalid(reason)) => SkipReason::Invalid(reason),
            Err(Rejection::NoRoom(reason)) => SkipReason::NoRoom(reason),
            Err(Rejection::Internal(reason)) => return Err(ExecutionError::Internal(reason)),
        };
        blocked.insert(tx.signer());
        skipped.push(SkippedTransaction { hash, reason });
    }
    Ok(skipped)
}

/// The header as far as the attributes and the parent determine it.
fn start_header(
    spec: &ChainSpec,
    parent: &Header,
    parent_hash: B256,
    attributes: &OpPayloadAttributes,
) -> Result<Header, ExecutionError> {
    let base = &attributes.payload_attributes;
    let time = base.timestamp;
    let invalid = |reason: String| Err(ExecutionError::InvalidAttributes(reason));
    if time <= parent.timestamp {
        return invalid(format!("timestamp {time} is not after the parent's {}", parent.timestamp));
    }
    let Some(gas_limit) = attributes.gas_limit.filter(|gas| (1..=MAX_GAS_LIMIT).contains(gas)) else {
        return invalid(format!("gasLimit must be given, from 1 to {MAX_GAS_LIMIT}"));
    };
    if base.withdrawals.as_ref().is_some_and(|withdrawals| !withdrawals.is_empty()) {
        return invalid("withdrawals must be empty on an OP chain".to_owned());
    }
    let ecotone = spec.is_ecotone_active_at_timestamp(time);
    if base.parent_beacon_block_root.is_some() != ecotone {
        return invalid(format!("parentBeaconBlockRoot must {}be given", if ecotone { "" } else { "not " }));
    }
    Ok(Header {
        parent_hash,
        ommers_hash: EMPTY_OMMER_ROOT_HASH,
        beneficiary: base.suggested_fee_recipient,
        number: parent.number.saturating_add(1),
        gas_limit,
        timestamp: time,
        mix_hash: base.prev_randao,
        base_fee_per_gas: Some(spec.next_base_fee(parent)),
        difficulty: U256::ZERO,
        excess_blob_gas: ecotone.then_some(0),
        parent_beacon_block_root: base.parent_beacon_block_root,
        requests_hash: spec.is_isthmus_active_at_timestamp(time).then_some(EMPTY_REQUESTS_HASH),
        extra_data: extra_data(spec, attributes)?,
        ..Header::default()
    })
}

fn extra_data(spec: &ChainSpec, attributes: &OpPayloadAttributes) -> Result<Bytes, ExecutionError> {
    let time = attributes.payload_attributes.timestamp;
    let invalid = |reason: String| ExecutionError::InvalidAttributes(reason);
    let jovian = spec.is_jovian_active_at_timestamp(time);
    if attributes.min_base_fee.is_some() != jovian {
        let not = if jovian { "" } else { "not " };
        return Err(invalid(format!("minBaseFee must {not}be given")));
    }
    if !spec.is_holocene_active_at_timestamp(time) {
        return match attributes.eip_1559_params {
            None => Ok(Bytes::new()),
            Some(_) => Err(invalid("eip1559Params must not be given before Holocene".to_owned())),
        };
    }
    let Some(params) = attributes.eip_1559_params else {
        return Err(invalid("eip1559Params must be given".to_owned()));
    };
    let data = spec
        .encode_extra_data(time, params, attributes.min_base_fee)
        .map_err(|error| invalid(error.to_string()))?;
    let check = Header { timestamp: time, extra_data: data.clone(), ..Header::default() };
    spec.base_fee_params_of(&check).map_err(|error| invalid(error.to_string()))?;
    Ok(data)
}
