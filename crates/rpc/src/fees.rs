//! What to pay: `eth_gasPrice`, `eth_maxPriorityFeePerGas`, `eth_feeHistory`.

use alloy_consensus::{Header, Transaction};
use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_rpc_types_eth::FeeHistory;

use crate::{
    error::{RpcError, RpcResult},
    node::Node,
};

/// Blocks that one fee history may cover.
const MAX_HISTORY_BLOCKS: u64 = 1024;

/// Percentiles that one fee history may ask for.
const MAX_PERCENTILES: usize = 100;

/// The tip suggested while blocks have room, in wei per gas.
const MIN_SUGGESTED_TIP_WEI: u128 = 1_000_000;

impl Node {
    /// The tips of a block's transactions with the gas each used, lowest tip first.
    fn tips(&self, header: &Header) -> RpcResult<Vec<(u128, u64)>> {
        let base_fee = header.base_fee_per_gas.unwrap_or_default();
        let Some(block) = self.database.block_by_number(header.number)? else {
            return Ok(Vec::new());
        };
        let (_, receipts) = self.senders_and_receipts(header.number)?;
        let mut gas_before = 0;
        let mut tips = Vec::with_capacity(receipts.len());
        for (transaction, receipt) in block.body.transactions.iter().zip(&receipts) {
            let gas_used = receipt.cumulative_gas_used().saturating_sub(gas_before);
            gas_before = receipt.cumulative_gas_used();
            if !transaction.is_deposit() {
                let tip = transaction.effective_tip_per_gas(base_fee).unwrap_or_default();
                tips.push((tip, gas_used));
            }
        }
        tips.sort_unstable();
        Ok(tips)
    }

    /// `eth_maxPriorityFeePerGas`: little while blocks have room, a bid above the last block's median
    /// when they have none.
    pub(crate) fn suggested_tip(&self) -> RpcResult<u128> {
        let (header, _) = self.header(BlockId::default())?;
        let is_full = u128::from(header.gas_used) * 10 >= u128::from(header.gas_limit) * 9;
        if !is_full {
            return Ok(MIN_SUGGESTED_TIP_WEI);
        }
        let tips = self.tips(&header)?;
        let median = tips.get(tips.len() / 2).map_or(0, |&(tip, _)| tip);
        Ok((median.saturating_mul(11) / 10).max(MIN_SUGGESTED_TIP_WEI))
    }

    /// `eth_gasPrice`.
    pub(crate) fn gas_price(&self) -> RpcResult<u128> {
        let (header, _) = self.header(BlockId::default())?;
        Ok(u128::from(self.spec().next_base_fee(&header)).saturating_add(self.suggested_tip()?))
    }

    /// `eth_feeHistory`.
    pub(crate) fn fee_history(
        &self,
        count: u64,
        newest: BlockNumberOrTag,
        percentiles: Option<Vec<f64>>,
    ) -> RpcResult<FeeHistory> {
        let percentiles = percentiles.unwrap_or_default();
        if percentiles.len() > MAX_PERCENTILES {
            return Err(RpcError::InvalidParams(format!(
                "{} reward percentiles: ask for {MAX_PERCENTILES} at most",
                percentiles.len()
            )));
        }
        let in_range = percentiles.iter().all(|percentile| (0.0..=100.0).contains(percentile));
        if !in_range || !percentiles.is_sorted() {
            return Err(RpcError::InvalidParams(
                "reward percentiles must be between 0 and 100 and in rising order".into(),
            ));
        }
        let newest = self.locate(newest.into())?.number;
        let count = count.min(MAX_HISTORY_BLOCKS).min(newest + 1);
        if count == 0 {
            return Ok(FeeHistory::default());
        }
        let oldest_block = newest + 1 - count;
        let mut history = FeeHistory {
            oldest_block,
            reward: (!percentiles.is_empty()).then(Vec::new),
            ..FeeHistory::default()
        };
        let mut next_base_fee = 0;
        for number in oldest_block..=newest {
            let (header, _) = self.header(number.into())?;
            history.base_fee_per_gas.push(header.base_fee_per_gas.unwrap_or_default().into());
            history.gas_used_ratio.push(header.gas_used as f64 / header.gas_limit.max(1) as f64);
            history.base_fee_per_blob_gas.push(1);
            history.blob_gas_used_ratio.push(0.0);
            if let Some(reward) = &mut history.reward {
                let tips = self.tips(&header)?;
                let total: u64 = tips.iter().map(|&(_, gas)| gas).sum();
                reward.push(percentiles.iter().map(|at| tip_at(&tips, total, *at)).collect());
            }
            next_base_fee = self.spec().next_base_fee(&header);
        }
        history.base_fee_per_gas.push(next_base_fee.into());
        history.base_fee_per_blob_gas.push(1);
        Ok(history)
    }
}

/// The tip at a percentile of the gas used.
fn tip_at(tips: &[(u128, u64)], total_gas: u64, percentile: f64) -> u128 {
    let threshold = (total_gas as f64 * percentile / 100.0) as u64;
    let mut gas_sum = 0;
    for &(tip, gas) in tips {
        gas_sum += gas;
        if gas_sum >= threshold {
            return tip;
        }
    }
    tips.last().map_or(0, |&(tip, _)| tip)
}
