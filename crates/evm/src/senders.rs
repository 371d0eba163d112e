//! The senders of a block's transactions.

use std::thread;

use alloy_primitives::Address;
use openledger_primitives::{OpenTxEnvelope, recover_senders as recover};

use crate::{Block, ExecutionError};

/// Transactions below which one thread is as fast as several.
const WORTH_A_THREAD: usize = 64;

/// The sender of each transaction of `block`, in order, recovered on `threads` threads.
pub fn recover_senders(block: &Block, threads: usize) -> Result<Vec<Address>, ExecutionError> {
    let transactions = &block.body.transactions;
    let threads = threads.min(transactions.len() / WORTH_A_THREAD).max(1);
    if threads == 1 {
        return senders_of(0, transactions);
    }
    let part = transactions.len().div_ceil(threads);
    thread::scope(|scope| {
        let parts: Vec<_> = (0..).step_by(part).zip(transactions.chunks(part)).collect();
        let workers: Vec<_> =
            parts.into_iter().map(|(first, part)| scope.spawn(move || senders_of(first, part))).collect();
        let mut senders = Vec::with_capacity(transactions.len());
        for worker in workers {
            let part = worker.join().map_err(|_| {
                ExecutionError::Internal("a thread that recovers senders has panicked".to_owned())
            })?;
            senders.extend(part?);
        }
        Ok(senders)
    })
}

/// The senders of `transactions`, of which the first has index `first` in its block.
fn senders_of(first: usize, transactions: &[OpenTxEnvelope]) -> Result<Vec<Address>, ExecutionError> {
    let sender = |((index, tx), sender): ((usize, &OpenTxEnvelope), Result<Address, _>)| {
        sender.map_err(|_| ExecutionError::InvalidTransaction {
            index,
            hash: tx.tx_hash(),
            reason: "its signature is not valid".to_owned(),
        })
    };
    (first..).zip(transactions).zip(recover(transactions)).map(sender).collect()
}
