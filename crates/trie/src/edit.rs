//! Changing a trie, in three walks over each part of it: reading the ways to what changes level by level, changing, and
//! hashing level by level from below. What lies on one level is read in one go and hashed side by side.

mod build;
mod extension;
mod fetch;
mod hash;
mod read;

use std::sync::Arc;

use alloy_primitives::B256;
use alloy_trie::Nibbles;
use rayon::prelude::*;

use crate::{
    NodeRows, TrieError,
    changing::{Edit, EditError, Outcome},
    rows::{RowPlace, RowWriter},
    tree::{Branch, Child, Leaf, Link, Tree, nibble_at, path_of},
    trie_reader::{Buffers, RootNode, TrieReader},
};

use self::extension::{before, common_prefix, split_extension};

/// So many changes under one branch are worth sharing out between threads.
const PARALLEL_CHANGES: usize = if cfg!(debug_assertions) { FEW_IN_TESTS } else { 256 };
/// So few that tests whose changes are few share them out, too.
const FEW_IN_TESTS: usize = 12;
/// More levels than a trie has.
const ALL_LEVELS: usize = 64;

type EditResult<T, E> = Result<T, EditError<E>>;
/// The changes under one nibble.
type Group<'c, E> = (u8, &'c [(B256, <E as Edit>::Change)]);

/// Makes `changes`, sorted by key and each key once, in `tree`.
pub(crate) fn edit_tree<E: Edit>(
    edit: &E,
    tree: Tree<E::Value>,
    changes: &[(B256, E::Change)],
    now: u32,
) -> EditResult<Edited<E>, E> {
    let mut editor = Editor::new(edit, now, changes.len());
    let tree = if changes.is_empty() {
        tree
    } else {
        let root = read_root(edit.reader(), tree, now, &mut editor.buffers)?;
        let mut root = editor.edit(root, 0, changes, true)?;
        editor.hash(root.as_mut());
        Tree::of(root)
    };
    Ok(Edited { tree, nodes: editor.rows.finish(), outcome: editor.outcome, grown: editor.grown })
}

/// A trie after its changes.
#[derive(Debug)]
pub(crate) struct Edited<E: Edit> {
    pub(crate) tree: Tree<E::Value>,
    pub(crate) nodes: NodeRows,
    pub(crate) outcome: E::Outcome,
    /// About how many bytes of memory were taken by what was not in memory before.
    pub(crate) grown: usize,
}

/// The root node of `tree`, read if it is not in memory.
pub(crate) fn read_root<R: TrieReader, V: From<R::Value>>(
    reader: &R,
    tree: Tree<V>,
    now: u32,
    buffers: &mut Buffers,
) -> Result<Option<Child<V>>, TrieError<R::Error>> {
    if tree.node.is_some() || tree.hash == alloy_trie::EMPTY_ROOT_HASH {
        return Ok(tree.node);
    }
    let child = match reader.root(tree.hash, buffers)? {
        RootNode::Branch(reference, node) => {
            Child { reference, is_leaf: false, link: Link::Branch(Arc::new(Branch::read(node, now))) }
        }
        RootNode::Leaf(reference, key, value) => {
            let leaf = Leaf { key, value: value.into(), touched: now };
            Child { reference, is_leaf: true, link: Link::Leaf(Arc::new(leaf)) }
        }
    };
    Ok(Some(child))
}

struct Editor<'a, E: Edit> {
    edit: &'a E,
    now: u32,
    rows: RowWriter,
    outcome: E::Outcome,
    buffers: Buffers,
    grown: usize,
    /// Whether what is needed below was read.
    is_fetched: bool,
}

impl<'a, E: Edit> Editor<'a, E> {
    fn new(edit: &'a E, now: u32, changes: usize) -> Self {
        Self {
            edit,
            now,
            rows: RowWriter::for_changes(changes),
            outcome: E::Outcome::default(),
            buffers: Buffers::default(),
            grown: 0,
            is_fetched: false,
        }
    }

    /// Makes `changes`, at least one, in the node that begins at `depth`.
    ///
    /// `keep` says whether the branch above may collapse: then the leaves that change are kept in memory,
    /// because the one that is left moves up. Else they are not, unless they hold more than the source.
    fn edit(
        &mut self,
        node: Option<Child<E::Value>>,
        depth: usize,
        changes: &[(B256, E::Change)],
        keep: bool,
    ) -> EditResult<Option<Child<E::Value>>, E> {
        match node {
            None => {
                let mut leaves = Vec::with_capacity(changes.len());
                for (key, change) in changes {
                    let value = self.changed(*key, None, change)?;
                    leaves.extend(value.map(|value| (*key, value)));
                }
                Ok(self.build(depth, leaves, keep))
            }
            Some(leaf) if leaf.is_leaf => self.edit_leaf(leaf, depth, changes, keep),
            Some(branch) => self.edit_branch(branch, depth, changes, keep, false),
        }
    }

