//! State that execution has read or written lately, kept across the blocks of the chain.
//!
//! A block's second execution never reads from here: it would share an error of the first.

use std::{
    collections::VecDeque,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
};

use alloy_eips::BlockNumHash;
use alloy_primitives::{Address, B256, U256, map::HashMap};
use openledger_storage::{KnownStorageRoots, StateView, StorageError, TrieAccount};
use parking_lot::{Mutex, RwLock};
use revm::{DatabaseRef, bytecode::Bytecode, database::BundleState, state::AccountInfo};

const SHARDS: usize = 32;
/// Block hashes that the EVM can ask for.
const HASHES: usize = 256;
/// Pieces of code that reading keeps; what blocks bring comes on top.
const MAX_CODES: usize = 4096;

#[derive(Debug, Default)]
struct Account {
    /// `None` until it was read or written.
    info: Option<Option<AccountInfo>>,
    /// `None` where no one has said, and from the block on that changed the storage.
    storage_root: Option<B256>,
    slots: HashMap<U256, U256>,
    /// Slots that are not here are zero.
    all_slots_known: bool,
}

#[derive(Debug, Clone)]
struct Base {
    /// A state at or before the newest block applied.
    view: StateView,
    /// Changes with every clearing.
    generation: u64,
}

/// The cache. What the blocks applied since the base wrote is never dropped singly, so that what is
/// missing here is in the base.
#[derive(Debug)]
pub(crate) struct ExecutionCache {
    base: RwLock<Base>,
    generation: AtomicU64,
    shards: Vec<Mutex<HashMap<Address, Account>>>,
    codes: Mutex<HashMap<B256, Bytecode>>,
    hashes: Mutex<VecDeque<BlockNumHash>>,
    entries: AtomicUsize,
    capacity: usize,
}

impl ExecutionCache {
    /// An empty cache of the state `view`.
    pub(crate) fn new(view: StateView, capacity: usize) -> Self {
        Self {
            base: RwLock::new(Base { view, generation: 0 }),
            generation: AtomicU64::new(0),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            codes: Mutex::default(),
            hashes: Mutex::default(),
            entries: AtomicUsize::new(0),
            capacity,
        }
    }

    /// Forgets everything: from now on this is the state `view`.
    pub(crate) fn reset(&self, view: StateView) {
        let mut base = self.base.write();
        let generation = self.generation.fetch_add(1, Ordering::SeqCst) + 1;
        *base = Base { view, generation };
        for shard in &self.shards {
            *shard.lock() = HashMap::default();
        }
        self.codes.lock().clear();
        self.hashes.lock().clear();
        self.entries.store(0, Ordering::SeqCst);
    }

    /// Reads what is missing from `view` from now on: a state at or before the newest block applied,
    /// and not before the base.
    pub(crate) fn rebase(&self, view: StateView) {
        self.base.write().view = view;
    }

    /// Whether more is held than there should be.
    pub(crate) fn is_full(&self) -> bool {
        self.entries.load(Ordering::Relaxed) > self.capacity || self.codes.lock().len() > 2 * MAX_CODES
    }

    /// Takes over what `block` changed.
    pub(crate) fn apply(&self, block: BlockNumHash, changes: &BundleState) {
        for (address, change) in &changes.state {
            let mut shard = self.shard(address).lock();
            let account = shard.entry(*address).or_default();
            let before = account.slots.len();
            // Its code is among the codes.
            let info = change.info.clone().map(|info| AccountInfo { code: None, ..info });
            if account.info.replace(info).is_none() {
                self.entries.fetch_add(1, Ordering::Relaxed);
            }
            if change.status.was_destroyed() {
                account.slots.clear();
                account.all_slots_known = true;
            }
            if change.info.is_none() || change.status.was_destroyed() || !change.storage.is_empty() {
                account.storage_root = None;
            }
            account.slots.extend(change.storage.iter().map(|(slot, value)| (*slot, value.present_value)));
            let after = account.slots.len();
            if after >= before {
                self.entries.fetch_add(after - before, Ordering::Relaxed);
            } else {
                self.entries.fetch_sub(before - after, Ordering::Relaxed);
            }
        }
        self.codes.lock().extend(changes.contracts.iter().map(|(hash, code)| (*hash, code.clone())));
        let mut hashes = self.hashes.lock();
        hashes.push_back(block);
        while hashes.len() > HASHES {
            hashes.pop_front();
        }
    }

