//! Payloads under construction.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use alloy_primitives::B256;
use alloy_rpc_types_engine::PayloadId;
use op_alloy_rpc_types_engine::OpPayloadAttributes;
use openledger_engine::{BuiltBlock, EngineHandle, SkipReason};
use openledger_txpool::TxPool;
use parking_lot::Mutex;
use tokio::{
    sync::watch,
    task::AbortHandle,
    time::{Instant, sleep, timeout},
};
use tracing::{debug, warn};

/// A payload is not improved for longer than this.
const LIFETIME: Duration = Duration::from_secs(12);

/// The best block so far, and whether the pool has been asked for it.
type Best = (Arc<BuiltBlock>, bool);

/// One payload.
#[derive(Debug)]
pub(crate) struct Job {
    id: PayloadId,
    best: watch::Sender<Best>,
    fetched: AtomicBool,
    improving: Mutex<Option<AbortHandle>>,
}

impl Drop for Job {
    fn drop(&mut self) {
        if let Some(task) = self.improving.lock().take() {
            task.abort();
        }
    }
}

impl Job {
    /// The best block, once the pool was asked or `patience` is over. It is not improved afterwards.
    pub(crate) async fn fetch(&self, patience: Duration) -> Arc<BuiltBlock> {
        let mut best = self.best.subscribe();
        // Without an answer in time the block without the pool's transactions serves.
        let _ = timeout(patience, best.wait_for(|(_, complete)| *complete)).await;
        self.fetched.store(true, Ordering::Relaxed);
        Arc::clone(&best.borrow().0)
    }

    /// Takes `built` where it pays more.
    fn offer(&self, built: Option<BuiltBlock>) {
        self.best.send_modify(|(best, complete)| {
            *complete = true;
            if let Some(built) = built.filter(|built| built.fees_wei > best.fees_wei) {
                *best = Arc::new(built);
            }
        });
    }
}

/// What a payload is improved from.
#[derive(Debug)]
pub(crate) struct Improvement {
    pub(crate) engine: EngineHandle,
    pub(crate) pool: TxPool,
    pub(crate) parent: B256,
    pub(crate) attributes: OpPayloadAttributes,
    pub(crate) base_fee_wei: u64,
    pub(crate) max_transactions: usize,
    pub(crate) pause: Duration,
}

impl Improvement {
    /// Builds again whenever the pool offers something else, until the payload is fetched or too old.
    async fn run(self, job: Weak<Job>) {
        let deadline = Instant::now() + LIFETIME;
        let gas_limit = self.attributes.gas_limit.unwrap_or(u64::MAX);
        let mut offered: Vec<B256> = Vec::new();
        while Instant::now() < deadline {
            let transactions = self.pool.best(self.base_fee_wei, gas_limit, self.max_transactions);
            let hashes: Vec<B256> = transactions.iter().map(|tx| tx.tx_hash()).collect();
            let built = if hashes == offered {
                None
            } else {
                offered = hashes;
                match self.engine.build(self.parent, self.attributes.clone(), transactions).await {
                    Ok(built) => Some(built),
                    Err(error) => {
                        // The head has moved, most of the time: what was built so far stays.
                        debug!(%error, "no better payload");
                        if let Some(job) = job.upgrade() {
                            job.offer(None);
                        }
                        return;
                    }
                }
            };
            for skipped in built.iter().flat_map(|built| &built.skipped) {
                if let SkipReason::Invalid(reason) = &skipped.reason
                    && self.pool.remove(&skipped.hash)
                {
                    debug!(hash = %skipped.hash, reason, "took an invalid transaction out of the pool");
                }
            }
            let Some(job) = job.upgrade() else { return };
            job.offer(built);
            if job.fetched.load(Ordering::Relaxed) {
                return;
            }
            drop(job);
            sleep(self.pause).await;
        }
    }
}

/// The payloads that can be fetched; the oldest are forgotten first.
#[derive(Debug)]
pub(crate) struct Payloads {
    jobs: Mutex<VecDeque<Arc<Job>>>,
    capacity: usize,
}

impl Payloads {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { jobs: Mutex::new(VecDeque::new()), capacity: capacity.max(1) }
    }

    pub(crate) fn get(&self, id: PayloadId) -> Option<Arc<Job>> {
        self.jobs.lock().iter().find(|job| job.id == id).cloned()
    }

    /// Adds a payload, built from the forced transactions, and improves it from then on.
    pub(crate) fn start(&self, id: PayloadId, built: BuiltBlock, improvement: Option<Improvement>) {
        let best = watch::Sender::new((Arc::new(built), improvement.is_none()));
        let job = Arc::new(Job { id, best, fetched: AtomicBool::new(false), improving: Mutex::new(None) });
        if let Some(improvement) = improvement {
            let task = tokio::spawn(improvement.run(Arc::downgrade(&job)));
            *job.improving.lock() = Some(task.abort_handle());
        }
        let mut jobs = self.jobs.lock();
        if jobs.len() == self.capacity
            && let Some(oldest) = jobs.pop_front()
        {
            warn!(id = %oldest.id, "forgot the oldest payload");
        }
        jobs.push_back(job);
    }
}
