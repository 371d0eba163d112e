//! The thread that decides what the chain is.

use std::{
    collections::VecDeque,
    fmt, io,
    sync::Arc,
    thread::{self, JoinHandle},
};

use alloy_consensus::Header;
use alloy_eips::BlockNumHash;
use alloy_primitives::B256;
use metrics::gauge;
use openledger_chainspec::ChainSpec;
use openledger_storage::{Database, NewBlock, StateView, StorageError};
use tokio::sync::{broadcast, mpsc};
use tracing::{debug, error};

use crate::{
    EngineConfig, EngineError, EngineHandle, EvmExecution, Execution,
    bad_block::BadBlocks,
    cache::ExecutionCache,
    command::Command,
    persistence::Persistence,
    quarantine::Quarantine,
    tree::{Executed, Tree},
};

/// The engine's thread, to wait for at shutdown.
#[derive(Debug)]
pub struct EngineThread(JoinHandle<()>);

impl EngineThread {
    /// Waits until the engine has ended, which it does when the last handle is dropped, and has stored
    /// all it was given. False where it ended by a fault of its own.
    pub fn join(self) -> bool {
        self.0.join().is_ok()
    }
}

/// The newest block of the chain.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(crate) id: BlockNumHash,
    pub(crate) header: Header,
}

