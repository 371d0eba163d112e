//! Payloads and forkchoice updates, as a consensus client gives them.

use std::sync::Arc;

use alloy_consensus::Header;
use alloy_eips::BlockNumHash;
use alloy_primitives::B256;
use openledger_evm::{Block, ExecutionError, validate_header};
use openledger_storage::{StateView, StorageError};
use parking_lot::Mutex;
use tracing::debug;

use crate::{
    Engine, EngineError, Forkchoice, ForkchoiceStatus, PayloadStatus,
    insert::ParentState,
    persistence::Job,
    tree::{Executed, Fault},
};

/// A branch off the chain: the block of the chain it stands on, and its blocks, oldest first.
type Branch = (BlockNumHash, Vec<Executed>);

impl Engine {
    /// Executes a block wherever its parent's state is to be had, and keeps it off the chain.
    pub(crate) fn new_payload(&mut self, block: Block, hash: B256) -> Result<PayloadStatus, EngineError> {
        let id = BlockNumHash { number: block.header.number, hash };
        let found = block.header.hash_slow();
        if found != hash {
            let reason = format!("blockHash is {hash}, but the payload's hash is {found}");
            return Ok(PayloadStatus::Invalid { latest_valid: None, reason });
        }
        let parent = block.header.parent_hash;
        if let Some(fault) = self.tree.fault(&hash).or_else(|| self.tree.fault(&parent)).cloned() {
            self.tree.add_fault(hash, fault.clone());
            return Ok(PayloadStatus::Invalid { latest_valid: fault.latest_valid, reason: fault.reason });
        }
        if self.canonical(id.number)? == Some(hash) || self.is_executed(&block, hash) {
            return Ok(PayloadStatus::Valid(id));
        }
        let executed = if parent == self.head.id.hash {
            self.execute_on_head(block, id)
        } else {
            match self.state_of(parent)? {
                Parent::Unknown => return Ok(PayloadStatus::Syncing),
                Parent::TooDeep(header) => match validate_header(&self.spec, &header, parent, &block) {
                    Ok(()) => return Ok(PayloadStatus::Accepted),
                    Err(error) => Err(error.into()),
                },
                Parent::State(header, view) => {
                    let parent = ParentState { header: &header, view: &view, state: &*view, known: &() };
                    self.execute(&parent, block, id)
                }
            }
        };
        match executed {
            Ok(executed) => {
                self.tree.add(executed);
                Ok(PayloadStatus::Valid(id))
            }
            Err(EngineError::Invalid(error)) if error.is_invalid_block() => {
                let fault = Fault { latest_valid: Some(parent), reason: error.to_string() };
                if !is_about_the_body(&error) {
                    self.tree.add_fault(hash, fault.clone());
                }
                Ok(PayloadStatus::Invalid { latest_valid: fault.latest_valid, reason: fault.reason })
            }
            Err(error) => Err(error),
        }
    }

    /// Whether just this block was executed before; then it is kept.
    fn is_executed(&mut self, block: &Block, hash: B256) -> bool {
        if self.tree.get(&hash).is_some_and(|known| known.new.block == *block) {
            return true;
        }
        let built = self.built.iter().find(|built| built.new.hash == hash && built.new.block == *block);
        if let Some(built) = built.cloned() {
            self.tree.add(built);
            return true;
        }
        false
    }

    /// The state after a known block off the head, with its header.
    fn state_of(&mut self, hash: B256) -> Result<Parent, EngineError> {
        // What is stored does not change below this.
        self.settle()?;
        let mut branch = Vec::new();
        let mut at = hash;
        let (mut header, mut view) = loop {
            if let Some(header) = self.database.header_by_hash(at)? {
                match self.database.state_at(header.number) {
                    Ok(view) => break (header, view),
                    Err(StorageError::Corrupt { what, reason }) => {
                        return Err(StorageError::Corrupt { what, reason }.into());
                    }
                    Err(error) => {
                        debug!(%error, number = header.number, "no state for a branch");
                        return Ok(Parent::TooDeep(Box::new(header)));
                    }
                }
            }
            let Some(executed) = self.tree.get(&at) else { return Ok(Parent::Unknown) };
            branch.push(Arc::clone(&executed.new));
            at = executed.new.block.header.parent_hash;
        };
        for new in branch.iter().rev() {
            let id = BlockNumHash { number: new.block.header.number, hash: new.hash };
            view = view.after(id, &new.update)?;
            header = new.block.header.clone();
        }
        Ok(Parent::State(Box::new(header), Box::new(view)))
    }

