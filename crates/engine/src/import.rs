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

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        mpsc::{self, Receiver, SyncSender},
    },
    thread,
};

use alloy_consensus::{Header, Transaction};
use alloy_eips::BlockNumHash;
use alloy_primitives::{Address, B256};
use openledger_chainspec::ChainSpec;
use openledger_evm::{Block, ExecutedBlock, validate_header};
use openledger_storage::{Database, NewBlock, StateView};
use openledger_trie::StateTrie;
use parking_lot::Mutex;
use tracing::{debug, warn};

use crate::{
    Engine, EngineError,
    cache::ExecutionCache,
    engine::Head,
    insert::check_roots,
    persistence::{Job, Persistence},
    recovery::recover_senders,
};

/// Blocks that wait between execution and state root.
const ROOT_QUEUE: usize = 8;
/// Blocks that are stored in one write at most: the more, the fewer nodes are written that a later one changes
/// again.
const RANGE_BLOCKS: usize = 32;
/// About how many bytes of blocks are stored in one write at most. As many are on their way to the disk.
const RANGE_BYTES: usize = 96 << 20;

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

/// A block whose stateless checks are done.
struct Checked {
    block: Block,
    id: BlockNumHash,
    senders: Vec<Address>,
}

type CheckedResult = Result<Checked, Failure>;

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

/// Stateless checks of one block.
struct Check {
    parent: Arc<(B256, Header)>,
    block: Block,
    id: BlockNumHash,
    result: SyncSender<CheckedResult>,
}

/// What the state root's stage is told.
enum RootJob {
    Block {
        checked: Box<Checked>,
        executed: Box<ExecutedBlock>,
    },
    /// Answers with the state after the block before.
    CatchUp(SyncSender<StateView>),
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
            range: Vec::with_capacity(RANGE_BLOCKS),
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

/// Gives every block its place, and its stateless checks to whoever is free.
fn read_blocks(
    blocks: &Receiver<Block>,
    mut parent: Arc<(B256, Header)>,
    database: &Database,
    checks: &SyncSender<Check>,
    ordered: &SyncSender<Receiver<CheckedResult>>,
) {
    for block in blocks {
        let id = BlockNumHash { number: block.header.number, hash: block.header.hash_slow() };
        // What is on the chain already is passed over; after the first new block nothing is.
        if id.number <= parent.1.number
            && matches!(database.hash_of(id.number), Ok(Some(hash)) if hash == id.hash)
        {
            continue;
        }
        let (result, slot) = mpsc::sync_channel(1);
        if ordered.send(slot).is_err() {
            return;
        }
        if block.header.parent_hash != parent.0 {
            let head = BlockNumHash { number: parent.1.number, hash: parent.0 };
            let error = EngineError::NotOnHead { parent: block.header.parent_hash, head };
            let _ = result.send(Err(error.into()));
            return;
        }
        let header = block.header.clone();
        if checks.send(Check { parent, block, id, result }).is_err() {
            return;
        }
        parent = Arc::new((id.hash, header));
    }
}

/// Does stateless checks until there are no more.
fn check_blocks(queue: &Mutex<Receiver<Check>>, spec: &ChainSpec, cache: &ExecutionCache) {
    loop {
        let next = queue.lock().recv();
        let Ok(Check { parent, block, id, result }) = next else { return };
        let checked = validate_header(spec, &parent.1, parent.0, &block)
            .and_then(|()| recover_senders(&block, 1))
            .map_err(Failure::from)
            .map(|senders| {
                let receivers = block.body.transactions.iter().filter_map(Transaction::to);
                // Execution meets the same error and tells of it.
                let _ = cache.prefetch(senders.iter().copied().chain(receivers));
                Checked { block, id, senders }
            });
        if result.send(checked).is_err() {
            return;
        }
    }
}

/// Computes state roots and hands finished blocks to persistence.
struct RootStage<'a> {
    database: &'a Database,
    spec: &'a ChainSpec,
    cache: &'a ExecutionCache,
    persistence: &'a Persistence,
    /// The state after the newest block, and its trie.
    view: StateView,
    trie: StateTrie,
    /// The cache holds all changes since this block.
    cache_base: u64,
    /// Blocks that may not be stored yet.
    pending: VecDeque<Arc<NewBlock>>,
    /// The newest of them, not handed over yet.
    range: Vec<Arc<NewBlock>>,
    /// About how many bytes they take.
    range_bytes: usize,
    /// The range before them on its way to the disk.
    storing: Option<Receiver<Result<(), EngineError>>>,
    imported: Imported,
    header: Header,
}

