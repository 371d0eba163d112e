//! The state at one block, unchanged by what is stored or unwound meanwhile.

use std::sync::Arc;

use alloy_eips::BlockNumHash;
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use openledger_trie::{
    AccountProof, KECCAK_EMPTY, StateLayer, StateSource, StateTrie, TrieAccount, prove, update_state_root,
};
use revm::{DatabaseRef, bytecode::Bytecode, database::BundleState, state::AccountInfo};

use crate::{
    KnownStorageRoots, PreparedChanges, Result, StateUpdate, StorageError, StoredState, TrieSource,
    codec::{Commit, Pruned},
    columns, database,
    history::{self, Reverts},
    reads,
    store::Snapshot,
    tries::{TRIE_MEMORY_BYTES, WarmTries},
};

/// Blocks between the stored head and the oldest block whose state can be proven.
pub const PROOF_BLOCKS: u64 = 10_064;

/// Accounts and slots that may have changed since a block whose state is to be proven: a few hundred bytes of
/// memory each, while the proof is made.
pub const PROOF_CHANGES: usize = 400_000;

/// The state after one block. Cheap to clone; keep it no longer than needed, for it holds back the
/// database's clean-up.
#[derive(Debug, Clone)]
pub struct StateView {
    stored: StoredState,
    tries: Arc<WarmTries>,
    /// The stored head of the snapshot.
    head: BlockNumHash,
    /// The stored block whose state this starts from, where it is not the head.
    past: Option<BlockNumHash>,
    /// Blocks over it that need not be stored, oldest first.
    blocks: Vec<(BlockNumHash, StateUpdate)>,
    block: BlockNumHash,
    state_root: B256,
}

impl StateView {
    /// The state after stored block `number`, or after the stored head.
    pub(crate) fn new(snapshot: Snapshot, tries: Arc<WarmTries>, number: Option<u64>) -> Result<Self> {
        let heads = snapshot
            .get(columns::META, database::HEADS_KEY)?
            .ok_or_else(|| StorageError::corrupt("heads", "missing"))?;
        let head = Commit::decode(&heads)?.heads.latest;
        let number = number.unwrap_or(head.number);
        let missing = || StorageError::NoSuchBlock { number, head: head.number };
        if number > head.number {
            return Err(missing());
        }
        let (hash, header) = reads::header(&snapshot, number)?.ok_or_else(missing)?;
        let block = BlockNumHash::new(number, hash);
        let past = (number < head.number).then_some(block);
        if past.is_some() {
            let first = pruned(&snapshot)?.changes_from.saturating_sub(1);
            if number < first {
                return Err(StorageError::Pruned { what: "state", number, first });
            }
        }
        let stored = StoredState::new(snapshot);
        Ok(Self { stored, tries, head, past, blocks: Vec::new(), block, state_root: header.state_root })
    }

    /// The state after `block`, a child of this view's block that need not be stored.
    pub fn after(&self, block: BlockNumHash, update: &StateUpdate) -> Result<Self> {
        if update.parent() != self.block.hash {
            return Err(StorageError::NotOnHead { parent: update.parent(), head: self.block });
        }
        if Some(block.number) != self.block.number.checked_add(1) {
            let reason = format!("it follows block {}", self.block.number);
            return Err(StorageError::InvalidBlock { number: block.number, reason });
        }
        let mut view = self.clone();
        view.blocks.push((block, update.clone()));
        view.block = block;
        view.state_root = update.state_root();
        Ok(view)
    }

    /// An account as the EVM reads it; its code is read apart.
    pub fn info_of(account: TrieAccount) -> AccountInfo {
        let TrieAccount { balance, nonce, code_hash, .. } = account;
        AccountInfo { balance, nonce, code_hash, account_id: None, code: None }
    }

    /// The block after which this is the state.
    pub const fn block(&self) -> BlockNumHash {
        self.block
    }

    /// The state root, as the block's header has it.
    pub const fn state_root(&self) -> B256 {
        self.state_root
    }

    /// The account as the trie has it; `None` where there is none.
    pub fn account(&self, address: Address) -> Result<Option<TrieAccount>> {
        self.account_of(address, keccak256(address))
    }