    /// Makes a known block the head and moves safe and finalized. All of it is durable afterwards.
    pub(crate) fn forkchoice(&mut self, update: Forkchoice) -> Result<ForkchoiceStatus, EngineError> {
        if let Some(Fault { latest_valid, reason }) = self.tree.fault(&update.head).cloned() {
            return Ok(ForkchoiceStatus::Invalid { latest_valid, reason });
        }
        let Some((ancestor, branch)) = self.branch(update.head)? else {
            return Ok(ForkchoiceStatus::Syncing);
        };
        let safe = self.named("safe", update.safe, update.head, ancestor, &branch)?;
        let finalized = self.named("finalized", update.finalized, update.head, ancestor, &branch)?;
        let old_finalized = self.database.heads().finalized;
        if ancestor.number < old_finalized.number {
            return Err(EngineError::BelowFinalized { to: ancestor.number, finalized: old_finalized });
        }
        if let (Some(safe), Some(finalized)) = (safe, finalized)
            && finalized.number > safe.number
        {
            let (name, hash) = ("finalized", finalized.hash);
            return Err(EngineError::InvalidForkchoice { name, hash, head: update.safe });
        }
        if ancestor != self.head.id {
            self.reorg_to(ancestor)?;
        }
        let failure = Arc::new(Mutex::new(None));
        for executed in branch {
            let failure = Arc::clone(&failure);
            let done = Box::new(move |stored: Result<(), EngineError>| {
                if let Err(error) = stored {
                    failure.lock().get_or_insert(error);
                }
            });
            self.append(executed, Some(done))?;
        }
        self.move_heads(safe, finalized)?;
        self.settle()?;
        if let Some(error) = failure.lock().take() {
            return Err(error);
        }
        debug!(number = self.head.id.number, hash = %self.head.id.hash, "forkchoice");
        Ok(ForkchoiceStatus::Valid(self.head.id))
    }

    fn move_heads(
        &self,
        safe: Option<BlockNumHash>,
        finalized: Option<BlockNumHash>,
    ) -> Result<(), EngineError> {
        let heads = self.database.heads();
        // Finalized never goes back: a driver that starts anew may name an older one.
        let finalized = finalized.filter(|block| block.number > heads.finalized.number);
        let floor = finalized.unwrap_or(heads.finalized);
        let safe = match safe {
            Some(safe) if safe.number >= floor.number => Some(safe),
            // Safe is never before finalized.
            _ if heads.safe.number < floor.number => Some(floor),
            _ => None,
        };
        if let Some(block) = safe.filter(|block| *block != heads.safe) {
            self.persistence.wait(|done| Job::Safe { block, done: Some(done) })?;
        }
        if let Some(block) = finalized {
            self.persistence.wait(|done| Job::Finalized { block, done: Some(done) })?;
        }
        Ok(())
    }

    /// The block that a forkchoice names as safe or finalized: on the chain or the branch of its head.
    fn named(
        &self,
        name: &'static str,
        hash: B256,
        head: B256,
        ancestor: BlockNumHash,
        branch: &[Executed],
    ) -> Result<Option<BlockNumHash>, EngineError> {
        if hash.is_zero() {
            return Ok(None);
        }
        if let Some(executed) = branch.iter().find(|executed| executed.new.hash == hash) {
            return Ok(Some(BlockNumHash { number: executed.new.block.header.number, hash }));
        }
        match self.canonical_number(hash)? {
            Some(number) if number <= ancestor.number => Ok(Some(BlockNumHash { number, hash })),
            _ => Err(EngineError::InvalidForkchoice { name, hash, head }),
        }
    }

    /// The branch that ends with `head`; `None` where a block of it is not known.
    fn branch(&self, head: B256) -> Result<Option<Branch>, EngineError> {
        let mut branch = Vec::new();
        let mut hash = head;
        loop {
            if let Some(number) = self.canonical_number(hash)? {
                branch.reverse();
                return Ok(Some((BlockNumHash { number, hash }, branch)));
            }
            let Some(executed) = self.tree.get(&hash) else { return Ok(None) };
            branch.push(executed.clone());
            hash = executed.new.block.header.parent_hash;
        }
    }
}

/// Whether the body is not the header's: then the hash, which covers the header alone, says nothing of
/// the block.
fn is_about_the_body(error: &ExecutionError) -> bool {
    let ExecutionError::InvalidBlock { differences, .. } = error else { return false };
    differences.fields().iter().any(|difference| {
        matches!(difference.field, "transactionsRoot" | "uncles" | "withdrawals" | "withdrawalsRoot")
    })
}

/// What is known of a block's parent.
enum Parent {
    Unknown,
    /// Its header alone: its state is no longer kept.
    TooDeep(Box<Header>),
    State(Box<Header>, Box<StateView>),
}
