//! Importing many blocks: four stages at work at the same time, each on the next block already.
//!
//! ```text
//! reader ─► recovery (several threads) ─► execution ─► state root ─► persistence
//!           senders, header, prefetch      over the cache               ranges of blocks
//! ```
//!
//! Every queue between two stages is bounded, so a slow stage stops those before it. One range is stored while the
//! next one is collected: of an account or a trie node that several of its blocks change, only the last value is
//! written.

mod checks;
mod roots;

use std::{
    sync::{
        Arc,
        mpsc::{self, Receiver, SyncSender},
    },
    thread,
};

use alloy_eips::BlockNumHash;
use openledger_evm::Block;
use parking_lot::Mutex;
use tracing::{debug, warn};

use self::{
    checks::{Check, CheckedResult, check_blocks, read_blocks},
    roots::{RootJob, RootStage},
};
use crate::{Engine, EngineError, engine::Head};

/// Blocks that wait between execution and state root.
const ROOT_QUEUE: usize = 8;

/// What an import did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Imported {
    /// The head afterwards.
    pub head: BlockNumHash,
    /// Blocks added; those on the chain already are not counted.
    pub blocks: u64,
    /// Their transactions.
    pub transactions: u64,
    /// Gas that they used.
    pub gas: u64,
}

/// Why the pipeline stops, with the block to blame where executing it is what failed.
struct Failure {
    error: EngineError,
    block: Option<Box<(Block, BlockNumHash)>>,
}

impl<E: Into<EngineError>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { error: error.into(), block: None }
    }
}

impl Engine {
    /// Adds blocks in their order until no more come or one is wrong. Those before a wrong one stay.
    /// Durable when this returns.
    pub(crate) fn import(&mut self, blocks: Receiver<Block>) -> Result<Imported, EngineError> {
        // What the cache lacks is then on disk, and not in any of many blocks over it.
        self.settle()?;
        let start = Arc::new((self.head.id.hash, self.head.header.clone()));
        let view = self.head_state()?;
        self.cache.rebase(view.clone());
        let root = RootStage {
            database: &self.database,
            spec: &self.spec,
            cache: &self.cache,
            persistence: &self.persistence,
            trie: view.take_trie(),
            cache_base: self.head.id.number,
            view,
            pending: self.unstored.clone(),
            range: Vec::new(),
            range_bytes: 0,
            storing: None,
            imported: Imported { head: self.head.id, blocks: 0, transactions: 0, gas: 0 },
            header: self.head.header.clone(),
        };
        let failure: Mutex<Option<Failure>> = Mutex::new(None);
        let threads = self.config.recovery_threads.max(1);
        let lookahead = 2 * threads + 2;

        let root = thread::scope(|scope| {
            let (checks, check_queue) = mpsc::sync_channel::<Check>(lookahead);
            let check_queue = Arc::new(Mutex::new(check_queue));
            for _ in 0..threads {
                let queue = Arc::clone(&check_queue);
                let (spec, cache) = (&self.spec, &self.cache);
                scope.spawn(move || check_blocks(&queue, spec, cache));
            }
            drop(check_queue);
            let (ordered, checked) = mpsc::sync_channel(lookahead);
            let database = &self.database;
            scope.spawn(move || read_blocks(&blocks, start, database, &checks, &ordered));

            let (root_jobs, root_queue) = mpsc::sync_channel(ROOT_QUEUE);
            let failure = &failure;
            let root = scope.spawn(move || root.run(&root_queue, failure));
            let executing = self.execute_in_order(&checked, &root_jobs, failure);
            // Whoever waits to hand over more learns that no more is taken.
            drop(checked);
            drop(root_jobs);
            let root = root.join();
            // What the state root's stage found wrong is in an earlier block.
            if let Err(error) = executing {
                failure.lock().get_or_insert(error);
            }
            root
        });
        let Ok(root) = root else {
            return Err(EngineError::Thread("the state root's stage of an import has panicked".to_owned()));
        };
        let RootStage { imported, header, pending, trie, view, .. } = root;
        view.keep_trie(trie);
        let failure = failure.into_inner();
        self.head = Head { id: imported.head, header };
        self.unstored = pending;
        self.built.clear();
        self.settle()?;
        if self.persistence.take_failure() {
            self.fall_back()?;
            let reason = "blocks could not be stored, see the log; the chain ends with what is".to_owned();
            return Err(EngineError::Thread(reason));
        }
        let view = self.head_state()?;
        if failure.is_none() && !self.cache.is_full() {
            self.cache.rebase(view);
        } else {
            self.cache.reset(view);
        }
        match failure {
            None => Ok(imported),
            Some(Failure { error, block }) => {
                if let (EngineError::Invalid(reason), Some(refused)) = (&error, block)
                    && reason.is_invalid_block()
                {
                    let (block, id) = *refused;
                    let view = self.head_state()?;
                    self.record_refused(&view, &block, id, reason);
                }
                warn!(%error, head = self.head.id.number, "stopped importing");
                Err(error)
            }
        }
    }

    /// Executes checked blocks in their order, on the state that the cache keeps.
    fn execute_in_order(
        &self,
        checked: &Receiver<Receiver<CheckedResult>>,
        roots: &SyncSender<RootJob>,
        failure: &Mutex<Option<Failure>>,
    ) -> Result<(), Failure> {
        let gone = || EngineError::Thread("a stage of an import has ended early".to_owned());
        for slot in checked {
            let checked = slot.recv().map_err(|_| gone())??;
            if failure.lock().is_some() {
                return Ok(());
            }
            if self.cache.is_full() {
                let (sender, state) = mpsc::sync_channel(1);
                roots.send(RootJob::CatchUp(sender)).map_err(|_| gone())?;
                self.cache.reset(state.recv().map_err(|_| gone())?);
                debug!(number = checked.id.number, "execution cache starts anew");
            }
            let executed = self.execution.execute(&self.spec, &*self.cache, &checked.block, &checked.senders);
            let executed = match executed {
                Ok(executed) => executed,
                Err(error) => {
                    let block = Some(Box::new((checked.block, checked.id)));
                    return Err(Failure { error: error.into(), block });
                }
            };
            self.cache.apply(checked.id, &executed.bundle);
            let job = RootJob::Block { checked: Box::new(checked), executed: Box::new(executed) };
            if roots.send(job).is_err() {
                // It has said why.
                return Ok(());
            }
        }
        Ok(())
    }
}
