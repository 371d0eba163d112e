//! What was added to the chain and what was taken back, for filters and subscriptions.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use alloy_eips::BlockNumHash;
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
            // In this order: what comes after the first listener is told.
            let latest = current.database.heads().latest;
            let is_listened_to = self.changes.receiver_count() > 0;
            let advanced = tokio::task::spawn_blocking(move || {
                let change = current.advance(latest, is_listened_to);
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
    recent: VecDeque<RecentBlock>,
    head: BlockNumHash,
}

/// A block that was on the chain when it was last looked at.
#[derive(Debug)]
struct RecentBlock {
    id: BlockNumHash,
    /// What was told of it; `None` where nobody listened.
    news: Option<Arc<BlockNews>>,
}

impl Follower {
    pub(crate) fn new(database: Database) -> Self {
        let head = database.heads().latest;
        Self { database, recent: VecDeque::new(), head }
    }

    /// What changed since the last call, up to `latest`. Where nobody `is_listening`, only the hashes are read and
    /// kept: it is enough to find the block where later branches begin.
    pub(crate) fn advance(
        &mut self,
        latest: BlockNumHash,
        is_listening: bool,
    ) -> Result<Option<ChainChange>, StorageError> {
        if latest == self.head {
            return Ok(None);
        }
        let mut removed = Vec::new();
        let mut gone = 0;
        while let Some(RecentBlock { id, news }) = self.recent.back() {
            if id.number <= latest.number && self.database.hash_of(id.number)? == Some(id.hash) {
                break;
            }
            // Nobody takes back what was told to nobody.
            if let Some(news) = news {
                let mut news = BlockNews::clone(news);
                news.logs.iter_mut().for_each(|log| log.removed = true);
                removed.push(Arc::new(news));
            }
            gone += 1;
            self.recent.pop_back();
        }
        let start = match self.recent.back() {
            Some(block) => block.id.number + 1,
            // Where the branch begins before this follower did, it is told from there.
            None => self.head.number.saturating_sub(gone).min(latest.number) + 1,
        };
        let mut added = Vec::new();
        for number in start.max((latest.number + 1).saturating_sub(RECENT_BLOCKS as u64))..=latest.number {
            let Some(block) = self.read(number, is_listening)? else { break };
            added.extend(block.news.clone());
            self.recent.push_back(block);
        }
        while self.recent.len() > RECENT_BLOCKS {
            self.recent.pop_front();
        }
        self.head = self.recent.back().map_or(latest, |block| block.id);
        Ok((!removed.is_empty() || !added.is_empty()).then_some(ChainChange { removed, added }))
    }

    /// `None` where the block was taken back meanwhile.
    fn read(&self, number: u64, with_news: bool) -> Result<Option<RecentBlock>, StorageError> {
        if !with_news {
            let hash = self.database.hash_of(number)?;
            return Ok(hash.map(|hash| RecentBlock { id: BlockNumHash { number, hash }, news: None }));
        }
        let (Some(block), Some(receipts)) =
            (self.database.block_by_number(number)?, self.database.receipts_of(number)?)
        else {
            return Ok(None);
        };
        let header = Node::news_header(&block);
        let hash = header.hash;
        let logs = block_logs(&block, hash, &receipts);
        let news = Some(Arc::new(BlockNews { header, logs }));
        Ok(Some(RecentBlock { id: BlockNumHash { number, hash }, news }))
    }
}
