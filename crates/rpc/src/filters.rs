//! Installed filters: bounded in number, dropped when nobody polls them.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use alloy_primitives::{B256, U64};
use alloy_rpc_types_eth::{Filter, FilterChanges, Log};
use parking_lot::Mutex;
use tokio::sync::broadcast::{Receiver, error::TryRecvError};

use crate::{
    ChainChange,
    error::{RpcError, RpcResult},
    node::Node,
    transactions::Transaction,
};

/// What a filter collects.
#[derive(Debug)]
enum Source {
    Logs(Box<Filter>, Receiver<Arc<ChainChange>>),
    Blocks(Receiver<Arc<ChainChange>>),
    Pending(Receiver<B256>),
}

#[derive(Debug)]
struct Installed {
    source: Source,
    polled: Instant,
}

/// The installed filters.
#[derive(Debug)]
pub(crate) struct Filters {
    installed: Mutex<HashMap<u64, Installed>>,
    ids: IdSource,
    limit: usize,
    timeout: Duration,
}

/// Ids that cannot be guessed from one another.
#[derive(Debug, Default)]
pub(crate) struct IdSource {
    seed: RandomState,
    count: AtomicU64,
}

impl IdSource {
    pub(crate) fn next(&self) -> u64 {
        self.seed.hash_one(self.count.fetch_add(1, Ordering::Relaxed))
    }
}

fn drain<T: Clone>(receiver: &mut Receiver<T>) -> RpcResult<Vec<T>> {
    let mut all = Vec::new();
    loop {
        match receiver.try_recv() {
            Ok(one) => all.push(one),
            Err(TryRecvError::Empty | TryRecvError::Closed) => return Ok(all),
            // What was missed cannot be told any more: the caller must start over.
            Err(TryRecvError::Lagged(_)) => return Err(RpcError::FilterNotFound),
        }
    }
}

/// The logs of a change that match: first the removed, then the added.
pub(crate) fn changed_logs(change: &ChainChange, filter: &Filter) -> Vec<Log> {
    let blocks = change.removed.iter().chain(&change.added);
    let logs = blocks.flat_map(|news| &news.logs);
    logs.filter(|log| filter.matches(&log.inner)).cloned().collect()
}

impl Filters {
    pub(crate) fn new(limit: usize, timeout: Duration) -> Self {
        Self { installed: Mutex::default(), ids: IdSource::default(), limit, timeout }
    }

    fn install(&self, source: Source) -> RpcResult<U64> {
        let now = Instant::now();
        let mut installed = self.installed.lock();
        if installed.len() >= self.limit {
            installed.retain(|_, one| now.duration_since(one.polled) < self.timeout);
        }
        if installed.len() >= self.limit {
            return Err(RpcError::LimitExceeded(format!(
                "{} filters are installed: uninstall some, or use eth_getLogs or eth_subscribe",
                self.limit
            )));
        }
        let id = self.ids.next();
        installed.insert(id, Installed { source, polled: now });
        Ok(U64::from(id))
    }

    /// `eth_uninstallFilter`.
    pub(crate) fn uninstall(&self, id: U64) -> bool {
        self.installed.lock().remove(&id.to()).is_some()
    }
}

impl Node {
    /// `eth_newFilter`.
    pub(crate) fn new_log_filter(&self, filter: Filter) -> RpcResult<U64> {
        self.filters.install(Source::Logs(Box::new(filter), self.feed.subscribe()))
    }

    /// `eth_newBlockFilter`.
    pub(crate) fn new_block_filter(&self) -> RpcResult<U64> {
        self.filters.install(Source::Blocks(self.feed.subscribe()))
    }

    /// `eth_newPendingTransactionFilter`.
    pub(crate) fn new_pending_filter(&self) -> RpcResult<U64> {
        self.filters.install(Source::Pending(self.pool.subscribe()))
    }

    /// `eth_getFilterChanges`.
    pub(crate) fn filter_changes(&self, id: U64) -> RpcResult<FilterChanges<Transaction>> {
        let id: u64 = id.to();
        let mut installed = self.filters.installed.lock();
        let filter = installed.get_mut(&id).ok_or(RpcError::FilterNotFound)?;
        if filter.polled.elapsed() > self.filters.timeout {
            installed.remove(&id);
            return Err(RpcError::FilterNotFound);
        }
        filter.polled = Instant::now();
        let changes = match &mut filter.source {
            Source::Logs(filter, receiver) => drain(receiver).map(|changes| {
                let logs = changes.iter().flat_map(|change| changed_logs(change, filter));
                FilterChanges::Logs(logs.collect())
            }),
            Source::Blocks(receiver) => drain(receiver).map(|changes| {
                let added = changes.iter().flat_map(|change| &change.added);
                FilterChanges::Hashes(added.map(|news| news.header.hash).collect())
            }),
            Source::Pending(receiver) => drain(receiver).map(FilterChanges::Hashes),
        };
        if changes.is_err() {
            installed.remove(&id);
        }
        changes
    }

    /// `eth_getFilterLogs`.
    pub(crate) fn filter_logs(&self, id: U64) -> RpcResult<Vec<Log>> {
        let filter = match self.filters.installed.lock().get(&id.to()) {
            Some(Installed { source: Source::Logs(filter, _), .. }) => Filter::clone(filter),
            _ => return Err(RpcError::FilterNotFound),
        };
        self.logs(&filter)
    }
}