impl RootStage<'_> {
    fn run(mut self, jobs: &Receiver<RootJob>, failure: &Mutex<Option<Failure>>) -> Self {
        let mut done = Ok(());
        for job in jobs {
            done = match job {
                RootJob::CatchUp(state) => {
                    self.cache_base = self.view.block().number;
                    let _ = state.send(self.view.clone());
                    Ok(())
                }
                RootJob::Block { checked, executed } => self.finish(*checked, *executed),
            };
            if done.is_err() {
                break;
            }
        }
        // The blocks before a wrong one stay.
        for ended in [done, self.store_range()] {
            if let Err(error) = ended {
                failure.lock().get_or_insert(error);
            }
        }
        self
    }

    fn finish(&mut self, checked: Checked, executed: ExecutedBlock) -> Result<(), Failure> {
        let Checked { block, id, senders } = checked;
        let trie = std::mem::replace(&mut self.trie, StateTrie::new(self.view.state_root()));
        let (trie, update) =
            self.view.update_with(trie, &executed.bundle, self.cache).map_err(EngineError::from)?;
        if let Err(error) = check_roots(self.spec, &update, &block.header, id.number) {
            return Err(Failure { error: error.into(), block: Some(Box::new((block, id))) });
        }
        self.trie = trie;
        self.view = self.view.after(id, &update).map_err(EngineError::from)?;
        self.imported.head = id;
        self.imported.blocks += 1;
        self.imported.transactions += block.body.transactions.len() as u64;
        self.imported.gas += executed.gas_used;
        self.header = block.header.clone();
        let new = Arc::new(NewBlock { block, hash: id.hash, senders, receipts: executed.receipts, update });
        self.range_bytes += new.size_bytes();
        self.range.push(Arc::clone(&new));
        self.pending.push_back(new);
        if self.range.len() >= RANGE_BLOCKS || self.range_bytes >= RANGE_BYTES {
            self.store_range()?;
            self.rebase()?;
        }
        Ok(())
    }

    /// Hands the range over, once the one before is stored.
    fn store_range(&mut self) -> Result<(), Failure> {
        if let Some(storing) = self.storing.take() {
            storing.recv().map_err(|_| EngineError::Stopped)??;
        }
        let blocks = std::mem::take(&mut self.range);
        self.range_bytes = 0;
        if blocks.is_empty() {
            return Ok(());
        }
        let (sender, storing) = mpsc::sync_channel(1);
        let done = Box::new(move |stored| {
            let _ = sender.send(stored);
        });
        self.persistence.send(Job::Range { blocks, done })?;
        self.storing = Some(storing);
        Ok(())
    }

    /// Reads what is stored by now from disk, and no longer through the blocks in memory.
    fn rebase(&mut self) -> Result<(), EngineError> {
        let stored = self.database.state()?;
        let number = stored.block().number;
        while self.pending.front().is_some_and(|new| new.block.header.number <= number) {
            self.pending.pop_front();
        }
        let blocks = self
            .pending
            .iter()
            .map(|new| (BlockNumHash { number: new.block.header.number, hash: new.hash }, &new.update));
        self.view = self.database.state_over(blocks)?;
        // What later blocks changed is in the cache.
        if number >= self.cache_base {
            self.cache.rebase(stored);
        }
        Ok(())
    }
}
