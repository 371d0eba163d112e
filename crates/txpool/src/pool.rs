//! The pool itself.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use alloy_consensus::{Transaction, transaction::Recovered};
use alloy_primitives::{
    Address, B256,
    map::{AddressHashMap, B256HashMap},
};
use openledger_primitives::OpenTxEnvelope;

use crate::{
    AccountState, PoolConfig, PoolError, PoolHead, PooledTransaction,
    sender_queue::{SenderQueue, TailKey},
    validate::validate,
};

/// The pool by sender and nonce, pending and queued.
pub type Content = BTreeMap<Address, (Vec<PooledTransaction>, Vec<PooledTransaction>)>;

/// What adding a transaction did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// The transaction's hash.
    pub hash: B256,
    /// Transactions that are executable now and were not before, this one or later nonces.
    pub pending: Vec<B256>,
    /// The transaction it took the place of.
    pub replaced: Option<B256>,
    /// Transactions that made room.
    pub evicted: Vec<B256>,
}

/// Transactions that wait for a block. Pure: told of heads and accounts, it does no I/O.
#[derive(Debug)]
pub struct Pool {
    pub(crate) config: PoolConfig,
    pub(crate) chain_id: u64,
    pub(crate) head: PoolHead,
    pub(crate) senders: AddressHashMap<SenderQueue>,
    by_hash: B256HashMap<(Address, u64)>,
    tails: BTreeSet<TailKey>,
    slots: usize,
    arrivals: u64,
}

impl Pool {
    /// An empty pool on top of `head`.
    pub fn new(config: PoolConfig, chain_id: u64, head: PoolHead) -> Self {
        Self {
            config,
            chain_id,
            head,
            senders: AddressHashMap::default(),
            by_hash: B256HashMap::default(),
            tails: BTreeSet::new(),
            slots: 0,
            arrivals: 0,
        }
    }

    /// Transactions in the pool.
    pub fn len(&self) -> usize {
        self.by_hash.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_hash.is_empty()
    }

    /// The head transactions are validated against.
    pub const fn head(&self) -> &PoolHead {
        &self.head
    }

    /// The pool's limits.
    pub const fn config(&self) -> &PoolConfig {
        &self.config
    }

    /// The transaction with this hash.
    pub fn get(&self, hash: &B256) -> Option<&PooledTransaction> {
        let (sender, nonce) = self.by_hash.get(hash)?;
        self.senders.get(sender)?.transactions().get(nonce)
    }

    /// The senders that have transactions here.
    pub fn senders(&self) -> impl Iterator<Item = Address> {
        self.senders.keys().copied()
    }

    /// The senders whose accounts were last read before the head.
    pub fn stale_senders(&self) -> Vec<Address> {
        let head = self.head.number;
        let stale = self.senders.iter().filter(|(_, queue)| queue.account().block != head);
        stale.map(|(&sender, _)| sender).collect()
    }

    /// The next nonce of `address`, counting its executable transactions here; `None` where it has
    /// none here.
    pub fn pending_nonce(&self, address: &Address) -> Option<u64> {
        Some(self.senders.get(address)?.pending_nonce())
    }

    /// Executable and waiting transactions, counted.
    pub fn counts(&self) -> (usize, usize) {
        let pending = self.senders.values().map(SenderQueue::pending_count).sum();
        (pending, self.len() - pending)
    }

    /// Whether [`Self::best`] has something to give, at a base fee of zero.
    pub fn has_ready(&self) -> bool {
        self.senders.values().any(|queue| queue.ready_count() > 0)
    }

    /// The account of a sender that has transactions here, where it was read at the head.
    pub(crate) fn account_at_head(&self, sender: &Address) -> Option<AccountState> {
        let account = self.senders.get(sender)?.account();
        (account.block == self.head.number).then_some(account)
    }

    /// Everything, by sender and nonce.
    pub fn content(&self) -> Content {
        let split = |(&sender, queue): (&Address, &SenderQueue)| {
            let mut all = queue.transactions().values().cloned().collect::<Vec<_>>();
            let queued = all.split_off(queue.pending_count());
            (sender, (all, queued))
        };
        self.senders.iter().map(split).collect()
    }

    /// Adds a transaction. `account` is its sender's, read at any block: where the pool knows the
    /// account as of a later one, that counts.
    pub fn add(
        &mut self,
        transaction: Recovered<OpenTxEnvelope>,
        account: AccountState,
    ) -> Result<Added, PoolError> {
        self.add_pooled(PooledTransaction::new(transaction), account)
    }

