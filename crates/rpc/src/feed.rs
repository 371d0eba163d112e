//! What was added to the chain and what was taken back, for filters and subscriptions.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use alloy_primitives::B256;
use alloy_rpc_types_eth::{Header, Log};
use openledger_storage::{Database, StorageError};
use tokio::sync::{Notify, broadcast};
use tracing::warn;

use crate::{logs::block_logs, node::Node};

/// Changes that a slow listener may lag behind before it misses some.
const FEED_CAPACITY: usize = 1024;

/// How many of the latest blocks' logs are kept, to be sent as removed when they are taken back.
const RECENT_BLOCKS: usize = 256;

/// How often the heads are looked at when nobody says that they moved.
const POLL: Duration = Duration::from_millis(250);

/// A block with its logs.
#[derive(Debug, Clone)]
pub struct BlockNews {
    /// The header.
    pub header: Header,
    /// All logs of the block.
    pub logs: Vec<Log>,
}

/// One step of the chain.
#[derive(Debug, Clone)]
pub struct ChainChange {
    /// Blocks taken back, newest first; their logs say `removed`.
    pub removed: Vec<Arc<BlockNews>>,
    /// Blocks added, oldest first.
    pub added: Vec<Arc<BlockNews>>,
}

/// Tells listeners how the chain changes. Cheap to clone.
#[derive(Debug, Clone)]
pub struct HeadFeed {
    changes: broadcast::Sender<Arc<ChainChange>>,
}

impl HeadFeed {
    pub(crate) fn new() -> Self {
        Self { changes: broadcast::channel(FEED_CAPACITY).0 }
    }

    /// Listens from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<ChainChange>> {
        self.changes.subscribe()
    }

    /// Follows the chain for ever.
    pub(crate) async fn run(self, follower: Follower, head_moved: Arc<Notify>) {
        let mut follower = Some(follower);
        loop {
            let _ = tokio::time::timeout(POLL, head_moved.notified()).await;
            let Some(mut current) = follower.take() else { return };
            let advanced = tokio::task::spawn_blocking(move || {
                let change = current.advance();
                (current, change)
            });
            let Ok((current, change)) = advanced.await else { return };
            follower = Some(current);
            match change {
                Ok(Some(change)) => {
                    // Fails only where nobody listens.
                    let _ = self.changes.send(Arc::new(change));
                }
                Ok(None) => {}
                Err(error) => warn!(%error, "cannot follow the head, trying again"),
            }
        }
    }
}

/// Finds what changed by comparing the latest blocks it saw with storage, so that a missed
/// notification does no harm.
#[derive(Debug)]
pub(crate) struct Follower {
    database: Database,
    recent: VecDeque<(u64, B256, Arc<BlockNews>)>,
    head: (u64, B256),
}

impl Follower {
    pub(crate) fn new(database: Database) -> Self {
        let latest = database.heads().latest;
        Self { database, recent: VecDeque::new(), head: (latest.number, latest.hash) }
    }

    /// What changed since the last call.
    pub(crate) fn advance(&mut self) -> Result<Option<ChainChange>, StorageError> {
        let latest = self.database.heads().latest;
        if (latest.number, latest.hash) == self.head {
            return Ok(None);
        }
        let mut removed = Vec::new();
        while let Some((number, hash, news)) = self.recent.back() {
            if *number <= latest.number && self.database.hash_of(*number)? == Some(*hash) {
                break;
            }
            let mut gone = BlockNews::clone(news);
            gone.logs.iter_mut().for_each(|log| log.removed = true);
            removed.push(Arc::new(gone));
            self.recent.pop_back();
        }
        // Blocks from before this follower began are removed without their logs.
        let start = match self.recent.back() {
            Some((number, _, _)) => number + 1,
            None => self.head.0.saturating_sub(removed.len() as u64).min(latest.number) + 1,
        };
        let mut added = Vec::new();
        for number in start.max((latest.number + 1).saturating_sub(RECENT_BLOCKS as u64))..=latest.number {
            let (Some(block), Some(receipts)) =
                (self.database.block_by_number(number)?, self.database.receipts_of(number)?)
            else {
                break;
            };
            let header = Node::news_header(&block);
            let hash = header.hash;
            let logs = block_logs(&block, hash, &receipts);
            let news = Arc::new(BlockNews { header, logs });
            self.recent.push_back((number, hash, Arc::clone(&news)));
            added.push(news);
        }
        while self.recent.len() > RECENT_BLOCKS {
            self.recent.pop_front();
        }
        self.head = self.recent.back().map_or((latest.number, latest.hash), |one| (one.0, one.1));
        Ok((!removed.is_empty() || !added.is_empty()).then_some(ChainChange { removed, added }))
    }
}
