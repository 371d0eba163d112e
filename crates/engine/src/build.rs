//! Building blocks: executed once to build, a second time on its own to be sure.

use std::{sync::Arc, thread, time::Instant};

use alloy_consensus::{BlockBody, Transaction, transaction::Recovered};
use alloy_eips::BlockNumHash;
use alloy_op_hardforks::OpHardforks;
use alloy_primitives::{Address, B256, U256};
use metrics::{counter, histogram};
use op_alloy_rpc_types_engine::OpPayloadAttributes;
use openledger_evm::{
    Block, BuildInput, Differences, ExecutedBlock, ExecutionError, PendingBlock, SkipReason,
    SkippedTransaction, StateRoots,
};
use openledger_primitives::{OpenReceipt, OpenTxEnvelope};
use openledger_storage::{NewBlock, StateView};
use tracing::{error, warn};

use crate::{
    BuiltBlock, Engine, EngineError, StateRead,
    bad_block::BadBlock,
    confirm::{NamedRoots, RootsRead},
    difference::compare_executions,
    insert::state_roots,
    quarantine::Culprit,
    tree::Executed,
};

/// Blocks built here that are kept until one of them is added.
const REMEMBERED_BUILDS: usize = 4;

/// Times that one block is built anew after its two executions differed.
const MAX_ATTEMPTS: usize = 8;

const EMPTY_ROOTS: StateRoots = StateRoots { state: B256::ZERO, message_passer: B256::ZERO };

/// One attempt at a block.
pub(crate) enum Attempt {
    /// Both executions gave the same.
    Reproduced { executed: Executed, skipped: Vec<SkippedTransaction> },
    /// They did not.
    Diverged(Box<Divergence>),
}

/// A block whose two executions differ.
pub(crate) struct Divergence {
    /// The block, without its state root.
    pub(crate) block: Block,
    pub(crate) senders: Vec<Address>,
    pub(crate) differences: Differences,
}

impl Engine {
    /// Builds a block on the head and stores nothing. A transaction of the pool that makes the two
    /// executions differ is quarantined, and the block is built without it. Where a forced one does, which
    /// nobody may leave out, the block is built once more from what is stored alone.
    pub(crate) fn build(
        &mut self,
        parent: B256,
        attributes: &OpPayloadAttributes,
        mut pool: Vec<Recovered<OpenTxEnvelope>>,
    ) -> Result<BuiltBlock, EngineError> {
        let start = Instant::now();
        self.require_head(parent)?;
        pool.truncate(self.config.pool_transactions);
        let view = self.head_state()?;
        let mut last = None;
        let mut from_storage = false;
        for attempt in 0..=MAX_ATTEMPTS {
            let mut skipped = if attempt == MAX_ATTEMPTS {
                let left_out = |tx: Recovered<OpenTxEnvelope>| {
                    let reason = SkipReason::NoRoom("blocks with transactions do not reproduce".to_owned());
                    SkippedTransaction { hash: tx.tx_hash(), reason }
                };
                std::mem::take(&mut pool).into_iter().map(left_out).collect()
            } else {
                self.quarantine.sift(&mut pool)
            };
            let mut in_time = || start.elapsed() < self.config.build_time;
            match self.attempt(&view, attributes, pool.clone(), &mut in_time)? {
                Attempt::Reproduced { executed, skipped: left_out } => {
                    skipped.extend(left_out);
                    histogram!("engine_build_ms").record(start.elapsed().as_secs_f64() * 1e3);
                    return Ok(self.keep_built(executed, skipped));
                }
                Attempt::Diverged(divergence) => {
                    match self.find_and_record(&view, attributes, &divergence)? {
                        Culprit::Transaction { hash, .. } => {
                            error!(%hash, number = divergence.block.header.number, "quarantined a transaction");
                            self.quarantine.add(hash);
                        }
                        // What the first execution had in memory may have been wrong.
                        Culprit::Forced { .. } if !from_storage => {
                            from_storage = true;
                            self.cache.reset(view.clone());
                        }
                        Culprit::Forced { differences } => {
                            let block = BlockNumHash {
                                number: divergence.block.header.number,
                                hash: divergence.block.header.hash_slow(),
                            };
                            return Err(EngineError::NotReproducible { block, differences });
                        }
                        Culprit::Unknown => warn!("the executions agree when tried again"),
                    }
                    last = Some(divergence);
                }
            }
        }
        let block = BlockNumHash { number: self.head.id.number.saturating_add(1), hash: B256::ZERO };
        let differences = last.map(|divergence| divergence.differences).unwrap_or_default();
        Err(EngineError::NotReproducible { block, differences })
    }

    fn keep_built(&mut self, executed: Executed, skipped: Vec<SkippedTransaction>) -> BuiltBlock {
        let new = &executed.new;
        let included = new.block.body.transactions.iter().map(OpenTxEnvelope::tx_hash).collect();
        let fees_wei = fees_wei(&new.block, &new.receipts);
        let built = BuiltBlock { block: new.block.clone(), hash: new.hash, included, fees_wei, skipped };
        if self.built.len() == REMEMBERED_BUILDS {
            self.built.pop_front();
        }
        self.built.push_back(executed);
        built
    }