    /// [`Self::add`] of what is worked out already.
    pub(crate) fn add_pooled(
        &mut self,
        mut new: PooledTransaction,
        account: AccountState,
    ) -> Result<Added, PoolError> {
        let hash = new.hash;
        if self.by_hash.contains_key(&hash) {
            return Err(PoolError::AlreadyKnown);
        }
        validate(&new.transaction, self.chain_id, &self.head, &self.config)?;
        let sender = new.sender();
        let nonce = new.transaction.nonce();
        let queue = self.senders.get(&sender);
        let account = queue.map_or(account, |queue| {
            let known = queue.account();
            if known.block > account.block { known } else { account }
        });
        if account.is_contract {
            return Err(PoolError::SenderIsContract);
        }
        if nonce < account.nonce {
            return Err(PoolError::NonceTooLow { have: nonce, want: account.nonce });
        }
        let cost = new.cost_at(&self.head).ok_or(PoolError::CostOverflow)?;
        (new.cost, new.arrival, new.added_at) = (cost, self.arrivals, self.head.number);
        let earlier = queue.map(|queue| queue.cost_before(nonce)).unwrap_or_default();
        if cost.saturating_add(earlier) > account.balance {
            let balance = account.balance;
            return Err(PoolError::InsufficientFunds { balance, cost, earlier });
        }
        let old = queue.and_then(|queue| queue.transactions().get(&nonce));
        if let Some(old) = old {
            self.check_replacement(old, &new)?;
        }
        let victims = self.room_for(&new, nonce, queue, old)?;
        let replaced = old.map(|old| old.hash);

        // Everything is checked: from here on nothing fails.
        self.arrivals += 1;
        self.set_account(sender, account);
        let before = self.pending_nonce(&sender).unwrap_or(account.nonce);
        let evicted = victims
            .into_iter()
            .filter_map(|(sender, nonce)| {
                let removed = self.take(sender, nonce);
                self.settle(sender);
                removed
            })
            .collect();
        self.take(sender, nonce);
        self.slots += new.slots;
        self.by_hash.insert(hash, (sender, nonce));
        let queue = self.senders.entry(sender).or_insert_with(|| SenderQueue::new(account));
        queue.insert(nonce, new);
        let mut pending: Vec<_> = queue
            .transactions()
            .range(before..queue.pending_nonce().max(before))
            .map(|(_, one)| one.hash)
            .collect();
        if replaced.is_some() && nonce < before {
            pending.push(hash);
        }
        self.settle(sender);
        Ok(Added { hash, pending, replaced, evicted })
    }

    /// Moves to a new head with the senders' accounts after it. Drops what was mined or overtaken,
    /// and what has been queued for too long. Returns the hashes that left.
    pub fn on_new_block(&mut self, head: PoolHead, accounts: &HashMap<Address, AccountState>) -> Vec<B256> {
        let old = std::mem::replace(&mut self.head, head);
        let charges_differ = !old.charges_as(&self.head);
        for (sender, queue) in &mut self.senders {
            if let Some(&account) = accounts.get(sender) {
                queue.set_account(account);
            }
            if charges_differ {
                queue.reprice(&self.head);
            }
        }
        let less_gas = self.head.gas_limit < old.gas_limit;
        let mut gone = Vec::new();
        for (&sender, queue) in &self.senders {
            let (account, transactions) = (queue.account(), queue.transactions());
            let expired = |one: &PooledTransaction| {
                self.head.number.saturating_sub(one.added_at) > self.config.max_queued_blocks
            };
            let too_large = |one: &PooledTransaction| one.transaction.gas_limit() > self.head.gas_limit;
            let queued = transactions.range(queue.pending_nonce()..).filter(|(_, one)| expired(one));
            let large = transactions.range(account.nonce..).filter(|(_, one)| less_gas && too_large(one));
            if account.is_contract {
                gone.extend(transactions.keys().map(|nonce| (sender, *nonce)));
            } else {
                let mined = transactions.range(..account.nonce);
                gone.extend(mined.chain(queued).chain(large).map(|(nonce, _)| (sender, *nonce)));
            }
        }
        // What is both queued for too long and too large is named twice and taken once.
        let gone = gone.into_iter().filter_map(|(sender, nonce)| self.take(sender, nonce)).collect();
        // What each tail pays depends on the base fee.
        let senders: Vec<_> = self.senders.keys().copied().collect();
        for sender in senders {
            self.settle(sender);
        }
        gone
    }

    /// These transactions are in blocks that are being stored: [`Self::best`] passes over them, and over
    /// those of their senders before them, until the head moves past them or they are [released](Self::release).
    pub fn put_in_block(&mut self, hashes: impl IntoIterator<Item = B256>) {
        for hash in hashes {
            let Some((sender, nonce)) = self.by_hash.get(&hash) else { continue };
            if let Some(queue) = self.senders.get_mut(sender) {
                queue.put_in_block(*nonce);
            }
        }
    }

    /// Blocks that were being stored are not on the chain: what they hold can be given again.
    pub fn release(&mut self) {
        self.senders.values_mut().for_each(SenderQueue::take_out_of_blocks);
    }

