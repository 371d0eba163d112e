//! Reading what a change needs and is not in memory.

use std::sync::Arc;

use alloy_trie::Nibbles;

use super::{EditResult, Editor};
use crate::{
    changing::Edit,
    tree::{Branch, Child, Leaf, Link},
    trie_reader::TrieReader,
};

impl<E: Edit> Editor<'_, E> {
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
