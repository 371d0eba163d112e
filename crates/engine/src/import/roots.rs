//! The stages after execution: state roots, and ranges of blocks on their way to the disk.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        mpsc::{self, Receiver, SyncSender},
    },
};

use alloy_consensus::Header;
use alloy_eips::BlockNumHash;
use openledger_chainspec::ChainSpec;
use openledger_evm::ExecutedBlock;
use openledger_storage::{Database, NewBlock, StateView};
use openledger_trie::StateTrie;
use parking_lot::Mutex;

use super::{Failure, Imported, checks::Checked};
use crate::{
    EngineError,
    cache::ExecutionCache,
    insert::check_roots,
    persistence::{Job, Persistence},
};

/// Blocks that are stored in one write at most: the more, the fewer nodes are written that a later one changes
/// again.
const RANGE_BLOCKS: usize = 32;
/// About how many bytes of blocks are stored in one write at most. As many are on their way to the disk.
const RANGE_BYTES: usize = 96 << 20;

/// What the state root's stage is told.
pub(super) enum RootJob {
    Block {
        checked: Box<Checked>,
        executed: Box<ExecutedBlock>,
    },
    /// Answers with the state after the block before.
    CatchUp(SyncSender<StateView>),
}

/// Computes state roots and hands finished blocks to persistence.
pub(super) struct RootStage<'a> {
    pub(super) database: &'a Database,
    pub(super) spec: &'a ChainSpec,
    pub(super) cache: &'a ExecutionCache,
    pub(super) persistence: &'a Persistence,
    /// The state after the newest block, and its trie.
    pub(super) view: StateView,
    pub(super) trie: StateTrie,
    /// The cache holds all changes since this block.
    pub(super) cache_base: u64,
    /// Blocks that may not be stored yet.
    pub(super) pending: VecDeque<Arc<NewBlock>>,
    /// The newest of them, not handed over yet.
    pub(super) range: Vec<Arc<NewBlock>>,
    /// About how many bytes they take.
    pub(super) range_bytes: usize,
    /// The range before them on its way to the disk.
    pub(super) storing: Option<Receiver<Result<(), EngineError>>>,
    pub(super) imported: Imported,
    pub(super) header: Header,
}

impl RootStage<'_> {
    pub(super) fn run(mut self, jobs: &Receiver<RootJob>, failure: &Mutex<Option<Failure>>) -> Self {
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
