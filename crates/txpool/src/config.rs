//! The pool's limits.

/// Limits of the pool. The defaults suit a node with a gigabyte to spare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolConfig {
    /// Transactions in the pool, pending and queued together.
    pub max_transactions: usize,
    /// Memory of all transactions, in slots of [`Self::SLOT_BYTES`].
    pub max_slots: usize,
    /// Transactions of one sender, pending and queued together.
    pub max_per_sender: usize,
    /// Bytes of one encoded transaction.
    pub max_transaction_bytes: usize,
    /// How much more a replacement must pay, in both fee fields, in percent.
    pub price_bump_percent: u128,
    /// The least priority fee taken, in wei per gas.
    pub min_priority_fee_wei: u128,
    /// Blocks after which a transaction that is still queued is dropped.
    pub max_queued_blocks: u64,
}

impl PoolConfig {
    /// Bytes of one slot: a transaction takes as many as it has begun.
    pub const SLOT_BYTES: usize = 32 * 1024;
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            max_transactions: 20_000,
            max_slots: 24_000,
            max_per_sender: 256,
            max_transaction_bytes: 128 * 1024,
            price_bump_percent: 10,
            min_priority_fee_wei: 0,
            max_queued_blocks: 5_400,
        }
    }
}
