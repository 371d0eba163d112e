//! `eth_getLogs`: any range, bounded by what is found and by time.

use std::time::Instant;

use alloy_primitives::B256;
use alloy_rpc_types_eth::{Filter, FilterBlockOption, Log};
use openledger_primitives::OpenReceipt;
use openledger_storage::Block;

use crate::{
    error::{RpcError, RpcResult},
    node::Node,
    receipts::LogPlace,
};

/// All logs of a block, numbered.
pub(crate) fn block_logs(block: &Block, hash: B256, receipts: &[OpenReceipt]) -> Vec<Log> {
    let place = LogPlace {
        block_hash: hash,
        block_number: block.header.number,
        block_timestamp: block.header.timestamp,
    };
    let mut all = Vec::new();
    for (index, (transaction, receipt)) in block.body.transactions.iter().zip(receipts).enumerate() {
        let transaction_hash = transaction.tx_hash();
        for log in receipt.logs() {
            let log_index = all.len();
            all.push(place.log(log, transaction_hash, index, log_index));
        }
    }
    all
}

impl Node {
    /// The logs of one block that match.
    fn matching_logs(&self, number: u64, filter: &Filter) -> RpcResult<Vec<Log>> {
        let Some(block) = self.database.block_by_number(number)? else { return Ok(Vec::new()) };
        let hash = block.header.hash_slow();
        let (_, receipts) = self.senders_and_receipts(number)?;
        let mut logs = block_logs(&block, hash, &receipts);
        logs.retain(|log| filter.matches(&log.inner));
        Ok(logs)
    }

    /// `eth_getLogs`.
    pub(crate) fn logs(&self, filter: &Filter) -> RpcResult<Vec<Log>> {
        let (from, to) = match filter.block_option {
            FilterBlockOption::AtBlockHash(hash) => {
                let number = self.locate(hash.into())?.number;
                (number, number)
            }
            FilterBlockOption::Range { from_block, to_block } => {
                let latest = self.database.heads().latest.number;
                let to = to_block.map_or(latest, |tag| self.number_of_tag(tag)).min(latest);
                let from = from_block.map_or(latest, |tag| self.number_of_tag(tag));
                let is_reversed = to_block.is_some_and(|tag| self.number_of_tag(tag) < from);
                if from_block.is_some() && is_reversed {
                    return Err(RpcError::InvalidParams(format!(
                        "invalid block range: fromBlock {from} is after toBlock {to}"
                    )));
                }
                (from, to)
            }
        };
        let started = Instant::now();
        let mut found: Vec<Log> = Vec::new();
        for number in from..=to {
            // The bloom is in the header: most blocks need no more than that.
            let Some(header) = self.database.header_by_number(number)? else { break };
            if filter.matches_bloom(header.logs_bloom) {
                let logs = self.matching_logs(number, filter)?;
                if found.len() + logs.len() > self.config.max_logs && from != to {
                    return Err(RpcError::LimitExceeded(format!(
                        "query returned more than {} results: ask for blocks {from} to {} first",
                        self.config.max_logs,
                        number.saturating_sub(1).max(from)
                    )));
                }
                found.extend(logs);
            }
            if started.elapsed() > self.config.max_log_search && number < to {
                return Err(RpcError::LimitExceeded(format!(
                    "query took more than {} s: ask for blocks {from} to {number} first",
                    self.config.max_log_search.as_secs()
                )));
            }
        }
        Ok(found)
    }
}