    /// Builds a block and executes it a second time, from the same parent but on its own: it shares no
    /// state that the first has read. Meanwhile the state root is computed.
    pub(crate) fn attempt(
        &self,
        view: &StateView,
        attributes: &OpPayloadAttributes,
        pool: Vec<Recovered<OpenTxEnvelope>>,
        keep_going: &mut dyn FnMut() -> bool,
    ) -> Result<Attempt, EngineError> {
        let state: &dyn StateRead = &*self.cache;
        let (parent, parent_hash) = (&self.head.header, self.head.id.hash);
        let input = BuildInput { spec: &self.spec, state, parent, parent_hash, attributes, pool };
        let PendingBlock { header, transactions, senders, executed: first, skipped } =
            self.execution.build(input, keep_going)?;
        let withdrawals = self.spec.is_canyon_active_at_timestamp(header.timestamp).then(Default::default);
        let body = BlockBody { transactions, ommers: Vec::new(), withdrawals };
        let mut block = Block { header, body };
        // Roots come later; until then the header has its shape.
        block.header.withdrawals_root = EMPTY_ROOTS.withdrawals_root(&self.spec, block.header.timestamp);

        let (named, read) = (NamedRoots::new(&*self.cache), RootsRead::new(view));
        let (update, second) = thread::scope(|scope| {
            let second = scope.spawn(|| self.execution.execute(&self.spec, &read, &block, &senders));
            (view.update_knowing(&first.bundle, &named), second.join())
        });
        let second = second.unwrap_or_else(|_| {
            Err(ExecutionError::Internal("the thread of the second execution has panicked".to_owned()))
        });
        let differences = match &second {
            Ok(second) => compare_executions(&first, second),
            Err(error) => failed_execution(error),
        };
        if !differences.is_empty() {
            return Ok(Attempt::Diverged(Box::new(Divergence { block, senders, differences })));
        }
        let ExecutedBlock { receipts, bundle, .. } = first;
        let update = if named.are_confirmed_by(read) {
            update?
        } else {
            error!(number = block.header.number, "the cache names wrong storage roots; it starts anew");
            self.cache.reset(view.clone());
            view.update(&bundle)?
        };
        let roots = state_roots(&update);
        block.header.state_root = roots.state;
        block.header.withdrawals_root = roots.withdrawals_root(&self.spec, block.header.timestamp);
        let hash = block.header.hash_slow();
        let new = NewBlock { block, hash, senders, receipts, update };
        let executed = Executed { new: Arc::new(new), changes: Some(Arc::new(bundle)) };
        Ok(Attempt::Reproduced { executed, skipped })
    }

    /// Finds out which transaction is to blame, and keeps a record.
    fn find_and_record(
        &self,
        view: &StateView,
        attributes: &OpPayloadAttributes,
        divergence: &Divergence,
    ) -> Result<Culprit, EngineError> {
        let Divergence { block, senders, differences } = divergence;
        let id = BlockNumHash { number: block.header.number, hash: block.header.hash_slow() };
        counter!("engine_not_reproducible_total").increment(1);
        error!(number = id.number, %differences, "two executions of a block differ");
        let culprit = self.find_culprit(view, attributes, divergence)?;
        let record = BadBlock {
            block,
            id,
            reason: "the two executions of a block built here differ".to_owned(),
            culprit: culprit.transaction(),
            differences: culprit.differences().unwrap_or(differences).clone(),
        };
        self.bad_blocks.record(&record, view, |witnessed| {
            let _ = self.execution.execute(&self.spec, witnessed, block, senders);
        });
        Ok(culprit)
    }
}

/// An execution that failed where the other one succeeded.
fn failed_execution(error: &ExecutionError) -> Differences {
    match error {
        ExecutionError::InvalidBlock { differences, .. } => differences.clone(),
        error => {
            let mut differences = Differences::default();
            differences.push("transactions", "executable".to_owned(), error.to_string());
            differences
        }
    }
}

/// The priority fees of all transactions of a block.
fn fees_wei(block: &Block, receipts: &[OpenReceipt]) -> U256 {
    let base_fee = block.header.base_fee_per_gas.unwrap_or_default();
    let mut before = 0;
    let mut fees = U256::ZERO;
    for (tx, receipt) in block.body.transactions.iter().zip(receipts) {
        let gas = receipt.cumulative_gas_used().saturating_sub(before);
        before = receipt.cumulative_gas_used();
        if !tx.is_deposit() {
            let tip = tx.effective_tip_per_gas(base_fee).unwrap_or_default();
            fees = fees.saturating_add(U256::from(tip).saturating_mul(U256::from(gas)));
        }
    }
    fees
}
