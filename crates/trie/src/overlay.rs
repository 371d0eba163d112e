//! A state that lies over another: what blocks changed that are not written yet.

use std::{collections::BTreeMap, sync::Arc};

use alloy_primitives::{B256, U256};
use alloy_trie::{Nibbles, TrieAccount};
use thiserror::Error;

use crate::{CorruptNode, SlotChange, StateLayer, StateSource, StoredNode};

/// A state with the layers of later blocks over it.
///
/// Of each account, slot and node the newest layer counts that says anything of it, and the base where
/// none does. Cheap to clone where the base is.
#[derive(Debug, Clone)]
pub struct Overlay<S> {
    base: S,
    /// Oldest first.
    layers: Vec<Arc<StateLayer>>,
}

/// Why a read through an overlay failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OverlayError<E> {
    /// The base failed.
    #[error(transparent)]
    Base(E),
    /// A layer holds a node that does not decode.
    #[error("layer of state root {state_root}, node {path:?}: {error}")]
    Layer {
        /// The state root of the layer.
        state_root: B256,
        /// Where the node is.
        path: Nibbles,
        /// What is wrong with it.
        error: CorruptNode,
    },
}

impl<S> Overlay<S> {
    /// The state that `layers`, oldest first, make of `base`.
    pub const fn new(base: S, layers: Vec<Arc<StateLayer>>) -> Self {
        Self { base, layers }
    }

    /// Lays the layer of the next block over the others.
    pub fn push(&mut self, layer: Arc<StateLayer>) {
        self.layers.push(layer);
    }

    /// The layers, oldest first.
    pub fn layers(&self) -> &[Arc<StateLayer>] {
        &self.layers
    }

    /// What is below the layers.
    pub const fn base(&self) -> &S {
        &self.base
    }
}

impl<S: StateSource> StateSource for Overlay<S> {
    type Error = OverlayError<S::Error>;

    fn account(&self, hashed_address: B256) -> Result<Option<TrieAccount>, Self::Error> {
        match self.layers.iter().rev().find_map(|layer| layer.accounts.get(&hashed_address)) {
            Some(account) => Ok(*account),
            None => self.base.account(hashed_address).map_err(OverlayError::Base),
        }
    }

    fn slot(&self, hashed_address: B256, hashed_slot: B256) -> Result<U256, Self::Error> {
        for storage in self.layers.iter().rev().filter_map(|layer| layer.storages.get(&hashed_address)) {
            match storage.slots.get(&hashed_slot) {
                Some(change) => return Ok(change.value),
                None if storage.wiped => return Ok(U256::ZERO),
                None => {}
            }
        }
        self.base.slot(hashed_address, hashed_slot).map_err(OverlayError::Base)
    }

    fn seek_account(&self, from: B256) -> Result<Option<(B256, TrieAccount)>, Self::Error> {
        let layers: Vec<_> = self.layers.iter().map(|layer| &layer.accounts).collect();
        seek(from, &layers, |account: &Option<TrieAccount>| *account, |from| self.base.seek_account(from))
            .map_err(OverlayError::Base)
    }

    fn seek_slot(&self, hashed_address: B256, from: B256) -> Result<Option<(B256, U256)>, Self::Error> {
        let storages: Vec<_> =
            self.layers.iter().filter_map(|layer| layer.storages.get(&hashed_address)).collect();
        let wiped = storages.iter().rposition(|storage| storage.wiped);
        let layers: Vec<_> =
            storages[wiped.unwrap_or_default()..].iter().map(|storage| &storage.slots).collect();
        let value = |change: &SlotChange| Some(change.value).filter(|value| !value.is_zero());
        let base = |from| match wiped {
            Some(_) => Ok(None),
            None => self.base.seek_slot(hashed_address, from),
        };
        seek(from, &layers, value, base).map_err(OverlayError::Base)
    }

    fn account_node(&self, path: &Nibbles) -> Result<Option<StoredNode>, Self::Error> {
        match self.layered_account_node(path) {
            Some(node) => node,
            None => self.base.account_node(path).map_err(OverlayError::Base),
        }
    }

