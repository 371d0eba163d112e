//! A transaction in the pool, with what is worked out once.

use alloy_consensus::{Transaction, transaction::Recovered};
use alloy_eips::Encodable2718;
use alloy_primitives::{Address, B256, U256};
use op_revm::transaction::estimate_tx_compressed_size;
use openledger_primitives::OpenTxEnvelope;

use crate::{PoolConfig, PoolHead};

/// A validated transaction.
#[derive(Debug, Clone)]
pub struct PooledTransaction {
    pub(crate) transaction: Recovered<OpenTxEnvelope>,
    pub(crate) hash: B256,
    /// op-revm's estimate of the compressed size, in millionths of a byte.
    pub(crate) estimated_size: u64,
    pub(crate) slots: usize,
    /// What it may cost its sender at most at the pool's head, in wei; all there is where that exceeds 256 bits.
    pub(crate) cost: U256,
    /// Number of additions before this one: among equals, the earlier goes first.
    pub(crate) arrival: u64,
    /// The head's number when it was added.
    pub(crate) added_at: u64,
}

impl PooledTransaction {
    /// What does not depend on the pool; the pool sets the rest when it takes it.
    pub(crate) fn new(transaction: Recovered<OpenTxEnvelope>) -> Self {
        let encoded = transaction.encoded_2718();
        Self {
            hash: transaction.tx_hash(),
            estimated_size: estimate_tx_compressed_size(&encoded),
            slots: encoded.len().div_ceil(PoolConfig::SLOT_BYTES).max(1),
            cost: U256::MAX,
            transaction,
            arrival: 0,
            added_at: 0,
        }
    }

    /// Works out anew what it costs.
    pub(crate) fn reprice(&mut self, head: &PoolHead) {
        self.cost = self.cost_at(head).unwrap_or(U256::MAX);
    }

    /// The transaction with its sender.
    pub const fn transaction(&self) -> &Recovered<OpenTxEnvelope> {
        &self.transaction
    }

    /// Its hash.
    pub const fn hash(&self) -> B256 {
        self.hash
    }

    /// Its sender.
    pub const fn sender(&self) -> Address {
        self.transaction.signer()
    }

    /// What it may cost its sender at most, in wei; `None` above 2^256-1.
    pub(crate) fn cost_at(&self, head: &PoolHead) -> Option<U256> {
        let gas_limit = self.transaction.gas_limit();
        U256::from(self.transaction.max_fee_per_gas())
            .checked_mul(U256::from(gas_limit))?
            .checked_add(self.transaction.value())?
            .checked_add(head.additional_cost(self.estimated_size, gas_limit))
    }

    /// What the block builder earns per gas at `base_fee_wei`; negative where the cap is below it.
    pub(crate) fn tip_at(&self, base_fee_wei: u64) -> i128 {
        let cap = i128::try_from(self.transaction.max_fee_per_gas()).unwrap_or(i128::MAX);
        let tip = i128::try_from(self.transaction.priority_fee_or_price()).unwrap_or(i128::MAX);
        let above = cap.saturating_sub(i128::from(base_fee_wei));
        // A legacy price is a cap; a tip never counts for more than what is left above the base fee.
        above.min(tip)
    }
}
