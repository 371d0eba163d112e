//! A trie and its stored nodes from all its leaves, in constant memory.

use alloy_primitives::{B256, U256};
use alloy_rlp::Encodable;
use alloy_trie::{
    EMPTY_ROOT_HASH, Nibbles, TrieAccount, TrieMask,
    nodes::{LeafNodeRef, RlpNode},
};

use crate::{
    OutOfOrder, node,
    tree::{nibble_at, root_hash},
};

/// Builds one trie from its leaves, pushed in ascending key order, and gives each stored node to `emit`:
/// its path and its encoding, children before their parents. Memory is bounded by the trie's depth.
#[derive(Debug)]
pub struct NodeBuilder<F> {
    emit: F,
    /// The key of the leaf pushed last, which is not placed yet, and its value in `value`.
    last: Option<B256>,
    value: Vec<u8>,
    /// Branches on the way to that leaf, which more leaves may join, from the root down.
    open: Vec<OpenBranch>,
    /// Branches to use again.
    spare: Vec<Vec<RlpNode>>,
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct OpenBranch {
    at: usize,
    mask: TrieMask,
    leaves: TrieMask,
    children: Vec<RlpNode>,
}

impl<F: FnMut(&Nibbles, &[u8])> NodeBuilder<F> {
    /// Builds a trie from nothing. Use `|_, _| ()` where only the root counts.
    pub const fn new(emit: F) -> Self {
        Self { emit, last: None, value: Vec::new(), open: Vec::new(), spare: Vec::new(), buffer: Vec::new() }
    }

    /// Adds an account of the state trie.
    pub fn push_account(&mut self, hashed_address: B256, account: &TrieAccount) -> Result<(), OutOfOrder> {
        self.push(hashed_address, account)
    }

    /// Adds a slot of a storage trie; a zero value is no leaf and is passed over.
    pub fn push_slot(&mut self, hashed_slot: B256, value: U256) -> Result<(), OutOfOrder> {
        if value.is_zero() { Ok(()) } else { self.push(hashed_slot, &value) }
    }

    /// The root over all leaves pushed.
    pub fn root(mut self) -> B256 {
        let Some(last) = self.last.take() else { return EMPTY_ROOT_HASH };
        let Some(top) = self.open.last() else {
            return root_hash(&self.leaf(&last, 0));
        };
        let depth = top.at + 1;
        let mut reference = self.leaf(&last, depth);
        let mut is_leaf = true;
        while let Some(mut branch) = self.open.pop() {
            branch.add(nibble_at(&last, branch.at), reference, is_leaf);
            let start = self.open.last().map_or(0, |parent| parent.at + 1);
            reference = self.close(branch, &last, start);
            is_leaf = false;
        }
        root_hash(&reference)
    }

    fn push(&mut self, key: B256, value: &impl Encodable) -> Result<(), OutOfOrder> {
        if let Some(last) = self.last {
            if key <= last {
                return Err(OutOfOrder { previous: last, key });
            }
            self.place(&last, &key);
        }
        self.last = Some(key);
        self.value.clear();
        value.encode(&mut self.value);
        Ok(())
    }

    /// Places the leaf of `last`, now that the key after it is known, and closes the branches that no leaf
    /// can join any more.
    fn place(&mut self, last: &B256, next: &B256) {
        let common = Nibbles::unpack_array(&last.0).common_prefix_length(&Nibbles::unpack_array(&next.0));
        if self.open.last().is_none_or(|top| top.at < common) {
            self.open_at(common);
        }
        let depth = self.open.last().map_or(0, |top| top.at + 1);
        let leaf = self.leaf(last, depth);
        if let Some(top) = self.open.last_mut() {
            top.add(nibble_at(last, depth - 1), leaf, true);
        }
        while let Some(branch) = self.open.pop_if(|top| top.at > common) {
            if self.open.last().is_none_or(|parent| parent.at < common) {
                self.open_at(common);
            }
            let start = self.open.last().map_or(0, |parent| parent.at + 1);
            let reference = self.close(branch, last, start);
            if let Some(parent) = self.open.last_mut() {
                parent.add(nibble_at(last, start - 1), reference, false);
            }
        }
    }

    fn open_at(&mut self, at: usize) {
        let children = self.spare.pop().unwrap_or_default();
        self.open.push(OpenBranch { at, mask: TrieMask::default(), leaves: TrieMask::default(), children });
    }

    fn close(&mut self, branch: OpenBranch, key: &B256, start: usize) -> RlpNode {
        let path = Nibbles::unpack_array(&key.0);
        let extension = path.slice(start..branch.at);
        let OpenBranch { mask, leaves, mut children, .. } = branch;
        self.buffer.clear();
        node::encode(&extension, mask, leaves, &children, &mut self.buffer);
        let branch = RlpNode::from_rlp(&self.buffer[node::rlp_start(&extension)..]);
        (self.emit)(&path.slice(..start), &self.buffer);
        let reference = node::behind(&extension, branch, &mut self.buffer);
        children.clear();
        self.spare.push(children);
        reference
    }

    fn leaf(&mut self, key: &B256, depth: usize) -> RlpNode {
        self.buffer.clear();
        let path = Nibbles::unpack_array(&key.0).slice(depth..);
        LeafNodeRef::new(&path, &self.value).rlp(&mut self.buffer)
    }
}

impl OpenBranch {
    fn add(&mut self, nibble: u8, reference: RlpNode, is_leaf: bool) {
        self.mask.set_bit(nibble);
        if is_leaf {
            self.leaves.set_bit(nibble);
        }
        self.children.push(reference);
    }
}
