//! One sender's transactions, by nonce.

use std::{cmp::Reverse, collections::BTreeMap};

use alloy_consensus::Transaction;
use alloy_primitives::{Address, U256};

use crate::{AccountState, PoolHead, PooledTransaction};

/// How well a sender's last transaction pays: the least of all goes first when the pool is full.
/// Queued before pending, then by what it pays, then the youngest.
pub(crate) type TailKey = (bool, i128, Reverse<u64>, Address);

/// The transactions of one sender.
#[derive(Debug)]
pub(crate) struct SenderQueue {
    pub(crate) account: AccountState,
    pub(crate) transactions: BTreeMap<u64, PooledTransaction>,
    /// The key under which the pool's index has this sender's tail.
    pub(crate) tail: Option<TailKey>,
}

impl SenderQueue {
    pub(crate) const fn new(account: AccountState) -> Self {
        Self { account, transactions: BTreeMap::new(), tail: None }
    }

    /// The executable transactions, in order: from the account's nonce, without a gap, as far as the
    /// balance goes.
    pub(crate) fn pending<'a>(&'a self, head: &'a PoolHead) -> impl Iterator<Item = &'a PooledTransaction> {
        let mut left = self.account.balance;
        let mut nonce = self.account.nonce;
        self.transactions.range(self.account.nonce..).map_while(move |(&at, transaction)| {
            if at != nonce {
                return None;
            }
            left = left.checked_sub(transaction.cost(head)?)?;
            nonce += 1;
            Some(transaction)
        })
    }

    /// The nonce after the last executable transaction.
    pub(crate) fn pending_nonce(&self, head: &PoolHead) -> u64 {
        self.pending(head)
            .last()
            .map_or(self.account.nonce, |last| last.transaction.nonce().saturating_add(1))
    }

    /// What the transactions before `nonce` may cost.
    pub(crate) fn cost_before(&self, nonce: u64, head: &PoolHead) -> U256 {
        self.transactions.range(..nonce).fold(U256::ZERO, |sum, (_, transaction)| {
            sum.saturating_add(transaction.cost(head).unwrap_or(U256::MAX))
        })
    }

    /// The key of the last transaction.
    pub(crate) fn tail_key(&self, sender: Address, head: &PoolHead) -> Option<TailKey> {
        let (&nonce, last) = self.transactions.last_key_value()?;
        let pending = nonce < self.pending_nonce(head);
        Some((pending, last.tip_at(head.base_fee_wei), Reverse(last.arrival), sender))
    }
}
