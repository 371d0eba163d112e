//! The state of the stored head: what tries are read from.

use alloy_primitives::{B256, U256};
use openledger_trie::{Nibbles, Overlay, OverlayError, StateSource, StoredNode, TrieAccount};

use crate::{
    Result, StorageError,
    codec::{decode_account, decode_slot},
    columns::{self, slot_key},
    store::Snapshot,
};

/// The state of the newest stored block, at one moment: flat state and trie nodes.
#[derive(Debug, Clone)]
pub struct StoredState {
    snapshot: Snapshot,
}

/// What the trie of a block's state is read from: the stored state with changes of blocks laid over it.
pub type TrieSource = Overlay<StoredState>;

impl StoredState {
    pub(crate) const fn new(snapshot: Snapshot) -> Self {
        Self { snapshot }
    }

    pub(crate) const fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The accounts under hashed addresses in ascending order.
    pub(crate) fn accounts(&self, hashed_addresses: &[B256]) -> Result<Vec<Option<TrieAccount>>> {
        let read = self.snapshot.get_many(columns::ACCOUNTS, hashed_addresses)?;
        read.into_iter()
            .map(|account| account?.map(|bytes| decode_account("account", &bytes)).transpose())
            .collect()
    }
}

impl From<OverlayError<Self>> for StorageError {
    fn from(error: OverlayError<Self>) -> Self {
        match error {
            OverlayError::Base(error) => error,
            error @ OverlayError::Layer { .. } => Self::corrupt("changes in memory", error),
        }
    }
}

/// The key of a node, on the stack: an account's hashed address or nothing, and a byte a nibble.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PathKey {
    bytes: [u8; 96],
    length: usize,
}

impl AsRef<[u8]> for PathKey {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// The key of a node of the account trie.
pub(crate) fn path_key(path: &Nibbles) -> PathKey {
    key_behind(&[], path)
}

/// The key of a node of a storage trie.
pub(crate) fn storage_path_key(hashed_address: B256, path: &Nibbles) -> PathKey {
    key_behind(hashed_address.as_slice(), path)
}

fn key_behind(owner: &[u8], path: &Nibbles) -> PathKey {
    let mut key = PathKey { bytes: [0; 96], length: owner.len() + path.len() };
    key.bytes[..owner.len()].copy_from_slice(owner);
    for (byte, nibble) in key.bytes[owner.len()..].iter_mut().zip(path.iter()) {
        *byte = nibble;
    }
    key
}

fn decode_node(bytes: &[u8]) -> Result<StoredNode> {
    StoredNode::decode(bytes).map_err(|error| StorageError::corrupt("trie node", error))
}

impl StateSource for StoredState {
    type Error = StorageError;

    fn account(&self, hashed_address: B256) -> Result<Option<TrieAccount>> {
        self.snapshot
            .get_pinned(columns::ACCOUNTS, hashed_address.as_slice())?
            .map(|bytes| decode_account("account", &bytes))
            .transpose()
    }

    fn slot(&self, hashed_address: B256, hashed_slot: B256) -> Result<U256> {
        self.snapshot
            .get_pinned(columns::STORAGE, &slot_key(hashed_address, hashed_slot))?
            .map_or(Ok(U256::ZERO), |bytes| decode_slot(&bytes))
    }

    fn seek_account(&self, from: B256) -> Result<Option<(B256, TrieAccount)>> {
        let mut cursor = self.snapshot.cursor(columns::ACCOUNTS, &[])?;
        cursor.seek(from);
        cursor.status()?;
        let Some((key, value)) = cursor.item() else { return Ok(None) };
        Ok(Some((hash_of_key("accounts", key)?, decode_account("account", value)?)))
    }

    fn seek_slot(&self, hashed_address: B256, from: B256) -> Result<Option<(B256, U256)>> {
        let mut cursor = self.snapshot.cursor(columns::STORAGE, hashed_address.as_slice())?;
        cursor.seek(slot_key(hashed_address, from));
        cursor.status()?;
        let Some((key, value)) = cursor.item() else { return Ok(None) };
        Ok(Some((hash_of_key("storage", key.get(32..).unwrap_or_default())?, decode_slot(value)?)))
    }

    fn account_node(&self, path: &Nibbles) -> Result<Option<StoredNode>> {
        let node = self.snapshot.get_pinned(columns::ACCOUNT_NODES, path_key(path).as_ref())?;
        node.map(|bytes| decode_node(&bytes)).transpose()
    }

    fn storage_node(&self, hashed_address: B256, path: &Nibbles) -> Result<Option<StoredNode>> {
        let key = storage_path_key(hashed_address, path);
        let node = self.snapshot.get_pinned(columns::STORAGE_NODES, key.as_ref())?;
        node.map(|bytes| decode_node(&bytes)).transpose()
    }

    fn account_nodes(&self, paths: &[Nibbles]) -> Result<Vec<Option<StoredNode>>> {
        let keys: Vec<_> = paths.iter().map(path_key).collect();
        let read = self.snapshot.get_many(columns::ACCOUNT_NODES, &keys)?;
        read.into_iter().map(|node| node?.map(|bytes| decode_node(&bytes)).transpose()).collect()
    }

    fn storage_nodes(&self, hashed_address: B256, paths: &[Nibbles]) -> Result<Vec<Option<StoredNode>>> {
        let keys: Vec<_> = paths.iter().map(|path| storage_path_key(hashed_address, path)).collect();
        let read = self.snapshot.get_many(columns::STORAGE_NODES, &keys)?;
        read.into_iter().map(|node| node?.map(|bytes| decode_node(&bytes)).transpose()).collect()
    }
}

/// The hashed key at the end of a flat key.
pub(crate) fn hash_of_key(column: &str, key: &[u8]) -> Result<B256> {
    B256::try_from(key).map_err(|_| StorageError::corrupt(column, format!("key ends in {} bytes", key.len())))
}