    /// The accounts as the trie has them, in the order of `addresses`: cheaper than one by one.
    pub fn accounts(&self, addresses: &[Address]) -> Result<Vec<Option<TrieAccount>>> {
        let mut keys: Vec<(B256, usize)> =
            addresses.iter().zip(0..).map(|(address, index)| (keccak256(address), index)).collect();
        let mut accounts = vec![None; addresses.len()];
        if self.past.is_some() || !self.blocks.is_empty() {
            for (address, (hashed_address, index)) in addresses.iter().zip(keys) {
                accounts[index] = self.account_of(*address, hashed_address)?;
            }
            return Ok(accounts);
        }
        keys.sort_unstable();
        let (hashed, indices): (Vec<_>, Vec<_>) = keys.into_iter().unzip();
        for (index, account) in indices.into_iter().zip(self.stored.accounts(&hashed)?) {
            accounts[index] = account;
        }
        Ok(accounts)
    }

    /// The value of an account's slot; zero where there is none.
    pub fn slot(&self, address: Address, slot: B256) -> Result<U256> {
        let (hashed_address, hashed_slot) = (keccak256(address), keccak256(slot));
        for (_, update) in self.blocks.iter().rev() {
            let Some(storage) = update.layer().storages.get(&hashed_address) else { continue };
            match storage.slots.get(&hashed_slot) {
                Some(change) => return Ok(change.value),
                None if storage.wiped => return Ok(U256::ZERO),
                None => {}
            }
        }
        if let Some(past) = self.past {
            let snapshot = self.stored.snapshot();
            let old = history::slot_after(snapshot, address, hashed_address, hashed_slot, past.number)?;
            if let Some(old) = old {
                return Ok(old);
            }
        }
        self.stored.slot(hashed_address, hashed_slot)
    }

    /// The code with this hash; `None` where the chain has none.
    pub fn code(&self, code_hash: B256) -> Result<Option<Bytes>> {
        if code_hash == KECCAK_EMPTY || code_hash.is_zero() {
            return Ok(Some(Bytes::new()));
        }
        if let Some(code) = self.blocks.iter().rev().find_map(|(_, update)| update.codes().get(&code_hash)) {
            return Ok(Some(code.clone()));
        }
        let code = self.stored.snapshot().get(columns::CODES, code_hash.as_slice())?;
        let Some(code) = code else { return Ok(None) };
        if keccak256(&code) != code_hash {
            return Err(StorageError::corrupt(format!("code {code_hash}"), "its hash is another"));
        }
        Ok(Some(code.into()))
    }

    /// The account and the slots asked for, with the proof of each (EIP-1186).
    ///
    /// At the stored head and over it a proof costs the depth of the trie. At a block before it, it also
    /// costs what changed since, bounded by [`PROOF_BLOCKS`] and [`PROOF_CHANGES`].
    pub fn proof(&self, address: Address, slots: &[B256]) -> Result<AccountProof> {
        Ok(prove(&self.trie_source()?, self.state_root, address, slots)?)
    }

    /// What the trie of this state is read from.
    ///
    /// Where the view starts from a block before the stored head, this takes back all changes since, within
    /// the bounds of [`Self::proof`].
    pub fn trie_source(&self) -> Result<TrieSource> {
        let mut source = TrieSource::new(self.stored.clone(), Vec::with_capacity(self.blocks.len() + 1));
        if let Some(past) = self.past {
            source.push(self.layer_back_to(past)?);
        }
        for (_, update) in &self.blocks {
            source.push(Arc::clone(update.layer()));
        }
        Ok(source)
    }

    /// The stored state of `past` as a layer over the stored head's.
    fn layer_back_to(&self, past: BlockNumHash) -> Result<Arc<StateLayer>> {
        let first = self.head.number.saturating_sub(PROOF_BLOCKS);
        if past.number < first {
            return Err(StorageError::Pruned { what: "proof", number: past.number, first });
        }
        self.tries.past(self.head.hash, past.hash, || {
            let reverts = Reverts::to(self.stored.snapshot(), past.number, PROOF_CHANGES)?;
            revert(&self.stored, self.head.number, past.number, &reverts)
        })
    }

    /// Reads what `changes` change of this state, so that a trie can be given it and the result be
    /// [completed](PreparedChanges::complete). An account without info is removed with its storage, one
    /// that was destroyed loses its storage before the slots in the bundle are set.
    pub fn prepare(
        &self,
        changes: &BundleState,
        known: &(impl KnownStorageRoots + ?Sized),
    ) -> Result<PreparedChanges> {
        PreparedChanges::new(self, changes, known)
    }

    /// Computes the state that `changes` leave on top of this one. Quick where this state was itself
    /// computed here not long ago: its trie is in memory then.
    pub fn update(&self, changes: &BundleState) -> Result<StateUpdate> {
        self.update_knowing(changes, &())
    }