    fn shard(&self, address: &Address) -> &Mutex<HashMap<Address, Account>> {
        // The last byte of an address is a hash's, but for precompiles.
        let index = usize::from(address[19]) % SHARDS;
        &self.shards[index]
    }

    /// Keeps what was read from a base of this generation, where nothing was written meanwhile.
    fn keep(&self, generation: u64, address: Address, keep: impl FnOnce(&mut Account) -> usize) {
        if self.capacity == 0 {
            return;
        }
        let mut shard = self.shard(&address).lock();
        if self.generation.load(Ordering::SeqCst) == generation {
            let added = keep(shard.entry(address).or_default());
            self.entries.fetch_add(added, Ordering::Relaxed);
        }
    }
}

impl ExecutionCache {
    /// Reads those of `addresses` that are missing, all at once. What a block that is not applied yet changes
    /// is read as it is now: applying the block sorts that out.
    pub(crate) fn prefetch(&self, addresses: impl Iterator<Item = Address>) -> Result<(), StorageError> {
        let is_missing = |address: &Address| {
            self.shard(address).lock().get(address).is_none_or(|account| account.info.is_none())
        };
        let mut missing: Vec<_> = addresses.filter(is_missing).collect();
        missing.sort_unstable();
        missing.dedup();
        if missing.is_empty() || self.is_full() {
            return Ok(());
        }
        let Base { view, generation } = self.base.read().clone();
        for (address, read) in missing.iter().zip(view.accounts(&missing)?) {
            self.keep_account(generation, *address, read);
        }
        Ok(())
    }

    fn keep_account(&self, generation: u64, address: Address, read: Option<TrieAccount>) {
        self.keep(generation, address, |account| {
            if account.info.is_some() {
                return 0;
            }
            account.info = Some(read.map(StateView::info_of));
            account.storage_root = read.map(|read| read.storage_root);
            1
        });
    }
}

impl KnownStorageRoots for ExecutionCache {
    /// Right for every block between the base and the newest one applied: what changed its storage since is
    /// not known any more.
    fn storage_root(&self, address: Address) -> Option<B256> {
        self.shard(&address).lock().get(&address)?.storage_root
    }
}

impl DatabaseRef for ExecutionCache {
    type Error = StorageError;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, StorageError> {
        if let Some(info) = self.shard(&address).lock().get(&address).and_then(|account| account.info.clone())
        {
            return Ok(info);
        }
        let Base { view, generation } = self.base.read().clone();
        let read = view.account(address)?;
        self.keep_account(generation, address, read);
        Ok(read.map(StateView::info_of))
    }

    fn code_by_hash_ref(&self, code_hash: B256) -> Result<Bytecode, StorageError> {
        if let Some(code) = self.codes.lock().get(&code_hash) {
            return Ok(code.clone());
        }
        let view = self.base.read().view.clone();
        let code = view.code_by_hash_ref(code_hash)?;
        let mut codes = self.codes.lock();
        if codes.len() < MAX_CODES {
            codes.insert(code_hash, code.clone());
        }
        Ok(code)
    }

    fn storage_ref(&self, address: Address, index: U256) -> Result<U256, StorageError> {
        if let Some(account) = self.shard(&address).lock().get(&address) {
            if let Some(value) = account.slots.get(&index) {
                return Ok(*value);
            }
            if account.all_slots_known {
                return Ok(U256::ZERO);
            }
        }
        let Base { view, generation } = self.base.read().clone();
        let value = view.storage_ref(address, index)?;
        self.keep(generation, address, |account| {
            if account.all_slots_known || account.slots.contains_key(&index) {
                return 0;
            }
            account.slots.insert(index, value);
            1
        });
        Ok(value)
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, StorageError> {
        let known =
            self.hashes.lock().iter().rev().find(|block| block.number == number).map(|block| block.hash);
        match known {
            Some(hash) => Ok(hash),
            None => {
                let view = self.base.read().view.clone();
                view.block_hash_ref(number)
            }
        }
    }
}
