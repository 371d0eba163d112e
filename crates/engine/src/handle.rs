//! The engine as everyone else sees it.

use std::future::Future;

use alloy_consensus::transaction::Recovered;
use alloy_eips::BlockNumHash;
use alloy_primitives::B256;
use op_alloy_rpc_types_engine::OpPayloadAttributes;
use openledger_evm::Block;
use openledger_primitives::OpenTxEnvelope;
use openledger_storage::Database;
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::{
    BuiltBlock, ChainEvent, EngineError, Forkchoice, ForkchoiceStatus, Imported, PayloadStatus,
    command::{Command, Reply},
};

/// Asks the engine's thread, one command after the other. Cheap to clone; the engine ends when the
/// last handle is dropped.
#[derive(Debug, Clone)]
pub struct EngineHandle {
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) events: broadcast::WeakSender<ChainEvent>,
    pub(crate) database: Database,
}

impl EngineHandle {
    /// Builds a block on the head and stores nothing.
    ///
    /// `pool` is best first; what is beyond the configured maximum is not looked at.
    pub async fn build(
        &self,
        parent: B256,
        attributes: OpPayloadAttributes,
        pool: Vec<Recovered<OpenTxEnvelope>>,
    ) -> Result<BuiltBlock, EngineError> {
        let attributes = Box::new(attributes);
        self.ask(|reply| Command::Build { parent, attributes, pool, reply }).await
    }

    /// Executes a block on the head, compares everything with its header, and stores it durably.
    ///
    /// A block that is on the chain already is fine and changes nothing.
    pub async fn insert(&self, block: Block) -> Result<BlockNumHash, EngineError> {
        let block = Box::new(block);
        self.ask(|reply| Command::Insert { block, announced: None, reply }).await
    }

    /// Like [`Self::insert`], for a block whose hash came with it and must match.
    pub async fn insert_announced(&self, block: Block, hash: B256) -> Result<BlockNumHash, EngineError> {
        let block = Box::new(block);
        self.ask(|reply| Command::Insert { block, announced: Some(hash), reply }).await
    }

    /// Like [`Self::insert_announced`], but answers as soon as the block is the head and the next one can
    /// be built on it. What this gives answers when the block is durable: only then may it be called
    /// sealed.
    pub async fn extend(
        &self,
        block: Block,
        hash: B256,
    ) -> Result<impl Future<Output = Result<BlockNumHash, EngineError>> + Send + 'static, EngineError> {
        let block = Box::new(block);
        let durable = self.ask(|reply| Command::Extend { block, hash, reply }).await?;
        Ok(async move { durable.await.map_err(|_| EngineError::Stopped)? })
    }

    /// Adds the blocks that come, in their order, until the sender is dropped or a block is wrong; what is
    /// on the chain already is passed over. Sender recovery, execution, state root and storing overlap.
    /// Answers once all is durable; after an error, the blocks before the wrong one are.
    ///
    /// The engine does nothing else meanwhile.
    pub async fn import(&self, blocks: std::sync::mpsc::Receiver<Block>) -> Result<Imported, EngineError> {
        self.ask(|reply| Command::Import { blocks, reply }).await
    }

    /// [`Self::import`] of blocks that are at hand.
    pub async fn insert_range(&self, blocks: Vec<Block>) -> Result<Imported, EngineError> {
        let (sender, receiver) = std::sync::mpsc::channel();
        for block in blocks {
            // The receiver is right here.
            let _ = sender.send(block);
        }
        drop(sender);
        self.import(receiver).await
    }

    /// Checks a payload and keeps it, without making it the head: executes it where it stands on an
    /// executed block. `hash` is what came with it.
    pub async fn new_payload(&self, block: Block, hash: B256) -> Result<PayloadStatus, EngineError> {
        let block = Box::new(block);
        self.ask(|reply| Command::NewPayload { block, hash, reply }).await
    }

    /// Makes a known block the head, going back and executing as needed, and moves safe and finalized.
    /// When this answers [`ForkchoiceStatus::Valid`], the chain with that head is durable.
    pub async fn forkchoice(&self, update: Forkchoice) -> Result<ForkchoiceStatus, EngineError> {
        self.ask(|reply| Command::Forkchoice { update, reply }).await
    }

    /// Takes back the blocks after `ancestor`, which must be on the chain and not below finalized.
    /// The safe head goes back with it where it is later.
    pub async fn reorg_to(&self, ancestor: BlockNumHash) -> Result<(), EngineError> {
        self.ask(|reply| Command::ReorgTo { ancestor, reply }).await
    }

    /// Moves the safe head to a block of the chain.
    pub async fn set_safe(&self, block: BlockNumHash) -> Result<(), EngineError> {
        self.ask(|reply| Command::SetSafe { block, reply }).await
    }

    /// Moves the finalized head forward to a block of the chain that is safe.
    pub async fn set_finalized(&self, block: BlockNumHash) -> Result<(), EngineError> {
        self.ask(|reply| Command::SetFinalized { block, reply }).await
    }

    /// Changes of the chain from now on. A subscriber that falls too far behind gets
    /// [`Lagged`](broadcast::error::RecvError::Lagged) and must read the database; when the engine
    /// ends, the channel closes.
    pub fn subscribe(&self) -> broadcast::Receiver<ChainEvent> {
        match self.events.upgrade() {
            Some(events) => events.subscribe(),
            // The engine is gone: a channel without a sender says so at once.
            None => broadcast::channel(1).1,
        }
    }

    /// The chain on disk, to read.
    pub const fn database(&self) -> &Database {
        &self.database
    }

    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, EngineError> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| EngineError::Stopped)?;
        answer.await.map_err(|_| EngineError::Stopped)?
    }
}
