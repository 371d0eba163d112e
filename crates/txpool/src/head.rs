//! What the pool knows of the chain: the block it validates against and the senders' accounts.

use alloy_primitives::U256;
use op_revm::{L1BlockInfo, OpSpecId};

/// The block on top of which pending transactions would run.
#[derive(Debug, Clone)]
pub struct PoolHead {
    /// Number of the latest block.
    pub number: u64,
    /// Base fee of the next block, in wei per gas.
    pub base_fee_wei: u64,
    /// Gas limit of a block.
    pub gas_limit: u64,
    /// The rules in force.
    pub spec_id: OpSpecId,
    /// L1 fee parameters, as the L1Block predeploy has them.
    pub l1: L1BlockInfo,
}

impl PoolHead {
    /// Whether a transaction costs the same besides its gas at `other`.
    pub(crate) fn charges_as(&self, other: &Self) -> bool {
        let without_block = |head: &Self| L1BlockInfo { l2_block: None, tx_l1_cost: None, ..head.l1.clone() };
        self.spec_id == other.spec_id && without_block(self) == without_block(other)
    }

    /// What a transaction of `estimated_size` (op-revm's, in millionths of a byte) and `gas_limit`
    /// pays besides its gas: the L1 data fee and the operator fee, in wei.
    pub fn additional_cost(&self, estimated_size: u64, gas_limit: u64) -> U256 {
        let l1 = &self.l1;
        let per_byte = l1
            .l1_base_fee
            .saturating_mul(U256::from(16))
            .saturating_mul(l1.l1_base_fee_scalar)
            .saturating_add(
                l1.l1_blob_base_fee
                    .unwrap_or_default()
                    .saturating_mul(l1.l1_blob_base_fee_scalar.unwrap_or_default()),
            );
        let data = U256::from(estimated_size).saturating_mul(per_byte) / U256::from(1_000_000_000_000u64);
        if l1.operator_fee_scalar.is_none() || l1.operator_fee_constant.is_none() {
            return data;
        }
        // Any first byte but a deposit's stands for the transaction: only the gas limit counts.
        data.saturating_add(l1.operator_fee_charge(&[2], U256::from(gas_limit), self.spec_id))
    }
}

/// A sender's account after the block it was read at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AccountState {
    /// Number of the block after which this was so.
    pub block: u64,
    /// Next nonce.
    pub nonce: u64,
    /// Balance in wei.
    pub balance: U256,
    /// Whether the account has code that is no EIP-7702 delegation.
    pub is_contract: bool,
}
