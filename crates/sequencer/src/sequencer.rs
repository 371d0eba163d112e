//! The loop that seals a block each block time.

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use alloy_consensus::{Header, Sealed};
use alloy_eips::BlockNumHash;
use alloy_primitives::B256;
use metrics::{counter, gauge};
use openledger_chainspec::{RollupConfig, SystemConfig};
use openledger_engine::{Block, BuiltBlock, EngineError, EngineHandle, Handling, SkipReason};
use openledger_protocol::{
    BlockRefError, L1Info, L1OriginData, L2BlockRef, apply_config_updates, attributes,
    system_config_of_l2_block,
};
use openledger_storage::StorageError;
use tokio::{
    select,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tracing::{error, info, warn};

use crate::{
    L1Source, L1SourceError, OriginChoice, OriginError, SequencerConfig, SequencerError, TransactionSource,
    choose_origin, is_past_drift,
};

/// Seals blocks. [`Self::seal_next`] makes one; [`Self::run`] makes one each block time, and where it is late,
/// the next one while the one before is being stored.
#[derive(Debug)]
pub struct Sequencer<L, T> {
    rollup: Arc<RollupConfig>,
    engine: EngineHandle,
    l1: L,
    transactions: T,
    config: SequencerConfig,
    /// The head's origin as L1 gave it, so that an epoch goes on while L1 is away.
    origin: Option<Sealed<Header>>,
    /// The newest block made here, while nothing has gone wrong: what the next one stands on.
    newest: Option<Parent>,
    /// That block's way to the disk.
    storing: Option<JoinHandle<Result<BlockNumHash, EngineError>>>,
    held_back: Option<HeldBack>,
}

/// An L1 origin whose deposits did not reproduce: the chain goes on without it as long as the rules permit.
#[derive(Debug, Clone, Copy)]
struct HeldBack {
    origin: B256,
    /// The L2 block with which it is tried again.
    until: u64,
}

/// Blocks for which an origin is held back.
const HOLD_BACK_BLOCKS: u64 = 16;

/// The head, and what the next block takes from it.
#[derive(Debug)]
struct Parent {
    header: Header,
    reference: L2BlockRef,
    system_config: SystemConfig,
}

impl<L: L1Source, T: TransactionSource> Sequencer<L, T> {
    /// A sequencer that goes on from the engine's head.
    pub const fn new(
        rollup: Arc<RollupConfig>,
        engine: EngineHandle,
        l1: L,
        transactions: T,
        config: SequencerConfig,
    ) -> Self {
        Self {
            rollup,
            engine,
            l1,
            transactions,
            config,
            origin: None,
            newest: None,
            storing: None,
            held_back: None,
        }
    }

    /// Seals blocks until `shutdown` ends or an error comes that nothing helps against.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) -> Result<(), SequencerError> {
        tokio::pin!(shutdown);
        loop {
            let pause = self.until_due()?;
            let sealed = if !pause.is_zero() && self.is_storing() {
                // There is time: the block is sealed before the wait for the next one.
                self.settle().await
            } else {
                select! {
                    () = &mut shutdown => return self.settle().await,
                    () = sleep(pause) => {}
                }
                // Not cancelled half-way: a block that was built is inserted before the loop ends.
                self.seal_ahead().await.map(drop)
            };
            let Err(error) = sealed else { continue };
            counter!("sequencer_errors_total").increment(1);
            match error.handling() {
                Handling::Retry => warn!(%error, "no block sealed, trying again"),
                Handling::Reset => {
                    warn!(%error, "going back to where L1 agrees");
                    if let Err(error) = self.reset().await {
                        if error.handling() == Handling::Stop {
                            return Err(error);
                        }
                        warn!(%error, "could not go back yet");
                    }
                }
                Handling::Stop => {
                    error!(%error, "sequencer stops");
                    return Err(error);
                }
            }
            select! {
                () = &mut shutdown => return self.settle().await,
                () = sleep(self.config.retry_pause) => {}
            }
        }
    }

    /// Builds the block after the head and stores it.
    pub async fn seal_next(&mut self) -> Result<BuiltBlock, SequencerError> {
        let built = self.seal_ahead().await?;
        self.settle().await?;
        Ok(built)
    }

    /// Builds the block after the head and makes it the head, without waiting until it is stored: the next one
    /// can be built meanwhile. [`Self::settle`] waits for it. One block is stored while one is built: where the
    /// block before is not stored yet, this waits for that one.
    pub async fn seal_ahead(&mut self) -> Result<BuiltBlock, SequencerError> {
        let sealed = self.try_seal_ahead().await;
        if sealed.is_err() {
            // What is on the chain after an error is on disk.
            if let Err(error) = self.settle().await {
                warn!(%error, "a block could not be stored");
            }
            self.newest = None;
        }
        sealed
    }

    /// Waits until the last block is stored. It is sealed, and on the chain for everyone, from then on.
    pub async fn settle(&mut self) -> Result<(), SequencerError> {
        let Some(storing) = self.storing.take() else { return Ok(()) };
        match storing.await.unwrap_or(Err(EngineError::Stopped)) {
            Ok(_) => {
                self.transactions.on_sealed().await;
                Ok(())
            }
            Err(error) => {
                self.newest = None;
                self.transactions.on_lost();
                Err(error.into())
            }
        }
    }

    /// Whether a block is being stored that [`Self::settle`] would wait for.
    pub const fn is_storing(&self) -> bool {
        self.storing.is_some()
    }

    async fn try_seal_ahead(&mut self) -> Result<BuiltBlock, SequencerError> {
        let parent = self.parent()?;
        let current = self.current_origin(parent.reference.l1_origin).await?;
        let (origin, system_config) = self.next_origin(&parent, current).await?;

        let mut attributes = attributes::build(&self.rollup, &system_config, &parent.reference, &origin)?;
        let timestamp = attributes.payload_attributes.timestamp;
        let deposits_only = is_past_drift(&self.rollup, &origin.block_ref(), timestamp);
        attributes.no_tx_pool = Some(deposits_only);
        let pool = if deposits_only {
            warn!(number = parent.header.number + 1, "past the sequencer drift: deposits only");
            Vec::new()
        } else {
            let base_fee_wei = self.engine.database().spec().next_base_fee(&parent.header);
            let max_count = self.config.max_transactions;
            self.transactions.best(base_fee_wei, system_config.gas_limit, max_count)
        };

        let built = match self.engine.build(parent.reference.hash, attributes, pool).await {
            Ok(built) => built,
            Err(error) => {
                if matches!(error, EngineError::NotReproducible { .. })
                    && origin.header.hash() != parent.reference.l1_origin.hash
                {
                    self.hold_back(&origin, parent.header.number.saturating_add(1));
                }
                return Err(error.into());
            }
        };
        for skipped in &built.skipped {
            if let SkipReason::Invalid(reason) = &skipped.reason {
                self.transactions.remove_invalid(&skipped.hash, reason);
            }
        }
        let stored = self.engine.extend(built.block.clone(), built.hash).await?;
        self.transactions.on_extended(&built.included);
        let before = self.settle().await;
        self.storing = Some(tokio::spawn(stored));
        // Where the one before is lost, so is this one.
        before?;
        gauge!("sequencer_l1_origin_number").set(origin.header.number as f64);
        self.origin = Some(origin.header);
        self.newest = Some(self.as_parent(&built.block)?);
        Ok(built)
    }

    /// Nobody may leave deposits out, but the chain may stay in its epoch for a while.
    fn hold_back(&mut self, origin: &L1OriginData, number: u64) {
        counter!("sequencer_origins_held_back_total").increment(1);
        error!(
            origin = origin.header.number,
            number, "deposits of the next L1 origin do not reproduce: staying with the current one"
        );
        let until = number.saturating_add(HOLD_BACK_BLOCKS);
        self.held_back = Some(HeldBack { origin: origin.header.hash(), until });
    }

    /// Whether a block stays in its epoch although `next` is due.
    fn is_held_back(&self, parent: &Parent, current: &Sealed<Header>, next: &Sealed<Header>) -> bool {
        let timestamp = parent.reference.timestamp.saturating_add(self.rollup.block_time);
        self.held_back.is_some_and(|held| {
            held.origin == next.hash()
                && parent.header.number.saturating_add(1) < held.until
                && !is_past_drift(&self.rollup, &current.into(), timestamp)
        })
    }

    /// Takes back the blocks whose origin L1 no longer has.
    pub async fn reset(&mut self) -> Result<(), SequencerError> {
        if let Err(error) = self.settle().await {
            warn!(%error, "a block could not be stored");
        }
        self.newest = None;
        self.origin = None;
        let finalized = self.engine.database().heads().finalized;
        let mut number = self.engine.database().heads().latest.number;
        let ancestor = loop {
            let reference = self.reference(&self.block(number)?)?;
            let origin = reference.l1_origin;
            let on_l1 = self.ask(self.l1.header(origin.number)).await?;
            if on_l1.is_some_and(|header| header.hash() == origin.hash) {
                break reference.id();
            }
            if number <= finalized.number {
                return Err(SequencerError::FinalizedReorganised { finalized: finalized.number });
            }
            number -= 1;
        };
        self.engine.reorg_to(ancestor).await?;
        Ok(())
    }

    /// Time until the next block is due; zero where it is late.
    fn until_due(&self) -> Result<Duration, SequencerError> {
        let head_timestamp = match &self.newest {
            Some(newest) => newest.header.timestamp,
            None => self.block(self.engine.database().heads().latest.number)?.header.timestamp,
        };
        let due = head_timestamp.saturating_add(self.rollup.block_time);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Duration::from_secs(due).saturating_sub(now))
    }

    /// What the next block stands on. Where someone else moved the head, the engine will refuse to build on the
    /// block made here, and the next try reads the head.
    fn parent(&mut self) -> Result<Parent, SequencerError> {
        match self.newest.take() {
            Some(newest) => Ok(newest),
            None => self.as_parent(&self.block(self.engine.database().heads().latest.number)?),
        }
    }

    fn as_parent(&self, block: &Block) -> Result<Parent, SequencerError> {
        let reference = self.reference(block)?;
        let genesis = &self.rollup.genesis;
        let system_config = if reference.number == genesis.l2.number {
            genesis.system_config
        } else {
            let number = reference.number;
            let first = block.body.transactions.first().and_then(|tx| tx.as_deposit());
            let info = first.ok_or(BlockRefError::NoL1Info { number })?;
            let info =
                L1Info::decode(&info.input).map_err(|source| BlockRefError::BadL1Info { number, source })?;
            system_config_of_l2_block(&info, &block.header)
        };
        Ok(Parent { header: block.header.clone(), reference, system_config })
    }

    /// The header of the parent's origin, from memory or from L1.
    async fn current_origin(&mut self, origin: BlockNumHash) -> Result<Sealed<Header>, SequencerError> {
        if let Some(header) = self.origin.as_ref().filter(|header| header.hash() == origin.hash) {
            return Ok(header.clone());
        }
        let missing = || L1SourceError(format!("block {} is not there yet", origin.number));
        let header = self.ask(self.l1.header(origin.number)).await?.ok_or_else(missing)?;
        if header.hash() != origin.hash {
            return Err(OriginError::Reorganised { origin }.into());
        }
        self.origin = Some(header.clone());
        Ok(header)
    }

    /// The origin of the next block with the system configuration after it. Where L1 does not say
    /// what is next, the current one serves as long as the rules permit.
    async fn next_origin(
        &self,
        parent: &Parent,
        current: Sealed<Header>,
    ) -> Result<(L1OriginData, SystemConfig), SequencerError> {
        let number = current.number.saturating_add(1);
        let next = match self.ask(self.l1.header(number)).await {
            Ok(next) => next,
            Err(error) => {
                counter!("sequencer_l1_unreachable_total").increment(1);
                warn!(%error, number, "L1 cannot be reached: going on with the current origin");
                None
            }
        };
        let choose = |next: Option<&Sealed<Header>>| {
            let next = next.map(Into::into);
            choose_origin(&self.rollup, &parent.reference, &(&current).into(), next.as_ref())
        };
        if choose(next.as_ref())? == OriginChoice::Next
            && let Some(next) = next.filter(|next| !self.is_held_back(parent, &current, next))
        {
            match self.ask(self.l1.receipts(next.hash())).await {
                Ok(receipts) => {
                    let portal = self.rollup.deposit_contract_address;
                    let data = L1OriginData::new(next, &receipts, portal)
                        .map_err(|source| SequencerError::Deposit { number, source })?;
                    let mut config = parent.system_config;
                    let contract = self.rollup.l1_system_config_address;
                    for error in apply_config_updates(&mut config, &receipts, contract) {
                        warn!(%error, number, "ignored a log of SystemConfig");
                    }
                    info!(number, hash = %data.header.hash(), "new L1 origin");
                    return Ok((data, config));
                }
                Err(error) => {
                    warn!(%error, number, "no receipts of the next L1 origin");
                    // An empty block past the drift would be invalid: the next origin was due.
                    choose(None)?;
                }
            }
        }
        Ok((L1OriginData { header: current, deposits: Vec::new() }, parent.system_config))
    }

    async fn ask<R>(
        &self,
        question: impl Future<Output = Result<R, L1SourceError>>,
    ) -> Result<R, L1SourceError> {
        match timeout(self.config.l1_timeout, question).await {
            Ok(answer) => answer,
            Err(_) => Err(L1SourceError(format!("no answer in {:?}", self.config.l1_timeout))),
        }
    }

    fn block(&self, number: u64) -> Result<Block, SequencerError> {
        let head = self.engine.database().heads().latest.number;
        let missing = StorageError::NoSuchBlock { number, head };
        Ok(self.engine.database().block_by_number(number)?.ok_or(missing)?)
    }

    fn reference(&self, block: &Block) -> Result<L2BlockRef, SequencerError> {
        Ok(L2BlockRef::from_block(block, &self.rollup.genesis)?)
    }
}
