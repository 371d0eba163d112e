//! Blocks on top of the head: executing them, handing them over, going back.

use std::{sync::Arc, time::Instant};

use alloy_consensus::Header;
use alloy_eips::BlockNumHash;
use alloy_primitives::B256;
use metrics::{counter, histogram};
use openledger_evm::{Block, Differences, ExecutionError, StateRoots, recover_senders, validate_header};
use openledger_storage::{KnownStorageRoots, NewBlock, StateUpdate, StateView};
use tokio::sync::oneshot;
use tracing::{error, warn};

use crate::{
    Engine, EngineError, StateRead,
    bad_block::BadBlock,
    command::Reply,
    engine::Head,
    persistence::{Done, Job},
    tree::Executed,
};

/// What a block is executed on.
pub(crate) struct ParentState<'a> {
    pub(crate) header: &'a Header,
    /// The state after it.
    pub(crate) view: &'a StateView,
    /// The same, to execute on.
    pub(crate) state: &'a dyn StateRead,
    pub(crate) known: &'a dyn KnownStorageRoots,
}

impl Engine {
    /// Adds a block and answers once it is durable.
    pub(crate) fn insert(&mut self, block: Block, announced: Option<B256>, reply: Reply<BlockNumHash>) {
        let id = BlockNumHash { number: block.header.number, hash: block.header.hash_slow() };
        match self.admit(block, id, announced) {
            Ok(executed) => self.append_and_tell(executed, id, reply),
            Err(error) => {
                // A caller that no longer waits for its answer is no concern of the engine.
                let _ = reply.send(Err(error));
            }
        }
    }

    /// Adds a block, answers once it is the head, and says later when it is durable.
    pub(crate) fn extend(
        &mut self,
        block: Block,
        hash: B256,
        reply: Reply<oneshot::Receiver<Result<BlockNumHash, EngineError>>>,
    ) {
        let id = BlockNumHash { number: block.header.number, hash };
        let answer = self.admit(block, id, Some(hash)).map(|executed| {
            let (durable, answer) = oneshot::channel();
            self.append_and_tell(executed, id, durable);
            answer
        });
        let _ = reply.send(answer);
    }

    fn append_and_tell(&mut self, executed: Option<Executed>, id: BlockNumHash, reply: Reply<BlockNumHash>) {
        let done: Done = Box::new(move |stored| {
            let _ = reply.send(stored.map(|()| id));
        });
        let handed_over = match executed {
            Some(executed) => self.append(executed, Some(done)),
            // It is on the chain, but perhaps not stored yet.
            None => self.persistence.send(Job::Settle { done }),
        };
        if let Err(error) = handed_over {
            error!(%error, "could not go on after a block");
        }
    }

    /// Checks a block that is to follow the head; `None` where it is on the chain already.
    fn admit(
        &self,
        block: Block,
        id: BlockNumHash,
        announced: Option<B256>,
    ) -> Result<Option<Executed>, EngineError> {
        let found = block.header.hash_slow();
        if let Some(expected) = announced.filter(|&expected| expected != found) {
            return Err(EngineError::WrongHash { number: id.number, expected, found });
        }
        if self.canonical(id.number)? == Some(id.hash) {
            return Ok(None);
        }
        self.require_head(block.header.parent_hash)?;
        self.execute_on_head(block, id).map(Some)
    }

    /// Executes a block on the head, unless that was done before.
    pub(crate) fn execute_on_head(&self, block: Block, id: BlockNumHash) -> Result<Executed, EngineError> {
        // The hash covers the header alone: somebody may have put another body under it.
        let known = self.built.iter().find(|built| built.new.hash == id.hash);
        if let Some(known) = known.or_else(|| self.tree.get(&id.hash))
            && known.new.block == block
        {
            return Ok(known.clone());
        }
        let view = self.head_state()?;
        let cache = &*self.cache;
        let parent = ParentState { header: &self.head.header, view: &view, state: cache, known: cache };
        self.execute(&parent, block, id)
    }

    /// Executes `block` on its parent, and compares all that follows with its header.
    pub(crate) fn execute(
        &self,
        parent: &ParentState<'_>,
        block: Block,
        id: BlockNumHash,
    ) -> Result<Executed, EngineError> {
        let start = Instant::now();
        let result = self.try_execute(parent, &block, id);
        match result {
            Ok((new, changes)) => {
                histogram!("engine_execute_ms").record(start.elapsed().as_secs_f64() * 1e3);
                let NewParts { senders, receipts, update } = new;
                let new = NewBlock { block, hash: id.hash, senders, receipts, update };
                Ok(Executed { new: Arc::new(new), changes: Some(Arc::new(changes)) })
            }
            Err(error) => {
                warn!(number = id.number, hash = %id.hash, %error, "refused a block");
                counter!("engine_refused_blocks_total").increment(1);
                if let EngineError::Invalid(reason) = &error
                    && reason.is_invalid_block()
                {
                    self.record_refused(parent.view, &block, id, reason);
                }
                Err(error)
            }
        }
    }

