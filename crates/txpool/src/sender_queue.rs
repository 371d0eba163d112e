//! One sender's transactions, by nonce.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, btree_map::Range},
    iter::Take,
};

use alloy_primitives::{Address, U256};

use crate::{AccountState, PoolHead, PooledTransaction};

/// How well a sender's last transaction pays: the least of all goes first when the pool is full.
/// Queued before pending, then by what it pays, then the youngest.
pub(crate) type TailKey = (bool, i128, Reverse<u64>, Address);

/// The transactions of one sender, and how many of them are executable: kept up to date with every change,
/// for it is asked for with every transaction that comes.
#[derive(Debug)]
pub(crate) struct SenderQueue {
    account: AccountState,
    transactions: BTreeMap<u64, PooledTransaction>,
    /// The executable transactions: from the account's nonce, without a gap, as far as the balance goes.
    executable: usize,
    /// What they may cost together, in wei.
    executable_cost: U256,
    /// Those before this nonce are in blocks that are being stored.
    in_blocks: u64,
    /// The key under which the pool's index has this sender's tail.
    pub(crate) tail: Option<TailKey>,
}

impl SenderQueue {
    pub(crate) const fn new(account: AccountState) -> Self {
        let executable_cost = U256::ZERO;
        Self {
            account,
            transactions: BTreeMap::new(),
            executable: 0,
            executable_cost,
            in_blocks: 0,
            tail: None,
        }
    }

    pub(crate) const fn account(&self) -> AccountState {
        self.account
    }

    pub(crate) fn set_account(&mut self, account: AccountState) {
        let same = (account.nonce, account.balance) == (self.account.nonce, self.account.balance);
        self.account = account;
        if !same {
            self.recount();
        }
    }

    /// Lets an account that is read from now on count, whatever block this one was read at.
    pub(crate) fn forget_block_after(&mut self, number: u64) {
        self.account.block = self.account.block.min(number);
        self.in_blocks = 0;
    }

    pub(crate) const fn transactions(&self) -> &BTreeMap<u64, PooledTransaction> {
        &self.transactions
    }

    pub(crate) fn insert(&mut self, nonce: u64, transaction: PooledTransaction) {
        self.transactions.insert(nonce, transaction);
        if nonce < self.pending_nonce() {
            self.recount();
        } else {
            self.count_on();
        }
    }

    pub(crate) fn remove(&mut self, nonce: u64) -> Option<PooledTransaction> {
        let removed = self.transactions.remove(&nonce)?;
        if (self.account.nonce..self.pending_nonce()).contains(&nonce) {
            self.recount();
        }
        Some(removed)
    }

    /// Works out what each transaction costs at a new head.
    pub(crate) fn reprice(&mut self, head: &PoolHead) {
        for transaction in self.transactions.values_mut() {
            transaction.reprice(head);
        }
        self.recount();
    }

    fn recount(&mut self) {
        (self.executable, self.executable_cost) = (0, U256::ZERO);
        self.count_on();
    }

    /// Counts executable transactions that follow those counted.
    fn count_on(&mut self) {
        let next = self.pending_nonce();
        for ((&nonce, transaction), ahead) in self.transactions.range(next..).zip(0_u64..) {
            let cost = self.executable_cost.checked_add(transaction.cost);
            let affordable = cost.filter(|cost| *cost <= self.account.balance);
            let Some(cost) = affordable.filter(|_| nonce - next == ahead) else { break };
            self.executable += 1;
            self.executable_cost = cost;
        }
    }

    /// The executable transactions that are in no block, in order.
    pub(crate) fn ready(&self) -> Take<Range<'_, u64, PooledTransaction>> {
        let from = self.in_blocks.max(self.account.nonce);
        self.transactions.range(from..).take(self.ready_count())
    }

    pub(crate) fn ready_count(&self) -> usize {
        let left = self.pending_nonce().saturating_sub(self.in_blocks.max(self.account.nonce));
        usize::try_from(left).unwrap_or(usize::MAX).min(self.executable)
    }

    /// The transaction with `nonce`, and those before it, are in blocks that are being stored.
    pub(crate) fn put_in_block(&mut self, nonce: u64) {
        self.in_blocks = self.in_blocks.max(nonce.saturating_add(1));
    }

    /// What was in blocks that are being stored is in none.
    pub(crate) const fn take_out_of_blocks(&mut self) {
        self.in_blocks = 0;
    }

    pub(crate) const fn pending_count(&self) -> usize {
        self.executable
    }

    /// The nonce after the last executable transaction.
    pub(crate) const fn pending_nonce(&self) -> u64 {
        self.account.nonce.saturating_add(self.executable as u64)
    }

    /// What the transactions before `nonce` may cost.
    pub(crate) fn cost_before(&self, nonce: u64) -> U256 {
        let next = self.pending_nonce();
        let (from, known) =
            if nonce >= next { (next, self.executable_cost) } else { (self.account.nonce, U256::ZERO) };
        let rest = self.transactions.range(from..nonce.max(from));
        rest.fold(known, |sum, (_, transaction)| sum.saturating_add(transaction.cost))
    }

    /// The key of the last transaction.
    pub(crate) fn tail_key(&self, sender: Address, head: &PoolHead) -> Option<TailKey> {
        let (&nonce, last) = self.transactions.last_key_value()?;
        let pending = nonce < self.pending_nonce();
        Some((pending, last.tip_at(head.base_fee_wei), Reverse(last.arrival), sender))
    }
}