    /// Moves back to `head` after blocks were taken back, and adds their transactions again, in the
    /// order given. Deposits, and those that are no longer valid, are left out. Returns the hashes
    /// that are in the pool again.
    pub fn on_unwound(
        &mut self,
        head: PoolHead,
        accounts: &HashMap<Address, AccountState>,
        transactions: impl IntoIterator<Item = Recovered<OpenTxEnvelope>>,
    ) -> Vec<B256> {
        // Accounts read at the blocks that are gone must not outrank those read now.
        for queue in self.senders.values_mut() {
            queue.forget_block_after(head.number);
        }
        self.on_new_block(head, accounts);
        let add = |transaction: Recovered<OpenTxEnvelope>| {
            let account = accounts.get(&transaction.signer())?;
            self.add(transaction, *account).ok().map(|added| added.hash)
        };
        transactions.into_iter().filter_map(add).collect()
    }

    /// Drops a transaction, for instance one that fails at execution. Later nonces of its sender
    /// become queued. Returns whether it was here.
    pub fn remove(&mut self, hash: &B256) -> bool {
        let Some(&(sender, nonce)) = self.by_hash.get(hash) else { return false };
        self.take(sender, nonce);
        self.settle(sender);
        true
    }

    fn check_replacement(&self, old: &PooledTransaction, new: &PooledTransaction) -> Result<(), PoolError> {
        let bump_percent = self.config.price_bump_percent;
        // Rounded up, so that ten percent of a small fee is not nothing.
        let bumped = |fee: u128| fee.saturating_add(fee.saturating_mul(bump_percent).div_ceil(100));
        let min_fee_cap = bumped(old.transaction.max_fee_per_gas());
        let min_tip = bumped(old.transaction.priority_fee_or_price());
        if new.transaction.max_fee_per_gas() < min_fee_cap
            || new.transaction.priority_fee_or_price() < min_tip
        {
            return Err(PoolError::ReplacementUnderpriced { bump_percent, min_fee_cap, min_tip });
        }
        Ok(())
    }

    /// What has to go for `new` to fit: nothing, or tails that pay less.
    fn room_for(
        &self,
        new: &PooledTransaction,
        nonce: u64,
        queue: Option<&SenderQueue>,
        old: Option<&PooledTransaction>,
    ) -> Result<Vec<(Address, u64)>, PoolError> {
        let sender = new.sender();
        let mut count = self.len() + usize::from(old.is_none());
        let mut slots = self.slots + new.slots - old.map_or(0, |old| old.slots);
        let mut victims = Vec::new();
        let is_full = queue.is_some_and(|one| one.transactions().len() >= self.config.max_per_sender);
        if let Some(queue) = queue.filter(|_| is_full && old.is_none()) {
            // A transaction that fills a gap is worth more to the sender than its last one.
            match queue.transactions().last_key_value() {
                Some((&last, tail)) if nonce < last => {
                    victims.push((sender, last));
                    count -= 1;
                    slots -= tail.slots;
                }
                _ => return Err(PoolError::SenderFull { limit: self.config.max_per_sender }),
            }
        }
        let is_pending = queue.map_or_else(|| true, |queue| nonce <= queue.pending_nonce());
        let tip = new.tip_at(self.head.base_fee_wei);
        for &(pending, tail_tip, _, other) in &self.tails {
            if count <= self.config.max_transactions && slots <= self.config.max_slots {
                break;
            }
            if (pending, tail_tip) >= (is_pending, tip) {
                break;
            }
            let tail = self.senders.get(&other).and_then(|one| one.transactions().last_key_value());
            let Some((&last, tail)) = tail.filter(|_| other != sender) else { continue };
            victims.push((other, last));
            count -= 1;
            slots -= tail.slots;
        }
        if count > self.config.max_transactions || slots > self.config.max_slots {
            return Err(PoolError::Full);
        }
        Ok(victims)
    }

    fn set_account(&mut self, sender: Address, account: AccountState) {
        self.senders.entry(sender).or_insert_with(|| SenderQueue::new(account)).set_account(account);
    }

    /// Takes a transaction out, leaving the sender's index entry to [`Self::settle`].
    fn take(&mut self, sender: Address, nonce: u64) -> Option<B256> {
        let removed = self.senders.get_mut(&sender)?.remove(nonce)?;
        self.by_hash.remove(&removed.hash);
        self.slots -= removed.slots;
        Some(removed.hash)
    }

    /// Brings the index up to date with a sender's transactions; forgets a sender without any.
    fn settle(&mut self, sender: Address) {
        let Some(queue) = self.senders.get_mut(&sender) else { return };
        if let Some(key) = queue.tail.take() {
            self.tails.remove(&key);
        }
        queue.tail = queue.tail_key(sender, &self.head);
        match queue.tail {
            Some(key) => {
                self.tails.insert(key);
            }
            None => {
                self.senders.remove(&sender);
            }
        }
    }
}