    fn try_execute(
        &self,
        parent: &ParentState<'_>,
        block: &Block,
        id: BlockNumHash,
    ) -> Result<(NewParts, revm::database::BundleState), EngineError> {
        validate_header(&self.spec, parent.header, block.header.parent_hash, block)?;
        let senders = recover_senders(block, self.config.recovery_threads)?;
        let executed = self.execution.execute(&self.spec, parent.state, block, &senders)?;
        let update = parent.view.update_knowing(&executed.bundle, parent.known)?;
        check_roots(&self.spec, &update, &block.header, id.number)?;
        Ok((NewParts { senders, receipts: executed.receipts, update }, executed.bundle))
    }

    /// Keeps what is needed to execute a refused block again, where executing it is what failed.
    pub(crate) fn record_refused(
        &self,
        view: &StateView,
        block: &Block,
        id: BlockNumHash,
        reason: &ExecutionError,
    ) {
        let Ok(senders) = recover_senders(block, self.config.recovery_threads) else { return };
        let record = BadBlock {
            block,
            id,
            reason: reason.to_string(),
            culprit: None,
            differences: match reason {
                ExecutionError::InvalidBlock { differences, .. } => differences.clone(),
                _ => Differences::default(),
            },
        };
        self.bad_blocks.record(&record, view, |witnessed| {
            let _ = self.execution.execute(&self.spec, witnessed, block, &senders);
        });
    }

    /// Makes an executed block the head and hands it over to be stored. Waits while too many wait.
    pub(crate) fn append(&mut self, executed: Executed, done: Option<Done>) -> Result<(), EngineError> {
        let Executed { new, changes } = executed;
        let id = BlockNumHash { number: new.block.header.number, hash: new.hash };
        self.persistence.send(Job::Append { new: Arc::clone(&new), done })?;
        self.head = Head { id, header: new.block.header.clone() };
        self.forget_stored();
        self.unstored.push_back(Arc::clone(&new));
        self.tree.add(Executed { new, changes: None });
        let view = self.head_state()?;
        match changes {
            Some(changes) if !self.cache.is_full() => {
                self.cache.apply(id, &changes);
                self.cache.rebase(view);
            }
            _ => self.cache.reset(view),
        }
        Ok(())
    }

    /// Takes back the blocks after `ancestor`, durably.
    pub(crate) fn reorg_to(&mut self, ancestor: BlockNumHash) -> Result<(), EngineError> {
        self.settle()?;
        self.require_canonical(ancestor)?;
        let heads = self.database.heads();
        if ancestor.number < heads.finalized.number {
            let finalized = heads.finalized;
            return Err(EngineError::BelowFinalized { to: ancestor.number, finalized });
        }
        if ancestor == self.head.id {
            return Ok(());
        }
        if ancestor.number < heads.safe.number {
            self.set_safe(ancestor)?;
        }
        let header = self.database.header_by_hash(ancestor.hash)?;
        let header = header.ok_or(EngineError::NotCanonical { block: ancestor })?;
        self.persistence.wait(|done| Job::Unwind { to: ancestor, done })?;
        self.head = Head { id: ancestor, header };
        self.unstored.clear();
        self.built.clear();
        self.cache.reset(self.head_state()?);
        Ok(())
    }

    /// Moves the safe head, durably.
    pub(crate) fn set_safe(&self, block: BlockNumHash) -> Result<(), EngineError> {
        self.require_canonical(block)?;
        if self.database.heads().safe == block {
            return Ok(());
        }
        self.persistence.wait(|done| Job::Safe { block, done: Some(done) })
    }

    /// Moves the finalized head forwards, durably.
    pub(crate) fn set_finalized(&self, block: BlockNumHash) -> Result<(), EngineError> {
        self.require_canonical(block)?;
        let finalized = self.database.heads().finalized;
        if block.number < finalized.number {
            return Err(EngineError::BelowFinalized { to: block.number, finalized });
        }
        if finalized == block {
            return Ok(());
        }
        self.persistence.wait(|done| Job::Finalized { block, done: Some(done) })
    }
}

/// What executing a block adds to it.
struct NewParts {
    senders: Vec<alloy_primitives::Address>,
    receipts: Vec<openledger_primitives::OpenReceipt>,
    update: StateUpdate,
}

/// Compares the roots of the state with the header's.
pub(crate) fn check_roots(
    spec: &openledger_chainspec::ChainSpec,
    update: &StateUpdate,
    header: &Header,
    number: u64,
) -> Result<(), ExecutionError> {
    let mut differences = Differences::default();
    differences.compare("stateRoot", &update.state_root(), &header.state_root);
    // On a plain Ethereum chain the body alone gives the withdrawals root.
    if spec.is_optimism() {
        let expected = state_roots(update).withdrawals_root(spec, header.timestamp);
        differences.compare("withdrawalsRoot", &expected, &header.withdrawals_root);
    }
    if differences.is_empty() { Ok(()) } else { Err(ExecutionError::InvalidBlock { number, differences }) }
}

/// The roots that a header names.
pub(crate) fn state_roots(update: &StateUpdate) -> StateRoots {
    StateRoots { state: update.state_root(), message_passer: update.withdrawals_root() }
}
