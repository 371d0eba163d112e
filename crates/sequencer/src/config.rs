//! How the sequencer works.

use std::time::Duration;

/// Bounds and pauses of the sequencer.
#[derive(Debug, Clone, Copy)]
pub struct SequencerConfig {
    /// Transactions asked of the pool for one block.
    pub max_transactions: usize,
    /// Time that one question to L1 may take before the block is built without its answer.
    pub l1_timeout: Duration,
    /// Pause after an error before the next try.
    pub retry_pause: Duration,
}

impl Default for SequencerConfig {
    fn default() -> Self {
        Self {
            max_transactions: 10_000,
            l1_timeout: Duration::from_millis(500),
            retry_pause: Duration::from_millis(500),
        }
    }
}
