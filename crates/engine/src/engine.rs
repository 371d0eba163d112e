//! The thread that writes the chain.

use std::{
    collections::VecDeque,
    fmt, io,
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use alloy_consensus::{Header, proofs::calculate_transaction_root, transaction::Recovered};
use alloy_eips::BlockNumHash;
use alloy_primitives::B256;
use metrics::{counter, gauge, histogram};
use op_alloy_rpc_types_engine::OpPayloadAttributes;
use openledger_evm::{
    Block, BuildInput, Differences, ExecutionError, StateRoots, build_block, execute_block, recover_senders,
    validate_header,
};
use openledger_primitives::OpenTxEnvelope;
use openledger_storage::{Database, NewBlock, StateUpdate, StorageError};
use tokio::sync::{broadcast, mpsc};
use tracing::{debug, error, info, warn};

use crate::{BuiltBlock, ChainBlock, ChainEvent, EngineError, EngineHandle, command::Command};

/// Blocks built here whose hashes are remembered, to tell a bad block from a bad execution.
const REMEMBERED_BUILDS: usize = 64;

/// Bounds of the engine.
#[derive(Debug, Clone, Copy)]
pub struct EngineConfig {
    /// Commands that may wait.
    pub queue_commands: usize,
    /// Events that a slow subscriber may lag behind.
    pub queue_events: usize,
    /// Time after which no more transactions of the pool are added to a block.
    pub build_time: Duration,
    /// Transactions of the pool that are looked at for one block.
    pub pool_transactions: usize,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            queue_commands: 16,
            queue_events: 1024,
            build_time: Duration::from_secs(1),
            pool_transactions: 20_000,
        }
    }
}

/// The engine's thread, to wait for at shutdown.
#[derive(Debug)]
pub struct EngineThread(JoinHandle<()>);

impl EngineThread {
    /// Waits until the engine has ended, which it does when the last handle is dropped. False where
    /// it ended by a fault of its own.
    pub fn join(self) -> bool {
        self.0.join().is_ok()
    }
}

