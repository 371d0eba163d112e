//! Bodies of blocks of the chain.

use alloy_primitives::B256;
use alloy_rpc_types_engine::ExecutionPayloadBodyV1;
use openledger_storage::Database;

use crate::{EngineApiError, error::ApiResult};

/// Blocks in one answer.
const MAX_BODIES: u64 = 1024;

/// The body of each block named, `None` for one that is not on the chain.
pub(crate) fn bodies_by_hash(
    database: &Database,
    hashes: &[B256],
) -> ApiResult<Vec<Option<ExecutionPayloadBodyV1>>> {
    check_count(hashes.len() as u64)?;
    let body = |hash: &B256| Ok(database.block_by_hash(*hash)?.map(ExecutionPayloadBodyV1::from_block));
    hashes.iter().map(body).collect()
}

/// The bodies of `count` blocks from number `start` on, as far as the chain goes.
pub(crate) fn bodies_by_range(
    database: &Database,
    start: u64,
    count: u64,
) -> ApiResult<Vec<Option<ExecutionPayloadBodyV1>>> {
    if start == 0 || count == 0 {
        return Err(EngineApiError::InvalidParams("start and count must be at least 1".to_owned()));
    }
    check_count(count)?;
    let end = start.saturating_add(count - 1).min(database.heads().latest.number);
    let body = |number| Ok(database.block_by_number(number)?.map(ExecutionPayloadBodyV1::from_block));
    (start..=end).map(body).collect()
}

const fn check_count(asked: u64) -> ApiResult<()> {
    if asked > MAX_BODIES {
        return Err(EngineApiError::TooLarge { asked, limit: MAX_BODIES });
    }
    Ok(())
}
