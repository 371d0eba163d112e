//! The driver: fetches L1, has the engine follow, starts over when L1 reorganises.

use std::{collections::HashMap, sync::Arc, time::Duration};

use alloy_eips::BlockNumHash;
use openledger_chainspec::RollupConfig;
use openledger_l1::L1Source;
use openledger_protocol::{L1BlockRef, L2BlockRef, attributes};
use tokio::sync::watch;
use tracing::{debug, error, info, warn};

use crate::{
    BuildOutcome, ChainEngine, DerivationError, Derived, L1Input, Pipeline, Reaction, SafeChain, SafeHead,
    Step,
    consolidation::attributes_match,
    finality::Finality,
    sync_start::{self, safe_head_at, safe_head_of},
};

/// How the driver runs.
#[derive(Debug, Clone, Copy)]
pub struct DriverConfig {
    /// Pause between looks at L1 when there is nothing to do.
    pub poll_interval: Duration,
    /// L1 blocks to stay behind the head. Reorganisations are handled in any case; a few blocks of
    /// distance make them rare.
    pub confirmations: u64,
}

impl Default for DriverConfig {
    fn default() -> Self {
        Self { poll_interval: Duration::from_secs(1), confirmations: 0 }
    }
}

/// Where derivation is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DerivationStatus {
    /// The L1 block read last.
    pub l1_origin: Option<L1BlockRef>,
    /// The L2 block derived last.
    pub safe_head: L2BlockRef,
    /// The L2 block marked finalized last, by this run.
    pub finalized: Option<BlockNumHash>,
    /// How often derivation started over.
    pub resets: u64,
}

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// There may be more to do at once.
    Busy,
    /// Nothing to do before the next L1 block.
    Idle,
}

/// Keeps an engine's safe head on what L1 says.
#[derive(Debug)]
pub struct Driver<E, L> {
    engine: E,
    l1: L,
    config: Arc<RollupConfig>,
    driver: DriverConfig,
    running: Option<Running>,
    finality: Finality,
    status: watch::Sender<DerivationStatus>,
}

/// What is lost in a reset.
#[derive(Debug)]
struct Running {
    pipeline: Pipeline,
    safe_head: SafeHead,
}

/// The engine's chain as far as it is safe.
struct EngineChain<'a, E>(&'a E, &'a RollupConfig);

impl<E: ChainEngine> SafeChain for EngineChain<'_, E> {
    fn safe_block(&self, number: u64) -> Option<L2BlockRef> {
        safe_head_at(self.0, self.1, number).ok().map(|head| head.block)
    }
}

impl<E: ChainEngine, L: L1Source> Driver<E, L> {
    /// A driver that has not looked at anything yet.
    pub fn new(engine: E, l1: L, config: Arc<RollupConfig>, driver: DriverConfig) -> Self {
        let status = watch::Sender::new(DerivationStatus::default());
        Self { engine, l1, config, driver, running: None, finality: Finality::default(), status }
    }

    /// Where derivation is, from now on.
    pub fn status(&self) -> watch::Receiver<DerivationStatus> {
        self.status.subscribe()
    }

