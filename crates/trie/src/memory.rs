//! A whole state in memory.

use std::collections::{BTreeMap, HashMap};

use alloy_primitives::{B256, U256};
use alloy_trie::{Nibbles, TrieAccount};
use thiserror::Error;

use crate::{CorruptNode, NodeRows, StateLayer, StateSource, StoredNode};

/// A state that lies in memory with its stored nodes: for small chains, benchmarks and tests.
#[derive(Debug, Clone, Default)]
pub struct MemoryState {
    /// Accounts by hashed address.
    pub accounts: BTreeMap<B256, TrieAccount>,
    /// Slots that are set, by hashed address and hashed slot.
    pub storages: BTreeMap<B256, BTreeMap<B256, U256>>,
    /// Encoded nodes of the account trie.
    pub account_nodes: HashMap<Nibbles, Box<[u8]>>,
    /// Encoded nodes of storage tries, by hashed address.
    pub storage_nodes: HashMap<B256, HashMap<Nibbles, Box<[u8]>>>,
}

/// A node that does not decode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("node {path:?}: {error}")]
pub struct MemoryStateError {
    /// Where the node is.
    pub path: Nibbles,
    /// What is wrong with it.
    pub error: CorruptNode,
}

impl MemoryState {
    /// Makes the state the one after `layer`.
    pub fn apply(&mut self, layer: &StateLayer) {
        for (hashed_address, account) in &layer.accounts {
            match account {
                Some(account) => self.accounts.insert(*hashed_address, *account),
                None => self.accounts.remove(hashed_address),
            };
        }
        for (hashed_address, changes) in &layer.storages {
            let storage = self.storages.entry(*hashed_address).or_default();
            if changes.wiped {
                storage.clear();
            }
            for (hashed_slot, change) in &changes.slots {
                if change.value.is_zero() {
                    storage.remove(hashed_slot);
                } else {
                    storage.insert(*hashed_slot, change.value);
                }
            }
            if storage.is_empty() {
                self.storages.remove(hashed_address);
            }
        }
        apply_rows(&mut self.account_nodes, &layer.nodes.accounts);
        for (hashed_address, updates) in &layer.nodes.storages {
            let nodes = self.storage_nodes.entry(*hashed_address).or_default();
            if updates.wiped {
                nodes.clear();
            }
            apply_rows(nodes, &updates.nodes);
            if nodes.is_empty() {
                self.storage_nodes.remove(hashed_address);
            }
        }
    }
}

fn apply_rows(nodes: &mut HashMap<Nibbles, Box<[u8]>>, rows: &NodeRows) {
    for (path, node) in rows.iter() {
        match node {
            Some(node) => nodes.insert(path, node.into()),
            None => nodes.remove(&path),
        };
    }
}

fn decode(
    nodes: Option<&HashMap<Nibbles, Box<[u8]>>>,
    path: &Nibbles,
) -> Result<Option<StoredNode>, MemoryStateError> {
    nodes
        .and_then(|nodes| nodes.get(path))
        .map(|bytes| StoredNode::decode(bytes))
        .transpose()
        .map_err(|error| MemoryStateError { path: *path, error })
}

impl StateSource for MemoryState {
    type Error = MemoryStateError;

    fn account(&self, hashed_address: B256) -> Result<Option<TrieAccount>, Self::Error> {
        Ok(self.accounts.get(&hashed_address).copied())
    }

    fn slot(&self, hashed_address: B256, hashed_slot: B256) -> Result<U256, Self::Error> {
        let slot = self.storages.get(&hashed_address).and_then(|storage| storage.get(&hashed_slot));
        Ok(slot.copied().unwrap_or_default())
    }

    fn seek_account(&self, from: B256) -> Result<Option<(B256, TrieAccount)>, Self::Error> {
        Ok(self.accounts.range(from..).next().map(|(key, account)| (*key, *account)))
    }

    fn seek_slot(&self, hashed_address: B256, from: B256) -> Result<Option<(B256, U256)>, Self::Error> {
        let storage = self.storages.get(&hashed_address);
        Ok(storage.and_then(|storage| storage.range(from..).next()).map(|(key, value)| (*key, *value)))
    }

    fn account_node(&self, path: &Nibbles) -> Result<Option<StoredNode>, Self::Error> {
        decode(Some(&self.account_nodes), path)
    }

    fn storage_node(&self, hashed_address: B256, path: &Nibbles) -> Result<Option<StoredNode>, Self::Error> {
        decode(self.storage_nodes.get(&hashed_address), path)
    }
}