/// The writer of the chain.
pub struct Engine {
    database: Database,
    config: EngineConfig,
    events: broadcast::Sender<ChainEvent>,
    /// Hashes of blocks built here, newest last.
    built: VecDeque<B256>,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Engine {
    /// Starts the engine on `database`, of which it becomes the only writer.
    pub fn spawn(database: Database, config: EngineConfig) -> io::Result<(EngineHandle, EngineThread)> {
        let (commands, queue) = mpsc::channel(config.queue_commands.max(1));
        let (events, _) = broadcast::channel(config.queue_events.max(1));
        let handle = EngineHandle { commands, events: events.downgrade(), database: database.clone() };
        gauge!("engine_head_number").set(database.heads().latest.number as f64);
        let engine = Self { database, config, events, built: VecDeque::new() };
        let thread = thread::Builder::new().name("engine".to_owned()).spawn(move || engine.run(queue))?;
        Ok((handle, EngineThread(thread)))
    }

    fn run(mut self, mut queue: mpsc::Receiver<Command>) {
        while let Some(command) = queue.blocking_recv() {
            // A caller that no longer waits for its answer is no concern of the engine.
            match command {
                Command::Build { parent, attributes, pool, reply } => {
                    let _ = reply.send(self.build(parent, &attributes, pool));
                }
                Command::Insert { block, announced, reply } => {
                    let _ = reply.send(self.insert(*block, announced));
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

    fn build(
        &mut self,
        parent_hash: B256,
        attributes: &OpPayloadAttributes,
        mut pool: Vec<Recovered<OpenTxEnvelope>>,
    ) -> Result<BuiltBlock, EngineError> {
        let start = Instant::now();
        let parent = self.head_header(parent_hash)?;
        let spec = Arc::clone(self.database.spec());
        pool.truncate(self.config.pool_transactions);
        let input = BuildInput {
            spec: &spec,
            state: self.database.state()?,
            parent: &parent,
            parent_hash,
            attributes,
            pool,
        };
        let mut pending = build_block(input, || start.elapsed() < self.config.build_time)?;
        let skipped = std::mem::take(&mut pending.skipped);
        let update = self.database.prepare(parent_hash, &pending.executed.bundle)?;
        let block = pending.seal(&spec, roots(&update)?);
        let hash = block.header.hash_slow();
        if self.built.len() == REMEMBERED_BUILDS {
            self.built.pop_front();
        }
        self.built.push_back(hash);
        histogram!("engine_build_ms").record(start.elapsed().as_secs_f64() * 1e3);
        let included = block.body.transactions.iter().map(OpenTxEnvelope::tx_hash).collect();
        Ok(BuiltBlock { block, hash, included, skipped })
    }

    fn insert(&mut self, block: Block, announced: Option<B256>) -> Result<BlockNumHash, EngineError> {
        let start = Instant::now();
        let id = BlockNumHash { number: block.header.number, hash: block.header.hash_slow() };
        if let Some(expected) = announced.filter(|&expected| expected != id.hash) {
            return Err(EngineError::WrongHash { number: id.number, expected, found: id.hash });
        }
        if self.database.hash_of(id.number)? == Some(id.hash) {
            return Ok(id);
        }
        let parent = self.head_header(block.header.parent_hash)?;
        // The hash covers the header alone: somebody may have put another body under it.
        let built_here = self.built.contains(&id.hash) && body_fits_header(&block);
        let new = match self.execute(&parent, block, id) {
            Ok(new) => new,
            Err(EngineError::Invalid(error)) if error.is_invalid_block() && built_here => {
                error!(number = id.number, hash = %id.hash, %error, "built block did not reproduce");
                counter!("engine_not_reproducible_total").increment(1);
                let differences = match error {
                    ExecutionError::InvalidBlock { differences, .. } => differences,
                    error => {
                        let mut differences = Differences::default();
                        differences.push("transactions", "executable".to_owned(), error.to_string());
                        differences
                    }
                };
                return Err(EngineError::NotReproducible { block: id, differences });
            }
            Err(error) => {
                warn!(number = id.number, hash = %id.hash, %error, "refused a block");
                counter!("engine_refused_blocks_total").increment(1);
                return Err(error);
            }
        };
        let event = ChainBlock {
            block: new.block.clone(),
            hash: new.hash,
            senders: new.senders.clone(),
            receipts: new.receipts.clone(),
        };
        self.database.append(new)?;
        let elapsed_ms = start.elapsed().as_secs_f64() * 1e3;
        histogram!("engine_insert_ms").record(elapsed_ms);
        gauge!("engine_head_number").set(id.number as f64);
        info!(
            number = id.number,
            hash = %id.hash,
            transactions = event.block.body.transactions.len(),
            gas = event.block.header.gas_used,
            elapsed_ms,
            "sealed block"
        );
        self.publish(ChainEvent::NewBlock(Arc::new(event)));
        Ok(id)
    }

    /// Executes `block` from its parent and compares all that follows with its header.
    fn execute(&self, parent: &Header, block: Block, id: BlockNumHash) -> Result<NewBlock, EngineError> {
        let spec = self.database.spec();
        let parent_hash = block.header.parent_hash;
        validate_header(spec, parent, parent_hash, &block)?;
        let senders = recover_senders(&block)?;
        let executed = execute_block(spec, self.database.state()?, &block, &senders)?;
        let update = self.database.prepare(parent_hash, &executed.bundle)?;
        let roots = roots(&update)?;
        let header = &block.header;
        let mut differences = Differences::default();
        differences.compare("stateRoot", &roots.state, &header.state_root);
        let withdrawals_root = roots.withdrawals_root(spec, header.timestamp);
        differences.compare("withdrawalsRoot", &withdrawals_root, &header.withdrawals_root);
        if !differences.is_empty() {
            return Err(ExecutionError::InvalidBlock { number: id.number, differences }.into());
        }
        Ok(NewBlock { block, hash: id.hash, senders, receipts: executed.receipts, update })
    }

    fn reorg_to(&mut self, ancestor: BlockNumHash) -> Result<(), EngineError> {
        self.require_canonical(ancestor)?;
        let heads = self.database.heads();
        if ancestor.number < heads.finalized.number {
            let finalized = heads.finalized;
            return Err(EngineError::BelowFinalized { to: ancestor.number, finalized });
        }
        if ancestor == heads.latest {
            return Ok(());
        }
        if ancestor.number < heads.safe.number {
            self.set_safe(ancestor)?;
        }
        let dropped = self.database.unwind_to(ancestor.number)?;
        gauge!("engine_head_number").set(ancestor.number as f64);
        counter!("engine_reorgs_total").increment(1);
        warn!(number = ancestor.number, hash = %ancestor.hash, dropped = dropped.len(), "went back");
        self.publish(ChainEvent::Unwound { to: ancestor, dropped: Arc::new(dropped) });
        Ok(())
    }

    fn set_safe(&self, block: BlockNumHash) -> Result<(), EngineError> {
        self.require_canonical(block)?;
        if self.database.heads().safe != block {
            self.database.set_safe(block)?;
            gauge!("engine_safe_number").set(block.number as f64);
            self.publish(ChainEvent::Safe(block));
        }
        Ok(())
    }

    fn set_finalized(&self, block: BlockNumHash) -> Result<(), EngineError> {
        self.require_canonical(block)?;
        let finalized = self.database.heads().finalized;
        if block.number < finalized.number {
            return Err(EngineError::BelowFinalized { to: block.number, finalized });
        }
        if finalized != block {
            self.database.set_finalized(block)?;
            gauge!("engine_finalized_number").set(block.number as f64);
            self.publish(ChainEvent::Finalized(block));
        }
        Ok(())
    }

    fn require_canonical(&self, block: BlockNumHash) -> Result<(), EngineError> {
        match self.database.hash_of(block.number)? {
            Some(hash) if hash == block.hash => Ok(()),
            _ => Err(EngineError::NotCanonical { block }),
        }
    }

    /// The head's header, where `parent` is the head.
    fn head_header(&self, parent: B256) -> Result<Header, EngineError> {
        let head = self.database.heads().latest;
        if parent != head.hash {
            return Err(EngineError::NotOnHead { parent, head });
        }
        let missing = StorageError::NoSuchBlock { number: head.number, head: head.number };
        Ok(self.database.header_by_number(head.number)?.ok_or(missing)?)
    }

    fn publish(&self, event: ChainEvent) {
        // Nobody may be listening.
        let _ = self.events.send(event);
    }
}

/// Whether a block's body is the one its header stands for.
fn body_fits_header(block: &Block) -> bool {
    let Block { header, body } = block;
    body.ommers.is_empty()
        && body.withdrawals.as_ref().is_some_and(|withdrawals| withdrawals.is_empty())
        && calculate_transaction_root(&body.transactions) == header.transactions_root
}

fn roots(update: &StateUpdate) -> Result<StateRoots, EngineError> {
    Ok(StateRoots {
        state: update.state_root(),
        message_passer: update.storage_root_of(StateRoots::MESSAGE_PASSER)?,
    })
}
