//! Walking one trie of a witness from its root.

use alloy_primitives::B256;
use alloy_rlp::Decodable;
use alloy_trie::{
    EMPTY_ROOT_HASH, Nibbles, TrieMask,
    nodes::{BranchNode, RlpNode, TrieNode},
};
use openledger_trie::StoredNode;

use crate::{Witness, WitnessError};

/// Nibbles of a key.
const KEY_NIBBLES: usize = 64;
const WHAT: &str = "trie node";

/// One trie of a witness.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Walk<'a> {
    pub(crate) witness: &'a Witness,
    pub(crate) root: B256,
}

fn malformed(reason: impl ToString) -> WitnessError {
    WitnessError::Malformed { what: WHAT, reason: reason.to_string() }
}

fn decode(mut rlp: &[u8]) -> Result<TrieNode, WitnessError> {
    TrieNode::decode(&mut rlp).map_err(malformed)
}

/// The child of a branch under `nibble`.
fn child_of(branch: &BranchNode, nibble: u8) -> Option<&RlpNode> {
    let before = (branch.state_mask.get() & ((1 << nibble) - 1)).count_ones() as usize;
    branch.state_mask.is_bit_set(nibble).then(|| branch.stack.get(before)).flatten()
}

impl Walk<'_> {
    fn root(&self) -> Result<Option<TrieNode>, WitnessError> {
        if self.root == EMPTY_ROOT_HASH {
            return Ok(None);
        }
        decode(self.witness.get(WHAT, self.root)?).map(Some)
    }

    fn resolve(&self, reference: &RlpNode) -> Result<TrieNode, WitnessError> {
        match reference.as_hash() {
            Some(hash) => decode(self.witness.get(WHAT, hash)?),
            None => decode(reference.as_slice()),
        }
    }

    /// The value under `key`.
    pub(crate) fn value(&self, key: B256) -> Result<Option<Vec<u8>>, WitnessError> {
        let key = Nibbles::unpack(key);
        let Some(mut current) = self.root()? else { return Ok(None) };
        let mut at = 0;
        loop {
            let reference = match current {
                TrieNode::EmptyRoot => return Ok(None),
                TrieNode::Leaf(leaf) => return Ok((leaf.key == key.slice(at..)).then_some(leaf.value)),
                TrieNode::Extension(extension) => {
                    if !key.slice(at..).starts_with(&extension.key) {
                        return Ok(None);
                    }
                    at += extension.key.len();
                    extension.child
                }
                TrieNode::Branch(branch) => {
                    let Some(child) = key.get(at).and_then(|nibble| child_of(&branch, nibble)) else {
                        return Ok(None);
                    };
                    at += 1;
                    child.clone()
                }
            };
            if at > KEY_NIBBLES {
                return Err(malformed("deeper than a key is long"));
            }
            current = self.resolve(&reference)?;
        }
    }

    /// The branch, with the extension before it, that begins at exactly `path`.
    pub(crate) fn stored(&self, path: &Nibbles) -> Result<Option<StoredNode>, WitnessError> {
        let Some(mut current) = self.root()? else { return Ok(None) };
        let mut at = 0;
        loop {
            let rest = path.slice(at..);
            let reference = match &current {
                TrieNode::EmptyRoot | TrieNode::Leaf(_) => return Ok(None),
                TrieNode::Extension(extension) => {
                    if rest.is_empty() {
                        let branch = self.resolve(&extension.child)?;
                        return self.to_stored(extension.key, branch).map(Some);
                    }
                    // What stands right behind an extension is stored with it, not by itself.
                    if !rest.starts_with(&extension.key) || rest.len() == extension.key.len() {
                        return Ok(None);
                    }
                    at += extension.key.len();
                    extension.child.clone()
                }
                TrieNode::Branch(branch) => {
                    let Some(nibble) = rest.first() else {
                        return self.to_stored(Nibbles::new(), current).map(Some);
                    };
                    let Some(child) = child_of(branch, nibble) else { return Ok(None) };
                    at += 1;
                    child.clone()
                }
            };
            current = self.resolve(&reference)?;
        }
    }

    /// The branch of `node`, with the extension before it.
    fn to_stored(&self, extension: Nibbles, node: TrieNode) -> Result<StoredNode, WitnessError> {
        let TrieNode::Branch(branch) = node else {
            return Err(malformed("an extension that leads to no branch"));
        };
        let mut leaves = TrieMask::default();
        for nibble in 0..16 {
            let Some(child) = child_of(&branch, nibble) else { continue };
            // Of a child that the witness leaves out nobody goes on to read.
            let is_known = child.as_hash().is_none_or(|hash| self.witness.find(hash).is_some());
            if is_known && matches!(self.resolve(child)?, TrieNode::Leaf(_)) {
                leaves.set_bit(nibble);
            }
        }
        StoredNode::new(extension, leaves, branch).map_err(malformed)
    }

    /// The first leaf at or after `from`.
    pub(crate) fn seek(&self, from: B256) -> Result<Option<(B256, Vec<u8>)>, WitnessError> {
        let from = Nibbles::unpack(from);
        match self.root()? {
            None => Ok(None),
            Some(root) => self.seek_under(root, Nibbles::new(), &from),
        }
    }

    /// The first leaf at or after `from` under `node`, which begins at `path`. Every step down lengthens
    /// the path, which is bounded.
    fn seek_under(
        &self,
        node: TrieNode,
        mut path: Nibbles,
        from: &Nibbles,
    ) -> Result<Option<(B256, Vec<u8>)>, WitnessError> {
        match node {
            TrieNode::EmptyRoot => Ok(None),
            TrieNode::Leaf(leaf) => {
                path.extend(&leaf.key);
                if path.len() != KEY_NIBBLES {
                    return Err(malformed("a leaf whose key is not 32 bytes long"));
                }
                Ok((path >= *from).then(|| (B256::from_slice(&path.pack()), leaf.value)))
            }
            TrieNode::Extension(extension) => {
                path.extend(&extension.key);
                if path.len() >= KEY_NIBBLES {
                    return Err(malformed("deeper than a key is long"));
                }
                if path < from.slice(..path.len()) {
                    return Ok(None);
                }
                self.seek_under(self.resolve(&extension.child)?, path, from)
            }
            TrieNode::Branch(branch) => {
                if path.len() >= KEY_NIBBLES {
                    return Err(malformed("deeper than a key is long"));
                }
                for nibble in 0..16 {
                    let Some(child) = child_of(&branch, nibble) else { continue };
                    let mut below = path;
                    below.push(nibble);
                    if below < from.slice(..below.len()) {
                        continue;
                    }
                    let found = self.seek_under(self.resolve(child)?, below, from)?;
                    if found.is_some() {
                        return Ok(found);
                    }
                }
                Ok(None)
            }
        }
    }
}
