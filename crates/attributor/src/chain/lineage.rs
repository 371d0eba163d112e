//! Who earned from a receipt, page by page.

use super::Chain;
use crate::{AttributorError, ClusterCredit};
use alloy_primitives::{B256, U256};
use openledger_abi::IAttribution;

/// Shares that are read at a time.
const PAGE: usize = 64;

/// The inline shares of a receipt that has `count` of them.
pub(crate) async fn lineage(
    chain: &Chain,
    request_id: B256,
    count: u32,
) -> Result<Vec<ClusterCredit>, AttributorError> {
    let mut shares = Vec::new();
    while shares.len() < count as usize {
        let page = IAttribution::lineageOfCall {
            requestId: request_id,
            offset: U256::from(shares.len()),
            limit: U256::from(PAGE),
        };
        let page = chain.call(page).await?;
        if page.entries.is_empty() {
            return Err(AttributorError::Chain(format!("the lineage of {request_id} ends too early")));
        }
        shares.extend(page.entries.iter().map(|entry| ClusterCredit {
            contribution: entry.contribution,
            row: entry.row,
            ppm: entry.ppm,
        }));
    }
    Ok(shares)
}
