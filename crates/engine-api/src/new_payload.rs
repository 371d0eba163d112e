//! From the parameters of `engine_newPayload` to a block.

use alloy_consensus::{Block as AlloyBlock, Transaction};
use alloy_eips::{Decodable2718, eip7685::Requests};
use alloy_primitives::{B256, Bytes};
use alloy_rpc_types_engine::{ExecutionPayloadInputV2, ExecutionPayloadV1, ExecutionPayloadV3};
use jsonrpsee::types::params::ParamsSequence;
use op_alloy_rpc_types_engine::OpExecutionPayloadV4;
use openledger_chainspec::ChainSpec;
use openledger_primitives::{Block, OpenTxEnvelope};

use crate::{EngineApiError, error::ApiResult, version::Version};

/// A payload as it was sent: the block it describes and the hash it claims; or what is wrong with it.
#[derive(Debug)]
pub(crate) enum ReceivedPayload {
    Block { block: Box<Block>, hash: B256 },
    Malformed(String),
}

/// Reads the parameters of `engine_newPayload` in this version.
pub(crate) fn read_payload(
    spec: &ChainSpec,
    version: Version,
    params: &mut ParamsSequence<'_>,
) -> ApiResult<ReceivedPayload> {
    match version {
        Version::V1 => {
            let payload: ExecutionPayloadV1 = next(params)?;
            version.check_payload(spec, payload.timestamp)?;
            let hash = payload.block_hash;
            Ok(finish(payload.into_block_raw().map_err(|error| error.to_string()), hash, None))
        }
        Version::V2 => {
            let ExecutionPayloadInputV2 { execution_payload, withdrawals } = next(params)?;
            version.check_payload(spec, execution_payload.timestamp)?;
            let hash = execution_payload.block_hash;
            let shanghai = Version::of(spec, execution_payload.timestamp) >= Version::V2;
            if withdrawals.is_some() != shanghai {
                let not = if shanghai { "" } else { "not " };
                return Err(EngineApiError::InvalidParams(format!("withdrawals must {not}be given")));
            }
            let input = ExecutionPayloadInputV2 { execution_payload, withdrawals };
            Ok(finish(input.into_payload().into_block_raw().map_err(|error| error.to_string()), hash, None))
        }
        Version::V3 => {
            let payload: ExecutionPayloadV3 = next(params)?;
            let (hashes, root) = (next::<Vec<B256>>(params)?, next(params)?);
            let base = &payload.payload_inner.payload_inner;
            version.check_payload(spec, base.timestamp)?;
            let hash = base.block_hash;
            let mut block = payload.into_block_raw().map_err(|error| error.to_string());
            if let Ok(block) = &mut block {
                block.header.parent_beacon_block_root = Some(root);
            }
            Ok(finish(block, hash, Some(hashes)))
        }
        Version::V4 => {
            let (payload, withdrawals_root) = if spec.is_optimism() {
                let OpExecutionPayloadV4 { payload_inner, withdrawals_root } = next(params)?;
                (payload_inner, Some(withdrawals_root))
            } else {
                (next::<ExecutionPayloadV3>(params)?, None)
            };
            let (hashes, root) = (next::<Vec<B256>>(params)?, next(params)?);
            let requests = check_requests(spec, next(params)?)?;
            let base = &payload.payload_inner.payload_inner;
            version.check_payload(spec, base.timestamp)?;
            let hash = base.block_hash;
            let mut block = payload.into_block_raw().map_err(|error| error.to_string());
            if let Ok(block) = &mut block {
                block.header.parent_beacon_block_root = Some(root);
                block.header.requests_hash = Some(requests.requests_hash());
                block.header.withdrawals_root = withdrawals_root.or(block.header.withdrawals_root);
            }
            Ok(finish(block, hash, Some(hashes)))
        }
    }
}

fn next<T: serde::de::DeserializeOwned>(params: &mut ParamsSequence<'_>) -> ApiResult<T> {
    params.next().map_err(|error| {
        let detail = error.data().map(|data| format!(": {data}")).unwrap_or_default();
        EngineApiError::InvalidParams(format!("{}{detail}", error.message()))
    })
}

/// Requests have a type and contents each, in ascending order of their types; OP chains have none.
fn check_requests(spec: &ChainSpec, requests: Vec<Bytes>) -> ApiResult<Requests> {
    let refuse = |reason: &str| Err(EngineApiError::InvalidParams(format!("executionRequests {reason}")));
    if spec.is_optimism() && !requests.is_empty() {
        return refuse("must be empty on an OP chain");
    }
    if requests.iter().any(|request| request.len() < 2) {
        return refuse("holds one without contents");
    }
    if requests.windows(2).any(|pair| pair[0].first() >= pair[1].first()) {
        return refuse("are not in ascending order of their types");
    }
    Ok(Requests::new(requests))
}

/// Decodes the transactions. What cannot be decoded makes the payload invalid, not the call.
fn finish(
    block: Result<AlloyBlock<Bytes>, String>,
    hash: B256,
    blob_hashes: Option<Vec<B256>>,
) -> ReceivedPayload {
    let decoded = block.and_then(|block| {
        block.try_map_transactions(|bytes| {
            OpenTxEnvelope::decode_2718_exact(&bytes).map_err(|error| format!("transaction: {error}"))
        })
    });
    match decoded {
        Ok(block) => {
            let found =
                block.body.transactions.iter().flat_map(|tx| tx.blob_versioned_hashes().unwrap_or_default());
            if blob_hashes.is_some_and(|expected| !found.eq(&expected)) {
                return ReceivedPayload::Malformed(
                    "the blob hashes given are not those of the transactions".to_owned(),
                );
            }
            ReceivedPayload::Block { block: Box::new(block), hash }
        }
        Err(reason) => ReceivedPayload::Malformed(reason),
    }
}
