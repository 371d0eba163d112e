//! What one block made of the state, ready to be written, or to be read through.

use std::collections::BTreeMap;

use alloy_primitives::B256;
use alloy_trie::TrieAccount;

use crate::{StorageChanges, TrieUpdates};

/// The state of a block as the difference to its parent's: flat state and stored nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StateLayer {
    /// The state root after the changes.
    pub state_root: B256,
    /// The accounts that changed, with their storage roots; `None` where the account is gone.
    pub accounts: BTreeMap<B256, Option<TrieAccount>>,
    /// The storage that changed. A removed account has an entry that is wiped.
    pub storages: BTreeMap<B256, StorageChanges>,
    /// The stored nodes that changed.
    pub nodes: TrieUpdates,
}

impl StateLayer {
    /// About how many bytes of memory the layer takes.
    pub fn size_bytes(&self) -> usize {
        /// An entry of a map with what the map takes beside it.
        const ENTRY_BYTES: usize = 200;
        let storages = self.storages.values().map(|storage| storage.slots.len() + 1).sum::<usize>();
        let nodes = self.nodes.storages.values().map(|updates| updates.nodes.size_bytes()).sum::<usize>();
        self.nodes.accounts.size_bytes() + nodes + (self.accounts.len() + storages) * ENTRY_BYTES
    }

    /// Adds the layer of a later block, so that this one holds the changes of both.
    pub fn extend(&mut self, newer: &Self) {
        self.state_root = newer.state_root;
        self.accounts.extend(&newer.accounts);
        for (hashed_address, storage) in &newer.storages {
            self.storages.entry(*hashed_address).or_default().extend(storage.clone());
        }
        self.nodes.extend(&newer.nodes);
    }
}
