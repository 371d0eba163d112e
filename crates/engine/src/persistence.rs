//! The thread that stores what the engine has decided, in order, and tells of it once it is durable.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, SyncSender},
    },
    thread::{self, JoinHandle},
    time::Instant,
};

use alloy_eips::BlockNumHash;
use metrics::{counter, gauge, histogram};
use openledger_storage::{Database, NewBlock, StorageError};
use tokio::sync::broadcast;
use tracing::{debug, error, info, warn};

use crate::{ChainBlock, ChainEvent, EngineError};

/// Called once a job is durable, or has failed.
pub(crate) type Done = Box<dyn FnOnce(Result<(), EngineError>) + Send>;

/// One change of the chain on disk.
pub(crate) enum Job {
    /// A block on top of the newest one.
    Append { new: Arc<NewBlock>, done: Option<Done> },
    /// Blocks on top of the newest one, oldest first, in one write. Done when they are durable.
    Range { blocks: Vec<Arc<NewBlock>>, done: Done },
    /// Takes back the blocks after this one.
    Unwind { to: BlockNumHash, done: Done },
    /// Moves the safe head.
    Safe { block: BlockNumHash, done: Option<Done> },
    /// Moves the finalized head.
    Finalized { block: BlockNumHash, done: Option<Done> },
    /// Changes nothing; done when all before it is.
    Settle { done: Done },
}

/// Where jobs go. When too many wait, sending waits too.
pub(crate) struct Persistence {
    jobs: Option<SyncSender<Job>>,
    failed: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl fmt::Debug for Persistence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Persistence").field("failed", &self.failed).finish_non_exhaustive()
    }
}

impl Persistence {
    pub(crate) fn spawn(
        database: Database,
        events: broadcast::Sender<ChainEvent>,
        backlog: usize,
        group: usize,
    ) -> std::io::Result<Self> {
        let (jobs, queue) = mpsc::sync_channel(backlog.max(1));
        let failed = Arc::new(AtomicBool::new(false));
        let writer = Writer { database, events, group: group.max(1), failed: Arc::clone(&failed) };
        let thread =
            thread::Builder::new().name("persistence".to_owned()).spawn(move || writer.run(&queue))?;
        Ok(Self { jobs: Some(jobs), failed, thread: Some(thread) })
    }

    /// Hands over a job, waiting while too many wait already.
    pub(crate) fn send(&self, job: Job) -> Result<(), EngineError> {
        self.jobs.as_ref().and_then(|jobs| jobs.send(job).ok()).ok_or(EngineError::Stopped)
    }

    /// Hands over a job and waits for it.
    pub(crate) fn wait(&self, job: impl FnOnce(Done) -> Job) -> Result<(), EngineError> {
        let (sender, answer) = mpsc::sync_channel(1);
        self.send(job(Box::new(move |result| {
            let _ = sender.send(result);
        })))?;
        answer.recv().map_err(|_| EngineError::Stopped)?
    }

    /// Whether a job has failed since this was last asked.
    pub(crate) fn take_failure(&self) -> bool {
        self.failed.swap(false, Ordering::SeqCst)
    }
}

impl Drop for Persistence {
    /// Stores what is left.
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            error!("the persistence thread has panicked");
        }
    }
}

struct Writer {
    database: Database,
    events: broadcast::Sender<ChainEvent>,
    group: usize,
    failed: Arc<AtomicBool>,
}

impl Writer {
    fn run(self, queue: &Receiver<Job>) {
        let mut next = None;
        while let Some(job) = next.take().or_else(|| queue.recv().ok()) {
            match job {
                Job::Append { new, done } => {
                    let mut group = vec![(new, done)];
                    while group.len() < self.group {
                        match queue.try_recv() {
                            Ok(Job::Append { new, done }) => group.push((new, done)),
                            Ok(other) => {
                                next = Some(other);
                                break;
                            }
                            Err(_) => break,
                        }
                    }
                    self.append(group);
                }
                Job::Range { blocks, done } => {
                    let mut group: Vec<_> = blocks.into_iter().map(|new| (new, None)).collect();
                    if let Some((_, last)) = group.last_mut() {
                        *last = Some(done);
                    }
                    self.append(group);
                }
                Job::Unwind { to, done } => done(self.unwind(to)),
                Job::Safe { block, done } => {
                    let result = self.database.set_safe(block).map(|()| {
                        gauge!("engine_safe_number").set(block.number as f64);
                        self.publish(ChainEvent::Safe(block));
                    });
                    self.finish(result, done);
                }
                Job::Finalized { block, done } => {
                    let result = self.database.set_finalized(block).map(|()| {
                        gauge!("engine_finalized_number").set(block.number as f64);
                        self.publish(ChainEvent::Finalized(block));
                    });
                    self.finish(result, done);
                }
                Job::Settle { done } => done(Ok(())),
            }
        }
        debug!("persistence ended: nothing is left to store");
    }

    /// Stores blocks in one write, then tells of each.
    fn append(&self, group: Vec<(Arc<NewBlock>, Option<Done>)>) {
        let start = Instant::now();
        let blocks: Vec<&NewBlock> = group.iter().map(|(new, _)| new.as_ref()).collect();
        let stored = self.database.persist(&blocks);
        let elapsed_ms = start.elapsed().as_secs_f64() * 1e3;
        histogram!("engine_persist_ms").record(elapsed_ms);
        histogram!("engine_persist_blocks").record(blocks.len() as f64);
        if let Err(error) = &stored {
            error!(%error, blocks = blocks.len(), "cannot store blocks");
        }
        for (new, done) in group {
            if stored.is_ok() {
                let header = &new.block.header;
                gauge!("engine_head_number").set(header.number as f64);
                info!(
                    number = header.number,
                    hash = %new.hash,
                    transactions = new.block.body.transactions.len(),
                    gas = header.gas_used,
                    "sealed block"
                );
                if self.events.receiver_count() > 0 {
                    self.publish(ChainEvent::NewBlock(Arc::new(chain_block(&new))));
                }
            }
            self.finish(stored.clone(), done);
        }
    }

    fn unwind(&self, to: BlockNumHash) -> Result<(), EngineError> {
        let dropped = self.database.unwind_to(to.number)?;
        gauge!("engine_head_number").set(to.number as f64);
        counter!("engine_reorgs_total").increment(1);
        warn!(number = to.number, hash = %to.hash, dropped = dropped.len(), "went back");
        self.publish(ChainEvent::Unwound { to, dropped: Arc::new(dropped) });
        Ok(())
    }

    fn finish(&self, result: Result<(), StorageError>, done: Option<Done>) {
        if result.is_err() {
            self.failed.store(true, Ordering::SeqCst);
        }
        if let Some(done) = done {
            done(result.map_err(EngineError::from));
        }
    }

    fn publish(&self, event: ChainEvent) {
        // Nobody may be listening.
        let _ = self.events.send(event);
    }
}

fn chain_block(new: &NewBlock) -> ChainBlock {
    ChainBlock {
        block: new.block.clone(),
        hash: new.hash,
        senders: new.senders.clone(),
        receipts: new.receipts.clone(),
    }
}
