//! Reading the ways to all changes before the first is made.

use std::sync::Arc;

use alloy_primitives::B256;

use super::{EditResult, Editor};
use crate::{
    changing::Edit,
    node,
    tree::{Branch, Link, nibble_at, path_of},
    trie_reader::TrieReader,
};

/// A branch, where it stands, and the changes that go through it.
struct Way<'t, 'c, V, C> {
    branch: &'t mut Branch<V>,
    at: usize,
    changes: &'c [(B256, C)],
}

impl<E: Edit> Editor<'_, E> {
    /// Reads the branches on the ways to `changes` that are not in memory, `levels` below `top`, which stands at `at`.
    ///
    /// Each level is read in one go and hashed side by side. Of branches that are in memory the processor sees a
    /// level at a time, too, and need not wait for one after the other.
    pub(super) fn fetch(
        &mut self,
        top: &mut Branch<E::Value>,
        at: usize,
        changes: &[(B256, E::Change)],
        levels: usize,
    ) -> EditResult<(), E> {
        let mut ways = vec![Way { branch: top, at, changes }];
        for _ in 0..levels {
            let mut wanted = Vec::new();
            for Way { branch, at, changes } in &ways {
                for group in by_nibble(changes, *at) {
                    let key = &group[0].0;
                    if let Some(index) = branch.unread_branch(nibble_at(key, *at)) {
                        wanted.push((path_of(key, at + 1), branch.references[index].clone()));
                    }
                }
            }
            let mut read =
                self.edit.reader().nodes(&wanted)?.into_iter().map(|node| Branch::read(node, self.now));
            let mut below = Vec::new();
            for way in ways {
                way.descend(&mut read, &mut self.grown, &mut below);
            }
            debug_assert!(read.next().is_none(), "a node was read that no way goes through");
            ways = below;
            if ways.is_empty() {
                break;
            }
        }
        Ok(())
    }
}

impl<'t, 'c, V: Clone, C> Way<'t, 'c, V, C> {
    /// Puts what was `read` for this branch in its place, and goes on to the branches below.
    fn descend(self, read: &mut impl Iterator<Item = Branch<V>>, grown: &mut usize, below: &mut Vec<Self>) {
        let Self { branch, at, changes } = self;
        let (mask, leaves) = (branch.mask, branch.leaves);
        let is_branch = |nibble| mask.is_bit_set(nibble) && !leaves.is_bit_set(nibble);
        if !by_nibble(changes, at).any(|group| is_branch(nibble_at(&group[0].0, at))) {
            return;
        }
        if branch.links.is_empty() {
            branch.links.resize_with(branch.references.len(), || Link::Unread);
        }
        let mut links = branch.links.iter_mut().enumerate();
        for group in by_nibble(changes, at) {
            let nibble = nibble_at(&group[0].0, at);
            if !is_branch(nibble) {
                continue;
            }
            let index = node::index_of(mask, nibble);
            let Some((_, link)) = links.find(|(at, _)| *at == index) else { return };
            if matches!(link, Link::Unread) {
                let Some(branch) = read.next() else { return };
                *grown += branch.size_bytes();
                *link = Link::Branch(Arc::new(branch));
            }
            if let Link::Branch(branch) = link {
                let branch = Arc::make_mut(branch);
                let start = at + 1;
                let at = start + branch.extension.len();
                let changes = behind(group, start, branch);
                if !changes.is_empty() {
                    below.push(Way { branch, at, changes });
                }
            }
        }
    }
}

fn by_nibble<C>(changes: &[(B256, C)], at: usize) -> impl Iterator<Item = &[(B256, C)]> {
    changes.chunk_by(move |(a, _), (b, _)| nibble_at(a, at) == nibble_at(b, at))
}

/// Those of `changes` whose keys follow the extension of `branch` from `start` on.
fn behind<'c, V, C>(changes: &'c [(B256, C)], start: usize, branch: &Branch<V>) -> &'c [(B256, C)] {
    let extension = &branch.extension;
    if extension.is_empty() {
        return changes;
    }
    let end = start + extension.len();
    let nibbles = |key: &B256| path_of(key, end).slice(start..);
    let first = changes.partition_point(|(key, _)| nibbles(key) < *extension);
    let count = changes[first..].partition_point(|(key, _)| nibbles(key) == *extension);
    &changes[first..first + count]
}