    /// [`Self::update`] by someone who knows more than the changes say, and saves reading it.
    pub fn update_knowing(
        &self,
        changes: &BundleState,
        known: &(impl KnownStorageRoots + ?Sized),
    ) -> Result<StateUpdate> {
        let (trie, update) = self.update_with(self.tries.get(self.state_root), changes, known)?;
        self.tries.put(trie);
        Ok(update)
    }

    /// The trie of this state for [`Self::update_with`], with as much of it in memory as there is. Whoever has
    /// made the last change gives it back to [`Self::keep_trie`].
    pub fn take_trie(&self) -> StateTrie {
        self.tries.take(self.state_root)
    }

    /// Keeps a trie in memory for the next [`Self::update`] of the state with its root.
    pub fn keep_trie(&self, trie: StateTrie) {
        self.tries.put(trie);
    }

    /// [`Self::update_knowing`] with a trie of one's own, whose root must be this state's; gives it back with
    /// the changes made. Saves copying what changes where blocks follow one another.
    pub fn update_with(
        &self,
        trie: StateTrie,
        changes: &BundleState,
        known: &(impl KnownStorageRoots + ?Sized),
    ) -> Result<(StateTrie, StateUpdate)> {
        if trie.root() != self.state_root {
            return Err(StorageError::OtherTrie { found: trie.root(), expected: self.state_root });
        }
        let mut prepared = self.prepare(changes, known)?;
        let (mut trie, layer) = trie.apply(&self.trie_source()?, prepared.take_changes())?;
        trie.prune(TRIE_MEMORY_BYTES);
        Ok((trie, prepared.complete(self, layer)?))
    }

    pub(crate) fn account_of(&self, address: Address, hashed_address: B256) -> Result<Option<TrieAccount>> {
        for (_, update) in self.blocks.iter().rev() {
            if let Some(account) = update.layer().accounts.get(&hashed_address) {
                return Ok(*account);
            }
        }
        if let Some(past) = self.past {
            let snapshot = self.stored.snapshot();
            if let Some(old) = history::account_after(snapshot, address, hashed_address, past.number)? {
                return Ok(old);
            }
        }
        self.stored.account(hashed_address)
    }
}

/// What is pruned, as the snapshot has it.
pub(crate) fn pruned(snapshot: &Snapshot) -> Result<Pruned> {
    let pruned = snapshot.get(columns::META, database::PRUNED_KEY)?;
    pruned.map_or(Ok(Pruned::NOTHING), |bytes| Pruned::decode(&bytes))
}

/// The state of block `to` as a layer over that of the head, whose number is `head`, checked against the
/// header's state root.
pub(crate) fn revert(stored: &StoredState, head: u64, to: u64, reverts: &Reverts) -> Result<StateLayer> {
    let missing = |number| StorageError::corrupt(format!("header {number}"), "missing");
    let root_of = |number| -> Result<B256> {
        let header = reads::header(stored.snapshot(), number)?;
        Ok(header.ok_or_else(|| missing(number))?.1.state_root)
    };
    let expected = root_of(to)?;
    let layer = update_state_root(stored, root_of(head)?, reverts.state_changes())?;
    if layer.state_root != expected {
        let reason = format!("they lead to state root {}, its header says {expected}", layer.state_root);
        return Err(StorageError::corrupt(format!("changes since block {to}"), reason));
    }
    Ok(layer)
}

impl DatabaseRef for StateView {
    type Error = StorageError;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>> {
        Ok(self.account(address)?.map(Self::info_of))
    }

    fn code_by_hash_ref(&self, code_hash: B256) -> Result<Bytecode> {
        let what = || format!("code {code_hash}");
        let code = self.code(code_hash)?.ok_or_else(|| StorageError::corrupt(what(), "missing"))?;
        Bytecode::new_raw_checked(code).map_err(|error| StorageError::corrupt(what(), error))
    }

    fn storage_ref(&self, address: Address, index: U256) -> Result<U256> {
        self.slot(address, B256::from(index))
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256> {
        if number > self.block.number {
            return Ok(B256::ZERO);
        }
        if let Some((block, _)) = self.blocks.iter().find(|(block, _)| block.number == number) {
            return Ok(block.hash);
        }
        Ok(reads::header(self.stored.snapshot(), number)?.map_or(B256::ZERO, |(hash, _)| hash))
    }
}
