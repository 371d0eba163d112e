//! Reading one trie out of a source, each node checked against what its parent holds of it.

use alloy_primitives::{B256, U256};
use alloy_rlp::Encodable;
use alloy_trie::{
    Nibbles, TrieAccount,
    nodes::{LeafNodeRef, RlpNode},
};

use crate::{
    StateSource, StoredNode, TrieError, TrieName,
    tree::{path_of, root_hash},
};

/// One trie of a source.
pub(crate) trait TrieReader {
    /// What the trie's leaves hold.
    type Value: Encodable;
    type Error;

    fn name(&self) -> TrieName;
    fn stored(&self, path: &Nibbles) -> Result<Option<StoredNode>, Self::Error>;
    fn stored_many(&self, paths: &[Nibbles]) -> Result<Vec<Option<StoredNode>>, Self::Error>;
    fn get(&self, key: B256) -> Result<Option<Self::Value>, Self::Error>;
    fn seek(&self, from: B256) -> Result<Option<(B256, Self::Value)>, Self::Error>;

    /// The node stored under `path`, which is to be the one that `reference` names.
    fn node(
        &self,
        path: &Nibbles,
        reference: &RlpNode,
        buffer: &mut Vec<u8>,
    ) -> Result<StoredNode, TrieError<Self::Error>> {
        let node = self.stored(path).map_err(TrieError::Source)?;
        let node = node.ok_or(TrieError::Missing { trie: self.name(), path: *path })?;
        if !fits(path, &node) || node.reference(buffer) != *reference {
            return Err(TrieError::Mismatch { trie: self.name(), path: *path });
        }
        Ok(node)
    }

    /// The nodes stored under paths, in ascending order, each of which is to be the one that its reference names: hashed
    /// side by side.
    fn nodes(&self, wanted: &[(Nibbles, RlpNode)]) -> Result<Vec<StoredNode>, TrieError<Self::Error>> {
        let mut nodes = Vec::with_capacity(wanted.len());
        for wanted in wanted.chunks(MOST_AT_ONCE) {
            let paths: Vec<_> = wanted.iter().map(|(path, _)| *path).collect();
            let stored = self.stored_many(&paths).map_err(TrieError::Source)?;
            let missing = |path| TrieError::Missing { trie: self.name(), path };
            let mut read = Vec::with_capacity(wanted.len());
            for (path, node) in paths.iter().zip(stored) {
                read.push(node.ok_or_else(|| missing(*path))?);
            }
            if let Some(path) = paths.get(read.len()) {
                return Err(missing(*path));
            }
            let references = StoredNode::references(&read);
            for (((path, reference), node), found) in wanted.iter().zip(&read).zip(references) {
                if !fits(path, node) || found != *reference {
                    return Err(TrieError::Mismatch { trie: self.name(), path: *path });
                }
            }
            nodes.extend(read);
        }
        Ok(nodes)
    }

    /// The leaf of `key`, if that is the one that begins at `depth` and that `reference` names: cheaper to
    /// read than the one that is there, whichever that is.
    fn leaf_of(
        &self,
        key: B256,
        depth: usize,
        reference: &RlpNode,
        buffers: &mut Buffers,
    ) -> Result<Option<Self::Value>, TrieError<Self::Error>> {
        let value = self.get(key).map_err(TrieError::Source)?;
        Ok(value.filter(|value| leaf_reference(&key, depth, value, buffers) == *reference))
    }

    /// The one leaf under `path`, which is to be the one that `reference` names.
    fn leaf(
        &self,
        path: &Nibbles,
        reference: &RlpNode,
        buffers: &mut Buffers,
    ) -> Result<(B256, Self::Value), TrieError<Self::Error>> {
        let mut from = B256::ZERO;
        path.pack_to(from.as_mut_slice());
        let (key, value) = self
            .seek(from)
            .map_err(TrieError::Source)?
            .filter(|(key, _)| path_of(key, path.len()) == *path)
            .ok_or(TrieError::Missing { trie: self.name(), path: *path })?;
        if leaf_reference(&key, path.len(), &value, buffers) != *reference {
            return Err(TrieError::Mismatch { trie: self.name(), path: *path });
        }
        Ok((key, value))
    }

