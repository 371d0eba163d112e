//! Changing the account trie, and the storage tries below it.

use alloy_primitives::{B256, U256};
use alloy_rlp::{BufMut, Encodable};
use alloy_trie::{EMPTY_ROOT_HASH, TrieAccount};

use crate::{
    AccountChange, SlotChange, StateChanges, StateSource, StorageChanges, StorageUpdates, TrieError,
    changing::{Edit, EditError, Outcome},
    edit::edit_tree,
    tree::{Child, Tree},
    trie_reader::{AccountReader, StorageReader},
};

/// An account with what is in memory of its storage trie.
#[derive(Debug, Clone)]
pub(crate) struct AccountLeaf {
    pub(crate) account: TrieAccount,
    storage: Option<Box<Child<U256>>>,
}

impl AccountLeaf {
    fn new(account: TrieAccount, storage: Option<Child<U256>>) -> Self {
        Self { account, storage: storage.map(Box::new) }
    }

    /// What is in memory of the storage trie.
    pub(crate) fn storage(&self) -> Option<&Child<U256>> {
        self.storage.as_deref()
    }

    /// Takes the storage trie out to be read or changed; [`Self::put_storage`] may follow.
    pub(crate) fn take_storage(&mut self) -> Tree<U256> {
        Tree { hash: self.account.storage_root, node: self.storage.take().map(|node| *node) }
    }

    /// Puts a storage trie with the same root back.
    pub(crate) fn put_storage(&mut self, storage: Tree<U256>) {
        self.storage = storage.node.map(Box::new);
    }
}

impl From<TrieAccount> for AccountLeaf {
    fn from(account: TrieAccount) -> Self {
        Self { account, storage: None }
    }
}

impl Encodable for AccountLeaf {
    fn encode(&self, out: &mut dyn BufMut) {
        self.account.encode(out);
    }

    fn length(&self) -> usize {
        self.account.length()
    }
}

/// What changes of one account: itself, its storage, or both.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AccountAndStorage<'c> {
    /// `Some(None)` removes the account.
    account: Option<Option<&'c AccountChange>>,
    pub(crate) storage: Option<&'c StorageChanges>,
}

impl AccountAndStorage<'_> {
    /// The storage root that the account is known to have before the change.
    pub(crate) fn known_storage_root(&self) -> Option<B256> {
        self.account??.storage_root
    }
}

/// The changes of accounts and of their storage in one sorted list.
pub(crate) fn by_account(changes: &StateChanges) -> Vec<(B256, AccountAndStorage<'_>)> {
    let mut merged = Vec::with_capacity(changes.accounts.len());
    let mut storages = changes.storages.iter().peekable();
    for (hashed_address, account) in &changes.accounts {
        while let Some((earlier, storage)) = storages.next_if(|(key, _)| *key < hashed_address) {
            merged.push((*earlier, AccountAndStorage { account: None, storage: Some(storage) }));
        }
        let storage = storages.next_if(|(key, _)| *key == hashed_address).map(|(_, storage)| storage);
        merged.push((*hashed_address, AccountAndStorage { account: Some(account.as_ref()), storage }));
    }
    merged.extend(
        storages.map(|(key, storage)| (*key, AccountAndStorage { account: None, storage: Some(storage) })),
    );
    merged
}

/// Changes the account trie of a source.
#[derive(Debug)]
pub(crate) struct AccountEdit<'a, S> {
    pub(crate) reader: AccountReader<'a, S>,
    pub(crate) now: u32,
    pub(crate) changes: std::marker::PhantomData<&'a StateChanges>,
}

/// The accounts that changed, and what becomes of the stored nodes of their storage.
#[derive(Debug, Default)]
pub(crate) struct AccountOutcome {
    pub(crate) accounts: Vec<(B256, Option<TrieAccount>)>,
    pub(crate) storages: Vec<(B256, StorageUpdates)>,
    /// Bytes of memory that storage tries took.
    pub(crate) grown: usize,
}

