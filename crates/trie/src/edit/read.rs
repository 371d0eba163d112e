//! Reading what a change needs and is not in memory.

use std::sync::Arc;

use alloy_primitives::B256;
use alloy_trie::Nibbles;

use super::{EditResult, Editor, Group};
use crate::{
    TrieError,
    changing::Edit,
    tree::{Branch, Child, Leaf, Link, path_of},
    trie_reader::TrieReader,
};

impl<E: Edit> Editor<'_, E> {
    /// Reads the children that `groups` go to and that are not in memory, all at once.
    pub(super) fn read_children(
        &mut self,
        node: &mut Branch<E::Value>,
        at: usize,
        groups: &[Group<'_, E>],
    ) -> EditResult<(), E> {
        let path = |key: &B256| path_of(key, at + 1);
        let unread = groups.iter().filter_map(|(nibble, group)| {
            let index = node.unread_branch(*nibble)?;
            Some((index, path(&group[0].0)))
        });
        let (indices, paths): (Vec<_>, Vec<_>) = unread.unzip();
        // A single one is read when it is its turn.
        if paths.len() > 1 {
            let read = self.edit.reader().stored_many(&paths).map_err(TrieError::Source)?;
            let mut read = read.into_iter();
            for (index, path) in indices.into_iter().zip(&paths) {
                let stored = read.next().flatten();
                let reference = &node.references[index];
                let stored = self.edit.reader().checked(path, reference, stored, &mut self.buffers.node)?;
                let below = Branch::read(stored, self.now);
                self.grown += below.size_bytes();
                *node.link_mut(index) = Link::Branch(Arc::new(below));
            }
        }
        Ok(())
    }

    pub(super) fn read_branch(
        &mut self,
        link: Link<E::Value>,
        path: &Nibbles,
        reference: &alloy_trie::nodes::RlpNode,
    ) -> EditResult<Arc<Branch<E::Value>>, E> {
        if let Link::Branch(branch) = link {
            return Ok(branch);
        }
        let stored = self.edit.reader().node(path, reference, &mut self.buffers.node)?;
        let branch = Branch::read(stored, self.now);
        self.grown += branch.size_bytes();
        Ok(Arc::new(branch))
    }

    pub(super) fn read_leaf(
        &mut self,
        child: Child<E::Value>,
        path: impl FnOnce() -> Nibbles,
    ) -> EditResult<Arc<Leaf<E::Value>>, E> {
        if let Link::Leaf(leaf) = child.link {
            return Ok(leaf);
        }
        let (key, value) = self.edit.reader().leaf(&path(), &child.reference, &mut self.buffers)?;
        Ok(Arc::new(Leaf { key, value: value.into(), touched: self.now }))
    }
}