/// The writer of the chain.
pub struct Engine {
    pub(crate) database: Database,
    pub(crate) spec: Arc<ChainSpec>,
    pub(crate) config: EngineConfig,
    pub(crate) execution: Arc<dyn Execution>,
    pub(crate) persistence: Persistence,
    /// The chain's newest block; what is after the stored head is in `unstored`.
    pub(crate) head: Head,
    /// Blocks of the chain that may not be stored yet, oldest first.
    pub(crate) unstored: VecDeque<Arc<NewBlock>>,
    pub(crate) tree: Tree,
    /// The state of the head, as far as it was read and written lately.
    pub(crate) cache: Arc<ExecutionCache>,
    /// Blocks built here, executed twice, newest last.
    pub(crate) built: VecDeque<Executed>,
    pub(crate) quarantine: Quarantine,
    pub(crate) bad_blocks: BadBlocks,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Engine {
    /// Starts the engine on `database`, of which it becomes the only writer.
    pub fn spawn(
        database: Database,
        config: EngineConfig,
    ) -> Result<(EngineHandle, EngineThread), EngineError> {
        Self::spawn_with(database, config, Arc::new(EvmExecution))
    }

    /// Like [`Self::spawn`], with another way to execute blocks.
    pub fn spawn_with(
        database: Database,
        config: EngineConfig,
        execution: Arc<dyn Execution>,
    ) -> Result<(EngineHandle, EngineThread), EngineError> {
        let thread_failed = |error: io::Error| EngineError::Thread(error.to_string());
        let (commands, queue) = mpsc::channel(config.queue_commands.max(1));
        let (events, _) = broadcast::channel(config.queue_events.max(1));
        let handle = EngineHandle { commands, events: events.downgrade(), database: database.clone() };
        let persistence =
            Persistence::spawn(database.clone(), events, config.backlog_blocks, config.group_blocks)
                .map_err(thread_failed)?;
        let head = stored_head(&database)?;
        gauge!("engine_head_number").set(head.id.number as f64);
        let engine = Self {
            spec: Arc::clone(database.spec()),
            execution,
            persistence,
            head,
            unstored: VecDeque::new(),
            tree: Tree::new(config.memory_blocks),
            cache: Arc::new(ExecutionCache::new(database.state()?, config.cache_entries)),
            built: VecDeque::new(),
            quarantine: Quarantine::default(),
            bad_blocks: BadBlocks::new(config.bad_blocks.clone(), config.max_bad_blocks),
            database,
            config,
        };
        let thread = thread::Builder::new()
            .name("engine".to_owned())
            .spawn(move || engine.run(queue))
            .map_err(thread_failed)?;
        Ok((handle, EngineThread(thread)))
    }

    fn run(mut self, mut queue: mpsc::Receiver<Command>) {
        while let Some(command) = queue.blocking_recv() {
            if self.persistence.take_failure()
                && let Err(error) = self.fall_back()
            {
                error!(%error, "cannot read the stored head");
            }
            // A caller that no longer waits for its answer is no concern of the engine.
            match command {
                Command::Build { parent, attributes, pool, reply } => {
                    let _ = reply.send(self.build(parent, &attributes, pool));
                }
                Command::Insert { block, announced, reply } => self.insert(*block, announced, reply),
                Command::Extend { block, hash, reply } => self.extend(*block, hash, reply),
                Command::Import { blocks, reply } => {
                    let _ = reply.send(self.import(blocks));
                }
                Command::NewPayload { block, hash, reply } => {
                    let _ = reply.send(self.new_payload(*block, hash));
                }
                Command::Forkchoice { update, reply } => {
                    let _ = reply.send(self.forkchoice(update));
                }
                Command::ReorgTo { ancestor, reply } => {
                    let _ = reply.send(self.reorg_to(ancestor));
                }
                Command::SetSafe { block, reply } => {
                    let _ = reply.send(self.set_safe(block));
                }
                Command::SetFinalized { block, reply } => {
                    let _ = reply.send(self.set_finalized(block));
                }
            }
        }
        debug!("engine ended: no handle is left");
    }

    /// After a write failed, the chain ends with what is stored. Whoever waited was told.
    pub(crate) fn fall_back(&mut self) -> Result<(), EngineError> {
        self.settle()?;
        self.persistence.take_failure();
        self.unstored.clear();
        self.built.clear();
        self.head = stored_head(&self.database)?;
        self.cache.reset(self.database.state()?);
        error!(number = self.head.id.number, "went back to the stored head: blocks could not be stored");
        Ok(())
    }

    /// Waits until all that was handed over is stored.
    pub(crate) fn settle(&mut self) -> Result<(), EngineError> {
        self.persistence.wait(|done| crate::persistence::Job::Settle { done })?;
        self.forget_stored();
        Ok(())
    }

    /// Drops what is stored from the blocks that are not.
    pub(crate) fn forget_stored(&mut self) {
        let stored = self.database.heads().latest.number;
        while self.unstored.front().is_some_and(|new| new.block.header.number <= stored) {
            self.unstored.pop_front();
        }
    }

    /// The state after the head.
    pub(crate) fn head_state(&self) -> Result<StateView, EngineError> {
        let blocks = self
            .unstored
            .iter()
            .map(|new| (BlockNumHash { number: new.block.header.number, hash: new.hash }, &new.update));
        Ok(self.database.state_over(blocks)?)
    }

    /// The hash of block `number` of the chain.
    pub(crate) fn canonical(&self, number: u64) -> Result<Option<B256>, EngineError> {
        if number > self.head.id.number {
            return Ok(None);
        }
        if let Some(new) = self.unstored.iter().find(|new| new.block.header.number == number) {
            return Ok(Some(new.hash));
        }
        Ok(self.database.hash_of(number)?)
    }

    /// The number of the block with this hash, where it is on the chain.
    pub(crate) fn canonical_number(&self, hash: B256) -> Result<Option<u64>, EngineError> {
        if let Some(new) = self.unstored.iter().find(|new| new.hash == hash) {
            return Ok(Some(new.block.header.number));
        }
        Ok(self.database.number_of(hash)?)
    }

    pub(crate) fn require_canonical(&self, block: BlockNumHash) -> Result<(), EngineError> {
        match self.canonical(block.number)? {
            Some(hash) if hash == block.hash => Ok(()),
            _ => Err(EngineError::NotCanonical { block }),
        }
    }

    /// The head, where `parent` is it.
    pub(crate) fn require_head(&self, parent: B256) -> Result<(), EngineError> {
        if parent == self.head.id.hash {
            return Ok(());
        }
        Err(EngineError::NotOnHead { parent, head: self.head.id })
    }
}

fn stored_head(database: &Database) -> Result<Head, EngineError> {
    let id = database.heads().latest;
    let missing = StorageError::NoSuchBlock { number: id.number, head: id.number };
    Ok(Head { id, header: database.header_by_number(id.number)?.ok_or(missing)? })
}