    fn changed(
        &mut self,
        key: B256,
        old: Option<E::Value>,
        change: &E::Change,
    ) -> EditResult<Option<E::Value>, E> {
        self.edit.changed(key, old, change, &mut self.outcome)
    }

    /// What the leaf holds, and whether it was in memory, if it is the one of `key` and that is cheap to
    /// tell.
    fn old_value(
        &mut self,
        child: &mut Child<E::Value>,
        key: B256,
        depth: usize,
        change: &E::Change,
    ) -> EditResult<Option<(E::Value, bool)>, E> {
        match std::mem::replace(&mut child.link, Link::Unread) {
            Link::Leaf(leaf) if leaf.key == key => Ok(Some((Arc::unwrap_or_clone(leaf).value, true))),
            Link::Unread => {
                if let Some(known) = self.edit.known(change) {
                    return Ok(Some((known, false)));
                }
                let (reader, buffers) = (self.edit.reader(), &mut self.buffers);
                let read = reader.leaf_of(key, depth, &child.reference, buffers)?;
                Ok(read.map(|value| (value.into(), false)))
            }
            other => {
                child.link = other;
                Ok(None)
            }
        }
    }

    fn edit_leaf(
        &mut self,
        mut child: Child<E::Value>,
        depth: usize,
        changes: &[(B256, E::Change)],
        keep: bool,
    ) -> EditResult<Option<Child<E::Value>>, E> {
        if let [(key, change)] = changes {
            let old = self.old_value(&mut child, *key, depth, change)?;
            if let Some((old, was_kept)) = old {
                let value = self.changed(*key, Some(old), change)?;
                let Some(value) = value else { return Ok(None) };
                // Where one leaf takes the place of another, no memory is taken.
                self.grown =
                    self.grown.saturating_sub(if was_kept { Leaf::<E::Value>::SIZE_BYTES } else { 0 });
                // Whoever does not know what was there has it read once, not every time.
                let keep = keep || was_kept || self.edit.known(change).is_none();
                return Ok(Some(self.leaf_child(*key, value, depth, keep)));
            }
        }
        let old = self.read_leaf(child, || path_of(&changes[0].0, depth))?;
        let mut old = Some((old.key, Arc::unwrap_or_clone(old).value));
        let mut leaves = Vec::with_capacity(changes.len() + 1);
        for (key, change) in changes {
            leaves.extend(old.take_if(|(old, _)| *old < *key));
            let same = old.take_if(|(old, _)| *old == *key).map(|(_, value)| value);
            let value = self.changed(*key, same, change)?;
            leaves.extend(value.map(|value| (*key, value)));
        }
        leaves.extend(old);
        Ok(self.build(depth, leaves, true))
    }

    fn edit_branch(
        &mut self,
        child: Child<E::Value>,
        depth: usize,
        changes: &[(B256, E::Change)],
        keep: bool,
        moved: bool,
    ) -> EditResult<Option<Child<E::Value>>, E> {
        let path = path_of(&changes[0].0, depth);
        let place = self.rows.place(path);
        let Child { reference, link, .. } = child;
        let mut branch = self.read_branch(link, &path, &reference)?;
        let node = Arc::make_mut(&mut branch);
        node.touched = self.now;
        let mut dirty = moved;
        let keep = keep && changes.iter().any(|(_, change)| self.edit.removes(change));
        // A branch split off from `node` by a new key, and moved below it; it wants a row of its own.
        let mut split = None;
        let mut within = changes;
        if !node.extension.is_empty() {
            let common = |key: &B256| common_prefix(key, depth, &node.extension);
            let fork = changes
                .iter()
                .filter(|(_, change)| !self.edit.removes(change))
                .map(|(key, _)| common(key))
                .min()
                .unwrap_or(node.extension.len());
            let start =
                changes.partition_point(|(key, _)| common(key) < fork && before(key, &path, &node.extension));
            let end = start + changes[start..].partition_point(|(key, _)| common(key) >= fork);
            // Removals of what is not there: the trie stays as it is.
            for (key, change) in changes[..start].iter().chain(&changes[end..]) {
                self.changed(*key, None, change)?;
            }
            within = &changes[start..end];
            if fork < node.extension.len() {
                split = Some(split_extension(node, fork));
                dirty = true;
            }
        }
        let at = depth + node.extension.len();
        dirty |= self.edit_children(node, at, within, keep, split)?;
        match node.mask.len() {
            0 => {
                self.rows.remove(place);
                Ok(None)
            }
            1 => self.collapse(branch, path, place),
            _ if dirty => Ok(Some(unhashed(branch, place))),
            _ => Ok(Some(Child { reference, is_leaf: false, link: Link::Branch(branch) })),
        }
    }

