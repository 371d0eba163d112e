//! The stages before execution: blocks in their order, and all that can be checked of one without the state.

use std::sync::{
    Arc,
    mpsc::{self, Receiver, SyncSender},
};

use alloy_consensus::{Header, Transaction};
use alloy_eips::BlockNumHash;
use alloy_primitives::{Address, B256};
use openledger_chainspec::ChainSpec;
use openledger_evm::{Block, recover_senders, validate_header};
use openledger_storage::Database;
use parking_lot::Mutex;

use super::Failure;
use crate::{EngineError, cache::ExecutionCache};

/// A block whose stateless checks are done.
pub(super) struct Checked {
    pub(super) block: Block,
    pub(super) id: BlockNumHash,
    pub(super) senders: Vec<Address>,
}

pub(super) type CheckedResult = Result<Checked, Failure>;

/// Stateless checks of one block.
pub(super) struct Check {
    parent: Arc<(B256, Header)>,
    block: Block,
    id: BlockNumHash,
    result: SyncSender<CheckedResult>,
}

/// Gives every block its place, and its stateless checks to whoever is free.
pub(super) fn read_blocks(
    blocks: &Receiver<Block>,
    mut parent: Arc<(B256, Header)>,
    database: &Database,
    checks: &SyncSender<Check>,
    ordered: &SyncSender<Receiver<CheckedResult>>,
) {
    for block in blocks {
        let id = BlockNumHash { number: block.header.number, hash: block.header.hash_slow() };
        // What is on the chain already is passed over; after the first new block nothing is.
        if id.number <= parent.1.number
            && matches!(database.hash_of(id.number), Ok(Some(hash)) if hash == id.hash)
        {
            continue;
        }
        let (result, slot) = mpsc::sync_channel(1);
        if ordered.send(slot).is_err() {
            return;
        }
        if block.header.parent_hash != parent.0 {
            let head = BlockNumHash { number: parent.1.number, hash: parent.0 };
            let error = EngineError::NotOnHead { parent: block.header.parent_hash, head };
            let _ = result.send(Err(error.into()));
            return;
        }
        let header = block.header.clone();
        if checks.send(Check { parent, block, id, result }).is_err() {
            return;
        }
        parent = Arc::new((id.hash, header));
    }
}

/// Does stateless checks until there are no more.
pub(super) fn check_blocks(queue: &Mutex<Receiver<Check>>, spec: &ChainSpec, cache: &ExecutionCache) {
    loop {
        let next = queue.lock().recv();
        let Ok(Check { parent, block, id, result }) = next else { return };
        let checked = validate_header(spec, &parent.1, parent.0, &block)
            .and_then(|()| recover_senders(&block, 1))
            .map_err(Failure::from)
            .map(|senders| {
                let receivers = block.body.transactions.iter().filter_map(Transaction::to);
                // Execution meets the same error and tells of it.
                let _ = cache.prefetch(senders.iter().copied().chain(receivers));
                Checked { block, id, senders }
            });
        if result.send(checked).is_err() {
            return;
        }
    }
}
