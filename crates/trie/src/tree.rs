//! A trie as far as it is in memory.

use std::sync::Arc;

use alloy_primitives::{B256, keccak256};
use alloy_trie::{EMPTY_ROOT_HASH, Nibbles, TrieMask, nodes::RlpNode};

use crate::{StoredNode, node};

/// A trie, of which more or less is in memory.
#[derive(Debug, Clone)]
pub(crate) struct Tree<V> {
    pub(crate) hash: B256,
    /// `None` where the trie is empty, or nothing of it was read.
    pub(crate) node: Option<Child<V>>,
}

/// A node as its parent holds it.
#[derive(Debug, Clone)]
pub(crate) struct Child<V> {
    pub(crate) reference: RlpNode,
    pub(crate) is_leaf: bool,
    pub(crate) link: Link<V>,
}

/// The node itself, if it is in memory.
#[derive(Debug, Clone)]
pub(crate) enum Link<V> {
    Unread,
    Leaf(Arc<Leaf<V>>),
    Branch(Arc<Branch<V>>),
}

#[derive(Debug, Clone)]
pub(crate) struct Leaf<V> {
    pub(crate) key: B256,
    pub(crate) value: V,
    /// When the leaf was read or changed last, counted in changes of the whole state.
    pub(crate) touched: u32,
}

/// A branch with the extension before it.
#[derive(Debug, Clone)]
pub(crate) struct Branch<V> {
    pub(crate) extension: Nibbles,
    pub(crate) mask: TrieMask,
    pub(crate) leaves: TrieMask,
    /// As for [`Leaf::touched`]; never before one of its children.
    pub(crate) touched: u32,
    /// One for each bit of `mask`.
    pub(crate) references: Vec<RlpNode>,
    /// One for each bit of `mask`, or none at all as long as no child is in memory.
    pub(crate) links: Vec<Link<V>>,
}

impl<V> Tree<V> {
    /// The trie with this root, nothing of it in memory.
    pub(crate) const fn unread(hash: B256) -> Self {
        Self { hash, node: None }
    }

    pub(crate) const fn empty() -> Self {
        Self::unread(EMPTY_ROOT_HASH)
    }

    pub(crate) fn of(node: Option<Child<V>>) -> Self {
        let hash = node.as_ref().map_or(EMPTY_ROOT_HASH, |node| root_hash(&node.reference));
        Self { hash, node }
    }
}

/// The root of the trie that `reference` is the whole of: the root is hashed, however short it is.
pub(crate) fn root_hash(reference: &RlpNode) -> B256 {
    reference.as_hash().unwrap_or_else(|| keccak256(reference))
}

impl<V> Branch<V> {
    pub(crate) fn read(stored: StoredNode, touched: u32) -> Self {
        let StoredNode { extension, mask, leaves, children } = stored;
        Self { extension, mask, leaves, touched, references: children, links: Vec::new() }
    }

    /// Takes a child out to be changed; [`Self::put`] must follow.
    pub(crate) fn take(&mut self, nibble: u8) -> Option<Child<V>> {
        if !self.mask.is_bit_set(nibble) {
            return None;
        }
        let index = node::index_of(self.mask, nibble);
        Some(Child {
            reference: self.references[index].clone(),
            is_leaf: self.leaves.is_bit_set(nibble),
            link: match self.links.get_mut(index) {
                Some(link) => std::mem::replace(link, Link::Unread),
                None => Link::Unread,
            },
        })
    }

    /// The place of a child that is in memory, or will be.
    pub(crate) fn link_mut(&mut self, index: usize) -> &mut Link<V> {
        if self.links.is_empty() {
            self.links.resize_with(self.references.len(), || Link::Unread);
        }
        &mut self.links[index]
    }

    /// Puts a child where there was one or none, or removes it. Says whether the branch is another now.
    pub(crate) fn put(&mut self, nibble: u8, child: Option<Child<V>>) -> bool {
        let index = node::index_of(self.mask, nibble);
        let was_there = self.mask.is_bit_set(nibble);
        let Some(child) = child else {
            if was_there {
                self.mask.unset_bit(nibble);
                self.leaves.unset_bit(nibble);
                self.references.remove(index);
                if !self.links.is_empty() {
                    self.links.remove(index);
                }
            }
            return was_there;
        };
        let same = was_there
            && self.leaves.is_bit_set(nibble) == child.is_leaf
            && self.references[index] == child.reference;
        if child.is_leaf {
            self.leaves.set_bit(nibble);
        } else {
            self.leaves.unset_bit(nibble);
        }
        if was_there {
            self.references[index] = child.reference;
        } else {
            self.mask.set_bit(nibble);
            self.references.insert(index, child.reference);
            // Without links there is no place to be made.
            if !self.links.is_empty() {
                self.links.insert(index, Link::Unread);
            }
        }
        if !(self.links.is_empty() && matches!(child.link, Link::Unread)) {
            *self.link_mut(index) = child.link;
        }
        !same
    }

    /// Where the child of `nibble` stands, if it is a branch that is not in memory.
    pub(crate) fn unread_branch(&self, nibble: u8) -> Option<usize> {
        let index = node::index_of(self.mask, nibble);
        let is_branch = self.mask.is_bit_set(nibble) && !self.leaves.is_bit_set(nibble);
        (is_branch && matches!(self.links.get(index), None | Some(Link::Unread))).then_some(index)
    }

    /// Appends the row that stores the branch.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        node::encode(&self.extension, self.mask, self.leaves, &self.references, out);
    }

    /// About how many bytes of memory the branch takes, without its children.
    pub(crate) const fn size_bytes(&self) -> usize {
        size_of::<Self>()
            + 3 * ALLOCATION_BYTES
            + self.references.len() * size_of::<RlpNode>()
            + self.links.len() * size_of::<Link<V>>()
    }
}

impl<V> Leaf<V> {
    /// About how many bytes of memory a leaf takes.
    pub(crate) const SIZE_BYTES: usize = size_of::<Self>() + ALLOCATION_BYTES;
}

/// What an allocation takes beside its contents.
const ALLOCATION_BYTES: usize = 16;

/// The nibble of `key` at `depth`, which must be less than 64.
pub(crate) fn nibble_at(key: &B256, depth: usize) -> u8 {
    let byte = key[depth / 2];
    if depth.is_multiple_of(2) { byte >> 4 } else { byte & 0x0f }
}

/// The first `depth` nibbles of `key`.
pub(crate) fn path_of(key: &B256, depth: usize) -> Nibbles {
    let mut path = Nibbles::unpack_array(&key.0);
    path.truncate(depth);
    path
}