    fn storage_node(&self, hashed_address: B256, path: &Nibbles) -> Result<Option<StoredNode>, Self::Error> {
        match self.layered_storage_node(hashed_address, path) {
            Some(node) => node,
            None => self.base.storage_node(hashed_address, path).map_err(OverlayError::Base),
        }
    }

    fn account_nodes(&self, paths: &[Nibbles]) -> Result<Vec<Option<StoredNode>>, Self::Error> {
        let layered = paths.iter().map(|path| self.layered_account_node(path)).collect();
        fill(paths, layered, |missing| self.base.account_nodes(missing))
    }

    fn storage_nodes(
        &self,
        hashed_address: B256,
        paths: &[Nibbles],
    ) -> Result<Vec<Option<StoredNode>>, Self::Error> {
        let layered = paths.iter().map(|path| self.layered_storage_node(hashed_address, path)).collect();
        fill(paths, layered, |missing| self.base.storage_nodes(hashed_address, missing))
    }
}

/// What a layer says of a node; `None` where no layer says anything.
type Layered<E> = Option<Result<Option<StoredNode>, OverlayError<E>>>;

impl<S: StateSource> Overlay<S> {
    fn layered_account_node(&self, path: &Nibbles) -> Layered<S::Error> {
        self.layers
            .iter()
            .rev()
            .find_map(|layer| layer.nodes.accounts.get(path).map(|node| decode(layer.state_root, path, node)))
    }

    fn layered_storage_node(&self, hashed_address: B256, path: &Nibbles) -> Layered<S::Error> {
        for layer in self.layers.iter().rev() {
            let Some(updates) = layer.nodes.storages.get(&hashed_address) else { continue };
            match updates.nodes.get(path) {
                Some(node) => return Some(decode(layer.state_root, path, node)),
                None if updates.wiped => return Some(Ok(None)),
                None => {}
            }
        }
        None
    }
}

fn decode<E>(
    state_root: B256,
    path: &Nibbles,
    node: Option<&[u8]>,
) -> Result<Option<StoredNode>, OverlayError<E>> {
    node.map(StoredNode::decode).transpose().map_err(|error| OverlayError::Layer {
        state_root,
        path: *path,
        error,
    })
}

/// Reads what no layer says of from the base, in one read.
fn fill<E>(
    paths: &[Nibbles],
    layered: Vec<Layered<E>>,
    base: impl FnOnce(&[Nibbles]) -> Result<Vec<Option<StoredNode>>, E>,
) -> Result<Vec<Option<StoredNode>>, OverlayError<E>> {
    let missing: Vec<_> =
        paths.iter().zip(&layered).filter(|(_, node)| node.is_none()).map(|(path, _)| *path).collect();
    let read = if missing.is_empty() { Vec::new() } else { base(&missing).map_err(OverlayError::Base)? };
    let mut read = read.into_iter();
    layered.into_iter().map(|node| node.unwrap_or_else(|| Ok(read.next().flatten()))).collect()
}

/// The first entry at or after `from` that is there, over the base and its layers, oldest first.
fn seek<T, V, E>(
    mut from: B256,
    layers: &[&BTreeMap<B256, T>],
    value: impl Fn(&T) -> Option<V>,
    base: impl Fn(B256) -> Result<Option<(B256, V)>, E>,
) -> Result<Option<(B256, V)>, E> {
    let mut below = base(from)?;
    loop {
        if below.as_ref().is_some_and(|(key, _)| *key < from) {
            below = base(from)?;
        }
        // Of one key the newest layer counts: `min_by_key` gives the first of equals.
        let above =
            layers.iter().rev().filter_map(|layer| layer.range(from..).next()).min_by_key(|(key, _)| **key);
        let Some((key, entry)) = above else { return Ok(below) };
        if below.as_ref().is_some_and(|(below, _)| below < key) {
            return Ok(below);
        }
        if let Some(value) = value(entry) {
            return Ok(Some((*key, value)));
        }
        let Some(next) = successor(*key) else { return Ok(None) };
        from = next;
    }
}

fn successor(key: B256) -> Option<B256> {
    U256::from_be_bytes(key.0).checked_add(U256::ONE).map(B256::from)
}