    /// The root of a trie that is not empty.
    fn root(
        &self,
        hash: B256,
        buffers: &mut Buffers,
    ) -> Result<RootNode<Self::Value>, TrieError<Self::Error>> {
        let path = Nibbles::new();
        let mismatch = TrieError::Mismatch { trie: self.name(), path };
        if let Some(node) = self.stored(&path).map_err(TrieError::Source)? {
            let reference = node.reference(&mut buffers.node);
            if node.extension().len() >= 64 || root_hash(&reference) != hash {
                return Err(mismatch);
            }
            return Ok(RootNode::Branch(reference, node));
        }
        let leaf = self.seek(B256::ZERO).map_err(TrieError::Source)?;
        let (key, value) = leaf.ok_or(TrieError::Missing { trie: self.name(), path })?;
        let reference = leaf_reference(&key, 0, &value, buffers);
        if root_hash(&reference) != hash {
            // More than one leaf: the branch over them is not stored.
            return Err(TrieError::Missing { trie: self.name(), path });
        }
        Ok(RootNode::Leaf(reference, key, value))
    }
}

/// Nodes asked of a source at once.
const MOST_AT_ONCE: usize = 256;

/// Whether a branch can stand where `node` does: a key has 64 nibbles, of which the last is left for its children.
fn fits(path: &Nibbles, node: &StoredNode) -> bool {
    path.len() + node.extension().len() < 64
}

/// The node that a whole trie is.
#[derive(Debug)]
pub(crate) enum RootNode<V> {
    Branch(RlpNode, StoredNode),
    Leaf(RlpNode, B256, V),
}

/// Scratch space for hashing.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    pub(crate) node: Vec<u8>,
    pub(crate) value: Vec<u8>,
}

/// What the parent holds of the leaf of `key` that begins at `depth`.
pub(crate) fn leaf_reference(
    key: &B256,
    depth: usize,
    value: &impl Encodable,
    buffers: &mut Buffers,
) -> RlpNode {
    buffers.value.clear();
    value.encode(&mut buffers.value);
    buffers.node.clear();
    let path = Nibbles::unpack_array(&key.0).slice(depth..);
    LeafNodeRef::new(&path, &buffers.value).rlp(&mut buffers.node)
}

/// The account trie of a source.
#[derive(Debug)]
pub(crate) struct AccountReader<'a, S>(pub(crate) &'a S);

/// The storage trie of one account of a source.
#[derive(Debug)]
pub(crate) struct StorageReader<'a, S> {
    pub(crate) source: &'a S,
    pub(crate) hashed_address: B256,
}

impl<S: StateSource> TrieReader for AccountReader<'_, S> {
    type Value = TrieAccount;
    type Error = S::Error;

    fn name(&self) -> TrieName {
        TrieName::Accounts
    }

    fn stored(&self, path: &Nibbles) -> Result<Option<StoredNode>, S::Error> {
        self.0.account_node(path)
    }

    fn stored_many(&self, paths: &[Nibbles]) -> Result<Vec<Option<StoredNode>>, S::Error> {
        self.0.account_nodes(paths)
    }

    fn get(&self, key: B256) -> Result<Option<TrieAccount>, S::Error> {
        self.0.account(key)
    }

    fn seek(&self, from: B256) -> Result<Option<(B256, TrieAccount)>, S::Error> {
        self.0.seek_account(from)
    }
}

impl<S: StateSource> TrieReader for StorageReader<'_, S> {
    type Value = U256;
    type Error = S::Error;

    fn name(&self) -> TrieName {
        TrieName::Storage(self.hashed_address)
    }

    fn stored(&self, path: &Nibbles) -> Result<Option<StoredNode>, S::Error> {
        self.source.storage_node(self.hashed_address, path)
    }

    fn stored_many(&self, paths: &[Nibbles]) -> Result<Vec<Option<StoredNode>>, S::Error> {
        self.source.storage_nodes(self.hashed_address, paths)
    }

    fn get(&self, key: B256) -> Result<Option<U256>, S::Error> {
        let value = self.source.slot(self.hashed_address, key)?;
        Ok(Some(value).filter(|value| !value.is_zero()))
    }

    fn seek(&self, from: B256) -> Result<Option<(B256, U256)>, S::Error> {
        self.source.seek_slot(self.hashed_address, from)
    }
}
