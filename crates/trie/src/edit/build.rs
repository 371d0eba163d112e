//! Building what was not there before.

use std::sync::Arc;

use alloy_primitives::B256;
use alloy_trie::Nibbles;

use super::{Editor, unhashed};
use crate::{
    changing::Edit,
    tree::{Branch, Child, Leaf, Link, nibble_at},
    trie_reader::leaf_reference,
};

impl<E: Edit> Editor<'_, E> {
    pub(super) fn leaf_child(
        &mut self,
        key: B256,
        value: E::Value,
        depth: usize,
        keep: bool,
    ) -> Child<E::Value> {
        let reference = leaf_reference(&key, depth, &value, &mut self.buffers);
        let link = if keep || self.edit.holds_more(&value) {
            self.grown += Leaf::<E::Value>::SIZE_BYTES;
            Link::Leaf(Arc::new(Leaf { key, value, touched: self.now }))
        } else {
            Link::Unread
        };
        Child { reference, is_leaf: true, link }
    }

    /// Builds a trie of `leaves`, sorted by key, that begins at `depth`.
    pub(super) fn build(
        &mut self,
        depth: usize,
        mut leaves: Vec<(B256, E::Value)>,
        keep: bool,
    ) -> Option<Child<E::Value>> {
        if leaves.len() < 2 {
            let (key, value) = leaves.pop()?;
            return Some(self.leaf_child(key, value, depth, keep));
        }
        let mut leaves = leaves.into_iter();
        let keys: Vec<_> = leaves.as_slice().iter().map(|(key, _)| *key).collect();
        Some(self.build_branch(depth, &keys, &mut leaves, keep))
    }

    /// Builds the branch over `keys`, at least two, whose values come next in `leaves`.
    fn build_branch(
        &mut self,
        depth: usize,
        keys: &[B256],
        leaves: &mut impl Iterator<Item = (B256, E::Value)>,
        keep: bool,
    ) -> Child<E::Value> {
        let path = Nibbles::unpack_array(&keys[0].0);
        let place = self.rows.place(path.slice(..depth));
        let at = path.common_prefix_length(&Nibbles::unpack_array(&keys[keys.len() - 1].0));
        let mut branch = Branch {
            extension: path.slice(depth..at),
            mask: Default::default(),
            leaves: Default::default(),
            touched: self.now,
            references: Vec::new(),
            links: Vec::new(),
        };
        for group in keys.chunk_by(|a, b| nibble_at(a, at) == nibble_at(b, at)) {
            let child = if group.len() > 1 {
                Some(self.build_branch(at + 1, group, leaves, keep))
            } else {
                leaves.next().map(|(key, value)| self.leaf_child(key, value, at + 1, keep))
            };
            branch.put(nibble_at(&group[0], at), child);
        }
        self.grown += branch.size_bytes();
        unhashed(Arc::new(branch), place)
    }
}
