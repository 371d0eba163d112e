//! Choosing what goes into a block.

use std::{cmp::Reverse, collections::BinaryHeap};

use alloy_consensus::{Transaction, transaction::Recovered};
use alloy_primitives::map::AddressHashMap;
use openledger_primitives::OpenTxEnvelope;

use crate::{Pool, PooledTransaction};

impl Pool {
    /// The best-paying executable transactions at `base_fee_wei`, each sender's in nonce order,
    /// whose gas limits fit into `gas_limit` together; `max_count` at most.
    ///
    /// Where a transaction does not fit or does not pay the base fee, its sender's later ones are
    /// left out as well. What is in blocks that are being stored is passed over.
    pub fn best(
        &self,
        base_fee_wei: u64,
        gas_limit: u64,
        max_count: usize,
    ) -> Vec<Recovered<OpenTxEnvelope>> {
        let mut queues = AddressHashMap::default();
        let mut heads = BinaryHeap::with_capacity(self.senders.len());
        let key =
            |next: &PooledTransaction| (next.tip_at(base_fee_wei), Reverse(next.arrival), next.sender());
        for (&sender, queue) in &self.senders {
            let mut ready = queue.ready().map(|(_, transaction)| transaction).peekable();
            if let Some(&next) = ready.peek() {
                heads.push(key(next));
                queues.insert(sender, ready);
            }
        }
        let mut gas_left = gas_limit;
        let mut best = Vec::new();
        while best.len() < max_count {
            let Some((tip, _, sender)) = heads.pop() else { break };
            if tip < 0 {
                break;
            }
            let Some(ready) = queues.get_mut(&sender) else { continue };
            let Some(next) = ready.next() else { continue };
            if next.transaction.gas_limit() > gas_left {
                continue;
            }
            gas_left -= next.transaction.gas_limit();
            best.push(next.transaction.clone());
            if let Some(&following) = ready.peek() {
                heads.push(key(following));
            }
        }
        best
    }
}