impl Outcome for AccountOutcome {
    fn append(&mut self, mut later: Self) {
        self.accounts.append(&mut later.accounts);
        self.storages.append(&mut later.storages);
        self.grown += later.grown;
    }
}

impl<'a, S: StateSource + Sync> Edit for AccountEdit<'a, S> {
    type Reader = AccountReader<'a, S>;
    type Value = AccountLeaf;
    type Change = AccountAndStorage<'a>;
    type Outcome = AccountOutcome;

    fn reader(&self) -> &Self::Reader {
        &self.reader
    }

    fn removes(&self, change: &Self::Change) -> bool {
        matches!(change.account, None | Some(None))
    }

    fn known(&self, change: &Self::Change) -> Option<AccountLeaf> {
        let storage_root = change.known_storage_root()?;
        Some(TrieAccount { storage_root, ..Default::default() }.into())
    }

    fn holds_more(&self, value: &AccountLeaf) -> bool {
        value.storage.is_some()
    }

    fn changed(
        &self,
        key: B256,
        old: Option<AccountLeaf>,
        change: &Self::Change,
        outcome: &mut AccountOutcome,
    ) -> Result<Option<AccountLeaf>, EditError<Self>> {
        let was_there = old.is_some();
        let mut old = old.unwrap_or_else(|| TrieAccount::default().into());
        let mut tree = old.take_storage();
        let mut account = old.account;
        match change.account {
            Some(None) => {
                outcome.accounts.push((key, None));
                if tree.hash != EMPTY_ROOT_HASH {
                    outcome.storages.push((key, StorageUpdates { wiped: true, ..Default::default() }));
                }
                return Ok(None);
            }
            Some(Some(change)) => {
                account.nonce = change.nonce;
                account.balance = change.balance;
                account.code_hash = change.code_hash;
            }
            None if was_there => {}
            None if change.storage.is_none_or(StorageChanges::removes_all) => return Ok(None),
            None => return Err(TrieError::NoAccount(key)),
        }
        if let Some(storage) = change.storage {
            let wiped = storage.wiped && tree.hash != EMPTY_ROOT_HASH;
            if storage.wiped {
                tree = Tree::empty();
            }
            let edit = SlotEdit { reader: StorageReader { source: self.reader.0, hashed_address: key } };
            let slots: Vec<_> = storage.slots.iter().map(|(slot, change)| (*slot, *change)).collect();
            let edited = edit_tree(&edit, tree, &slots, self.now)?;
            tree = edited.tree;
            outcome.grown += edited.grown;
            if wiped || !edited.nodes.is_empty() {
                outcome.storages.push((key, StorageUpdates { wiped, nodes: edited.nodes }));
            }
        }
        account.storage_root = tree.hash;
        outcome.accounts.push((key, Some(account)));
        Ok(Some(AccountLeaf::new(account, tree.node)))
    }
}

impl StorageChanges {
    fn removes_all(&self) -> bool {
        self.slots.values().all(|slot| slot.value.is_zero())
    }
}

/// Changes one storage trie of a source.
#[derive(Debug)]
struct SlotEdit<'a, S> {
    reader: StorageReader<'a, S>,
}

impl<'a, S: StateSource + Sync> Edit for SlotEdit<'a, S> {
    type Reader = StorageReader<'a, S>;
    type Value = U256;
    type Change = SlotChange;
    type Outcome = ();

    fn reader(&self) -> &Self::Reader {
        &self.reader
    }

    fn removes(&self, change: &SlotChange) -> bool {
        change.value.is_zero()
    }

    fn known(&self, change: &SlotChange) -> Option<U256> {
        // Nothing of the old value is needed but that it is there.
        change.was_set.then_some(U256::ZERO)
    }

    fn holds_more(&self, _: &U256) -> bool {
        false
    }

    fn changed(
        &self,
        _: B256,
        _: Option<U256>,
        change: &SlotChange,
        (): &mut (),
    ) -> Result<Option<U256>, EditError<Self>> {
        Ok(Some(change.value).filter(|value| !value.is_zero()))
    }
}
