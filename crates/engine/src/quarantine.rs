//! Transactions that are kept out of blocks because executing them twice gave two results.

use std::collections::{HashSet, VecDeque};

use alloy_consensus::transaction::Recovered;
use alloy_primitives::{Address, TxHash};
use op_alloy_rpc_types_engine::OpPayloadAttributes;
use openledger_evm::{Differences, SkipReason, SkippedTransaction};
use openledger_primitives::OpenTxEnvelope;
use openledger_storage::StateView;

use crate::{
    Engine, EngineError,
    build::{Attempt, Divergence},
};

/// Transactions that are remembered.
const CAPACITY: usize = 1024;

/// Quarantined transactions; the oldest are forgotten first. A restart forgets all.
#[derive(Debug, Default)]
pub(crate) struct Quarantine {
    hashes: HashSet<TxHash>,
    order: VecDeque<TxHash>,
}

impl Quarantine {
    pub(crate) fn add(&mut self, hash: TxHash) {
        if self.hashes.insert(hash) {
            self.order.push_back(hash);
            while self.order.len() > CAPACITY {
                if let Some(oldest) = self.order.pop_front() {
                    self.hashes.remove(&oldest);
                }
            }
        }
    }

    /// Takes quarantined transactions out of `pool`, and what waits for them.
    pub(crate) fn sift(&self, pool: &mut Vec<Recovered<OpenTxEnvelope>>) -> Vec<SkippedTransaction> {
        let mut skipped = Vec::new();
        if self.hashes.is_empty() {
            return skipped;
        }
        let mut blocked: HashSet<Address> = HashSet::new();
        pool.retain(|tx| {
            let hash = tx.tx_hash();
            let reason = if blocked.contains(&tx.signer()) {
                SkipReason::WaitsForSender
            } else if self.hashes.contains(&hash) {
                SkipReason::Invalid("quarantined: executing it twice gave two results".to_owned())
            } else {
                return true;
            };
            blocked.insert(tx.signer());
            skipped.push(SkippedTransaction { hash, reason });
            false
        });
        skipped
    }
}

/// Who is to blame for two executions that differ.
pub(crate) enum Culprit {
    /// This transaction of the pool: without it, and what follows it, the block reproduces.
    Transaction { hash: TxHash, differences: Differences },
    /// What stands before the pool's transactions.
    Forced { differences: Differences },
    /// Tried again, the executions agree.
    Unknown,
}

impl Culprit {
    pub(crate) const fn transaction(&self) -> Option<TxHash> {
        match self {
            Self::Transaction { hash, .. } => Some(*hash),
            _ => None,
        }
    }

    pub(crate) const fn differences(&self) -> Option<&Differences> {
        match self {
            Self::Transaction { differences, .. } | Self::Forced { differences } => Some(differences),
            Self::Unknown => None,
        }
    }
}

impl Engine {
    /// Finds the first transaction of the pool with which the block stops to reproduce, by building it
    /// with fewer of them.
    pub(crate) fn find_culprit(
        &self,
        view: &StateView,
        attributes: &OpPayloadAttributes,
        divergence: &Divergence,
    ) -> Result<Culprit, EngineError> {
        let forced = attributes.transactions.as_ref().map_or(0, Vec::len);
        let all = divergence.block.body.transactions.iter().zip(&divergence.senders);
        let pool: Vec<_> =
            all.skip(forced).map(|(tx, sender)| Recovered::new_unchecked(tx.clone(), *sender)).collect();
        let diverges = |count: usize| -> Result<Option<Differences>, EngineError> {
            let some = pool.iter().take(count).cloned().collect();
            Ok(match self.attempt(view, attributes, some, &mut || true)? {
                Attempt::Reproduced { .. } => None,
                Attempt::Diverged(divergence) => Some(divergence.differences),
            })
        };
        if let Some(differences) = diverges(0)? {
            return Ok(Culprit::Forced { differences });
        }
        let Some(mut differences) = diverges(pool.len())? else { return Ok(Culprit::Unknown) };
        // With `good` transactions it reproduces, with `bad` it does not.
        let (mut good, mut bad) = (0, pool.len());
        while bad - good > 1 {
            let middle = good + (bad - good) / 2;
            match diverges(middle)? {
                None => good = middle,
                Some(found) => {
                    bad = middle;
                    differences = found;
                }
            }
        }
        match pool.get(good) {
            Some(tx) => Ok(Culprit::Transaction { hash: tx.tx_hash(), differences }),
            None => Ok(Culprit::Unknown),
        }
    }
}
