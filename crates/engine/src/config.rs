//! The engine's bounds.

use std::{path::PathBuf, time::Duration};

/// Bounds of the engine. What is held in memory follows from them, see the README.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// Commands that may wait.
    pub queue_commands: usize,
    /// Events that a slow subscriber may lag behind.
    pub queue_events: usize,
    /// Time after which no more transactions of the pool are added to a block.
    pub build_time: Duration,
    /// Transactions of the pool that are looked at for one block.
    pub pool_transactions: usize,
    /// Executed blocks that stay in memory beside those that wait to be stored: branches off the
    /// chain, and blocks that a reorganisation took back.
    pub memory_blocks: usize,
    /// Executed blocks that may wait to be stored; who adds more waits.
    pub backlog_blocks: usize,
    /// Blocks that are stored in one write at most.
    pub group_blocks: usize,
    /// Accounts and slots that the execution cache holds, each some 200 bytes; 0 for no cache.
    pub cache_entries: usize,
    /// Threads that recover senders.
    pub recovery_threads: usize,
    /// Folder of the records of bad blocks; without it none are kept.
    pub bad_blocks: Option<PathBuf>,
    /// Records of bad blocks that are kept; the oldest go first.
    pub max_bad_blocks: usize,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            queue_commands: 16,
            queue_events: 1024,
            build_time: Duration::from_secs(1),
            pool_transactions: 20_000,
            memory_blocks: 64,
            backlog_blocks: 32,
            group_blocks: 32,
            cache_entries: 2_000_000,
            recovery_threads: std::thread::available_parallelism().map_or(2, usize::from),
            bad_blocks: None,
            max_bad_blocks: 32,
        }
    }
}