    /// Makes `changes` in the children of `node`, which stands at `at`. Says whether it is another now.
    fn edit_children(
        &mut self,
        node: &mut Branch<E::Value>,
        at: usize,
        changes: &[(B256, E::Change)],
        keep: bool,
        split: Option<u8>,
    ) -> EditResult<bool, E> {
        if let ([(key, _)], None) = (changes, split) {
            let nibble = nibble_at(key, at);
            let child = self.edit(node.take(nibble), at + 1, changes, keep)?;
            return Ok(node.put(nibble, child));
        }
        let mut groups = Vec::with_capacity(16.min(changes.len()));
        for group in changes.chunk_by(|(a, _), (b, _)| nibble_at(a, at) == nibble_at(b, at)) {
            groups.push((nibble_at(&group[0].0, at), group));
        }
        let in_parallel = changes.len() >= PARALLEL_CHANGES && groups.len() > 1 && split.is_none();
        if !self.is_fetched {
            self.fetch(node, at, changes, if in_parallel { 1 } else { ALL_LEVELS })?;
        }
        if in_parallel {
            let mut dirty = false;
            let tasks: Vec<_> =
                groups.into_iter().map(|(nibble, group)| (nibble, node.take(nibble), group)).collect();
            let (edit, now) = (self.edit, self.now);
            let parts: Vec<_> = tasks
                .into_par_iter()
                .map(|(nibble, child, group)| {
                    let mut editor = Self::new(edit, now, group.len());
                    let mut child = editor.edit(child, at + 1, group, keep)?;
                    editor.hash(child.as_mut());
                    Ok((nibble, child, editor))
                })
                .collect::<EditResult<_, E>>()?;
            for (nibble, child, part) in parts {
                dirty |= node.put(nibble, child);
                self.rows.append(part.rows);
                self.outcome.append(part.outcome);
                self.grown += part.grown;
            }
            return Ok(dirty);
        }
        let was_fetched = std::mem::replace(&mut self.is_fetched, true);
        let dirty = self.edit_groups(node, at, groups, keep, split);
        self.is_fetched = was_fetched;
        dirty
    }

    fn edit_groups(
        &mut self,
        node: &mut Branch<E::Value>,
        at: usize,
        groups: Vec<Group<'_, E>>,
        keep: bool,
        mut split: Option<u8>,
    ) -> EditResult<bool, E> {
        let mut dirty = false;
        let first = groups.first().map(|(_, group)| group[0].0).unwrap_or_default();
        for (nibble, group) in groups {
            let child = node.take(nibble);
            let child = match child {
                Some(child) if split == Some(nibble) => {
                    split = None;
                    self.edit_branch(child, at + 1, group, keep, true)?
                }
                child => self.edit(child, at + 1, group, keep)?,
            };
            dirty |= node.put(nibble, child);
        }
        if let Some(nibble) = split
            && let Some(Child { link: Link::Branch(moved), .. }) = node.take(nibble)
        {
            // Nothing changes in it, but where it begins.
            let mut path = path_of(&first, at);
            path.push(nibble);
            let place = self.rows.place(path);
            let moved = unhashed(moved, place);
            node.put(nibble, Some(moved));
        }
        Ok(dirty)
    }

    /// The branch at `path` has one child left: the child takes its place.
    fn collapse(
        &mut self,
        mut branch: Arc<Branch<E::Value>>,
        path: Nibbles,
        place: RowPlace,
    ) -> EditResult<Option<Child<E::Value>>, E> {
        let node = Arc::make_mut(&mut branch);
        let nibble = node.mask.first_set_bit_index().unwrap_or_default();
        let Some(child) = node.take(nibble) else { return Ok(None) };
        let mut child_path = path.join(&node.extension);
        child_path.push(nibble);
        if child.is_leaf {
            self.rows.remove(place);
            let leaf = self.read_leaf(child, || child_path)?;
            let Leaf { key, value, .. } = Arc::unwrap_or_clone(leaf);
            return Ok(Some(self.leaf_child(key, value, path.len(), true)));
        }
        self.rows.remove_path(child_path);
        let mut below = self.read_branch(child.link, &child_path, &child.reference)?;
        let joined = Arc::make_mut(&mut below);
        joined.extension = child_path.slice(path.len()..).join(&joined.extension);
        joined.touched = self.now;
        Ok(Some(unhashed(below, place)))
    }
}

/// A changed branch as its parent holds it until it is hashed and its row is written.
fn unhashed<V>(branch: Arc<Branch<V>>, place: RowPlace) -> Child<V> {
    Child { reference: place.unhashed(), is_leaf: false, link: Link::Branch(branch) }
}