    /// Runs until `shutdown` resolves, or until an operator must look.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) -> Result<(), DerivationError> {
        tokio::pin!(shutdown);
        loop {
            let pause = match self.step().await {
                Ok(Progress::Busy) => Duration::ZERO,
                Ok(Progress::Idle) => self.driver.poll_interval,
                Err(failure) => {
                    self.react(failure)?;
                    self.driver.poll_interval
                }
            };
            tokio::select! {
                biased;
                () = &mut shutdown => return Ok(()),
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Returns the errors that an operator must look at; prepares for the others to be tried again.
    fn react(&mut self, failure: DerivationError) -> Result<(), DerivationError> {
        match failure.reaction() {
            Reaction::Retry => warn!(%failure, "derivation is waiting"),
            Reaction::Reset => {
                info!(reason = %failure, "derivation starts over");
                self.running = None;
                self.status.send_modify(|status| status.resets += 1);
            }
            Reaction::Stop => {
                error!(%failure, "derivation has stopped");
                return Err(failure);
            }
        }
        Ok(())
    }

    /// Steps until there is nothing to do, starting over where needed: for tests and tools.
    pub async fn catch_up(&mut self) -> Result<(), DerivationError> {
        loop {
            match self.step().await {
                Ok(Progress::Busy) => {}
                Ok(Progress::Idle) => return Ok(()),
                Err(failure) if failure.reaction() == Reaction::Reset => self.react(failure)?,
                Err(failure) => return Err(failure),
            }
        }
    }

    /// One step: one L2 block, or one L1 block.
    pub async fn step(&mut self) -> Result<Progress, DerivationError> {
        let Some(running) = &mut self.running else {
            self.start().await?;
            return Ok(Progress::Busy);
        };
        let chain = EngineChain(&self.engine, &self.config);
        match running.pipeline.advance(&running.safe_head, &chain)? {
            Step::Attributes(derived) => {
                self.apply(*derived).await?;
                Ok(Progress::Busy)
            }
            Step::NeedL1(number) => {
                let progress = self.fetch(number).await?;
                if progress == Progress::Idle {
                    self.retract_safe_head().await?;
                    self.finalize().await?;
                }
                Ok(progress)
            }
        }
    }

    async fn start(&mut self) -> Result<(), DerivationError> {
        let start = sync_start::find(&self.engine, &self.l1, &self.config).await?;
        if start.unsafe_head != self.engine.heads()?.unsafe_head {
            info!(block = start.unsafe_head.number, "unwinding to the last block that L1 vouches for");
            self.engine.reorg_to(start.unsafe_head).await?;
        }
        let block = start.safe_head.block;
        info!(safe = block.number, l1_block = start.pipeline.l1.number, "derivation starts");
        self.finality = Finality::default();
        self.running = Some(Running {
            pipeline: Pipeline::new(self.config.clone(), start.pipeline),
            safe_head: start.safe_head,
        });
        self.report();
        Ok(())
    }

    /// Pushes L1 block `number`, if L1 has it.
    async fn fetch(&mut self, number: u64) -> Result<Progress, DerivationError> {
        let Some(running) = &mut self.running else { return Ok(Progress::Busy) };
        let head = self.l1.head().await?;
        let last = head.number.saturating_sub(self.driver.confirmations);
        let header = match number <= last {
            true => self.l1.block_by_number(number).await?,
            false => None,
        };
        let Some(header) = header else {
            return match running.pipeline.origin() {
                Some(origin) => self.check_origin(origin).await,
                None => Ok(Progress::Idle),
            };
        };
        let block = self.l1.block(header).await?;
        let hashes = running.pipeline.wanted_blobs(&block.transactions, &block.receipts);
        let blobs = match hashes.is_empty() {
            true => HashMap::new(),
            false => {
                let blobs = self.l1.blobs(&block.header, &hashes).await?;
                hashes.into_iter().zip(blobs).collect()
            }
        };
        running.pipeline.push_l1(L1Input { block, blobs }, &running.safe_head)?;
        debug!(l1_block = number, "read an L1 block");
        self.report();
        Ok(Progress::Busy)
    }

    /// L1 may have reorganised without growing.
    async fn check_origin(&self, origin: L1BlockRef) -> Result<Progress, DerivationError> {
        match self.l1.block_by_number(origin.number).await? {
            Some(header) if header.hash() == origin.hash => Ok(Progress::Idle),
            _ => Err(DerivationError::L1Reorg { number: origin.number }),
        }
    }

    /// Makes a derived block the safe head: by comparison where it is here, by building where not.
    async fn apply(&mut self, derived: Derived) -> Result<(), DerivationError> {
        let number = derived.parent.number.saturating_add(1);
        let head = match self.engine.block(number)? {
            Some((hash, block)) => match attributes_match(derived.parent.hash, &derived.attributes, &block) {
                Ok(()) => Some(safe_head_of(&self.config, hash, &block)?),
                Err(mismatch) => {
                    warn!(block = number, %mismatch, "a block here is not the one on L1");
                    self.engine.reorg_to(derived.parent.id()).await?;
                    None
                }
            },
            None => None,
        };
        let head = match head {
            Some(head) => head,
            None => self.build(&derived).await?,
        };
        if head.block.number > self.engine.heads()?.safe.number {
            self.engine.set_safe(head.block.id()).await?;
        }
        self.finality.note(derived.derived_from, head.block.id());
        if let Some(running) = &mut self.running {
            running.safe_head = head;
        }
        self.report();
        Ok(())
    }

    async fn build(&mut self, derived: &Derived) -> Result<SafeHead, DerivationError> {
        let parent = derived.parent.hash;
        let refused = match self.engine.build_and_insert(parent, derived.attributes.clone()).await? {
            BuildOutcome::Inserted { hash, block } => {
                return safe_head_of(&self.config, hash, &block);
            }
            BuildOutcome::Invalid(reason) => reason,
        };
        let number = derived.parent.number.saturating_add(1);
        warn!(block = number, reason = refused, "a batch is invalid: the block has deposits only");
        let deposits = attributes::deposits_only(&derived.attributes);
        match self.engine.build_and_insert(parent, deposits).await? {
            BuildOutcome::Inserted { hash, block } => {
                if let Some(running) = &mut self.running {
                    running.pipeline.drop_channel();
                }
                safe_head_of(&self.config, hash, &block)
            }
            BuildOutcome::Invalid(reason) => Err(DerivationError::DepositsRefused(reason)),
        }
    }

    /// Once all of L1 has been read, nothing above the block derived last is safe: what was marked so
    /// before a reorganisation of L1 has lost its batch.
    async fn retract_safe_head(&self) -> Result<(), DerivationError> {
        let Some(running) = &self.running else { return Ok(()) };
        let derived = running.safe_head.block;
        let marked = self.engine.heads()?.safe;
        if marked.number > derived.number {
            warn!(from = marked.number, to = derived.number, "safe head goes back: L1 lost a batch");
            self.engine.set_safe(derived.id()).await?;
        }
        Ok(())
    }

    /// Marks final what was derived from final L1 blocks that are on the chain that was read.
    async fn finalize(&mut self) -> Result<(), DerivationError> {
        let Some(finalized) = self.l1.finalized().await? else { return Ok(()) };
        let Some((l1_block, block)) = self.finality.at(finalized.number) else { return Ok(()) };
        let canonical = self.l1.block_by_number(l1_block.number).await?;
        if canonical.is_none_or(|header| header.hash() != l1_block.hash) {
            return Err(DerivationError::L1Reorg { number: l1_block.number });
        }
        if block.number > self.engine.heads()?.finalized.number {
            self.engine.set_finalized(block).await?;
            self.status.send_modify(|status| status.finalized = Some(block));
            debug!(block = block.number, "finalized");
        }
        self.finality.forget(l1_block.number);
        Ok(())
    }

    fn report(&self) {
        let Some(running) = &self.running else { return };
        self.status.send_modify(|status| {
            status.l1_origin = running.pipeline.origin();
            status.safe_head = running.safe_head.block;
        });
    }
}
