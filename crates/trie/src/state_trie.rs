//! The state's tries at one root, as far as they are in memory.

use std::marker::PhantomData;

use alloy_primitives::B256;

use crate::{
    StateChanges, StateLayer, StateSource, TrieError, TrieUpdates,
    account_edit::{AccountEdit, AccountLeaf, by_account},
    edit::{Edited, edit_tree},
    prefetch::{WantAccounts, prefetch_tree},
    tree::Tree,
    trie_reader::AccountReader,
};

/// The account trie and the storage tries at one state root: what of them was read or changed lately
/// stays in memory, everything else is read from a [`StateSource`] when it is needed.
///
/// Cheap to clone: clones share what is in memory, and a change copies only the way to it.
#[derive(Debug, Clone)]
pub struct StateTrie {
    accounts: Tree<AccountLeaf>,
    /// Counts changes; what was touched longest ago is let go of first.
    now: u32,
    /// At most about this many bytes are in memory.
    memory_bytes: usize,
}

impl StateTrie {
    /// The trie with this root, nothing of it in memory.
    pub const fn new(state_root: B256) -> Self {
        Self { accounts: Tree::unread(state_root), now: 0, memory_bytes: 0 }
    }

    /// The state root.
    pub const fn root(&self) -> B256 {
        self.accounts.hash
    }

    /// About how many bytes are in memory, at most.
    pub const fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    /// Makes `changes` and hashes what changed.
    ///
    /// `source` must hold the state at [`Self::root`]. Gives the trie after the changes and what is to be
    /// written. Where no clone of this value is kept, nothing is copied.
    pub fn apply<S: StateSource + Sync>(
        self,
        source: &S,
        changes: StateChanges,
    ) -> Result<(Self, StateLayer), TrieError<S::Error>> {
        let now = self.now.wrapping_add(1);
        let edit = AccountEdit { reader: AccountReader(source), now, changes: PhantomData };
        let Edited { tree, nodes, outcome, grown } =
            edit_tree(&edit, self.accounts, &by_account(&changes), now)?;
        let memory_bytes = self.memory_bytes + grown + outcome.grown;
        let trie = Self { accounts: tree, now, memory_bytes };
        let mut storages = changes.storages;
        for (hashed_address, account) in &changes.accounts {
            if account.is_none() {
                let storage = storages.entry(*hashed_address).or_default();
                storage.wiped = true;
                storage.slots.clear();
            }
        }
        let layer = StateLayer {
            state_root: trie.root(),
            accounts: outcome.accounts.into_iter().collect(),
            storages,
            nodes: TrieUpdates { accounts: nodes, storages: outcome.storages.into_iter().collect() },
        };
        Ok((trie, layer))
    }

    /// Reads into memory what making `changes` will need, as far as it can be told before; for a thread
    /// that runs while the changes are still being found. Changes nothing, so the changes may be wrong.
    pub fn prefetch<S: StateSource>(
        &mut self,
        source: &S,
        changes: &StateChanges,
    ) -> Result<(), TrieError<S::Error>> {
        let want = WantAccounts { reader: AccountReader(source), now: self.now };
        self.memory_bytes += prefetch_tree(&want, &mut self.accounts, &by_account(changes), self.now)?;
        Ok(())
    }

    /// Lets go of what was not used for longest, where more than about `limit_bytes` are in memory.
    ///
    /// What the last change used stays.
    pub fn prune(&mut self, limit_bytes: usize) {
        if self.memory_bytes <= limit_bytes {
            return;
        }
        // Room to grow into, so that weighing is rare.
        let wanted_bytes = limit_bytes / 4 * 3;
        let by_age = self.accounts.weigh_by_age(self.now);
        self.memory_bytes = by_age.values().sum();
        if self.memory_bytes <= wanted_bytes {
            return;
        }
        let mut kept_bytes = 0;
        let mut oldest = 0;
        for (age, bytes) in by_age {
            if kept_bytes + bytes > wanted_bytes && age > 0 {
                break;
            }
            kept_bytes += bytes;
            oldest = age;
        }
        self.accounts.forget(self.now, oldest);
        self.memory_bytes = kept_bytes;
    }
}

/// Makes `changes` on top of the state of `source`, whose root is `root_before`.
pub fn update_state_root<S: StateSource + Sync>(
    source: &S,
    root_before: B256,
    changes: StateChanges,
) -> Result<StateLayer, TrieError<S::Error>> {
    StateTrie::new(root_before).apply(source, changes).map(|(_, layer)| layer)
}
