//! Reading into memory what a change will need, before it is made.

use std::sync::Arc;

use alloy_primitives::{B256, U256};

use crate::{
    SlotChange, StateSource, TrieError,
    account_edit::{AccountAndStorage, AccountLeaf},
    edit::read_root,
    tree::{Branch, Child, Leaf, Link, Tree, nibble_at, path_of},
    trie_reader::{AccountReader, Buffers, StorageReader, TrieReader},
};

/// What is wanted of the leaves of one trie.
pub(crate) trait Want {
    type Reader: TrieReader;
    type Value: From<<Self::Reader as TrieReader>::Value> + Clone;
    type Change;

    fn reader(&self) -> &Self::Reader;
    /// Whether the change needs the leaf itself.
    fn leaf_is_needed(&self, change: &Self::Change) -> bool;
    /// Goes on below a leaf that is in memory; gives the bytes of memory that this took.
    fn below(&self, leaf: &mut Arc<Leaf<Self::Value>>, change: &Self::Change) -> WantResult<Self, usize>;
}

type WantResult<W, T = ()> = Result<T, TrieError<<<W as Want>::Reader as TrieReader>::Error>>;

/// Reads the ways to `changes`, sorted by key, as far as they are not in memory. Gives the bytes of memory
/// that this took.
pub(crate) fn prefetch_tree<W: Want>(
    want: &W,
    tree: &mut Tree<W::Value>,
    changes: &[(B256, W::Change)],
    now: u32,
) -> WantResult<W, usize> {
    let mut prefetch = Prefetch { want, now, buffers: Buffers::default(), grown: 0 };
    let taken = std::mem::replace(tree, Tree::unread(tree.hash));
    tree.node = read_root(want.reader(), taken, now, &mut prefetch.buffers)?;
    match &mut tree.node {
        Some(child) if child.is_leaf => prefetch.leaf(&mut child.link, changes)?,
        Some(Child { link: Link::Branch(branch), .. }) => prefetch.branch(branch, 0, changes)?,
        _ => {}
    }
    Ok(prefetch.grown)
}

struct Prefetch<'a, W> {
    want: &'a W,
    now: u32,
    buffers: Buffers,
    /// Bytes of memory taken.
    grown: usize,
}

impl<W: Want> Prefetch<'_, W> {
    fn leaf(&mut self, link: &mut Link<W::Value>, changes: &[(B256, W::Change)]) -> WantResult<W> {
        let Link::Leaf(leaf) = link else { return Ok(()) };
        if let Ok(index) = changes.binary_search_by_key(&leaf.key, |(key, _)| *key) {
            self.grown += self.want.below(leaf, &changes[index].1)?;
        }
        Ok(())
    }

    fn branch(
        &mut self,
        branch: &mut Arc<Branch<W::Value>>,
        depth: usize,
        changes: &[(B256, W::Change)],
    ) -> WantResult<W> {
        let at = depth + branch.extension.len();
        let node = Arc::make_mut(branch);
        node.touched = self.now;
        let behind = |key: &B256| path_of(key, at).slice(depth..) == node.extension;
        let within: Vec<_> = changes
            .chunk_by(|(a, _), (b, _)| path_of(a, at + 1) == path_of(b, at + 1))
            .filter(|group| behind(&group[0].0))
            .map(|group| (nibble_at(&group[0].0, at), group))
            .collect();
        let unread = within.iter().filter_map(|(nibble, group)| {
            let index = node.unread_branch(*nibble)?;
            Some((index, (path_of(&group[0].0, at + 1), node.references[index].clone())))
        });
        let (indices, wanted): (Vec<_>, Vec<_>) = unread.unzip();
        for (index, stored) in indices.into_iter().zip(self.want.reader().nodes(&wanted)?) {
            let below = Branch::read(stored, self.now);
            self.grown += below.size_bytes();
            *node.link_mut(index) = Link::Branch(Arc::new(below));
        }
        for (nibble, group) in within {
            if !node.mask.is_bit_set(nibble) {
                continue;
            }
            let index = crate::node::index_of(node.mask, nibble);
            let reference = node.references[index].clone();
            let link = node.link_mut(index);
            match link {
                Link::Branch(below) => self.branch(below, at + 1, group)?,
                Link::Leaf(_) => self.leaf(link, group)?,
                Link::Unread if group.iter().any(|(_, change)| self.want.leaf_is_needed(change)) => {
                    let path = path_of(&group[0].0, at + 1);
                    let reader = self.want.reader();
                    let (key, value) = reader.leaf(&path, &reference, &mut self.buffers)?;
                    self.grown += Leaf::<W::Value>::SIZE_BYTES;
                    *link = Link::Leaf(Arc::new(Leaf { key, value: value.into(), touched: self.now }));
                    self.leaf(link, group)?;
                }
                Link::Unread => {}
            }
        }
        Ok(())
    }
}

/// What changes of accounts and of their storage need.
#[derive(Debug)]
pub(crate) struct WantAccounts<'a, S> {
    pub(crate) reader: AccountReader<'a, S>,
    pub(crate) now: u32,
}

impl<'a, S: StateSource> Want for WantAccounts<'a, S> {
    type Reader = AccountReader<'a, S>;
    type Value = AccountLeaf;
    type Change = AccountAndStorage<'a>;

    fn reader(&self) -> &Self::Reader {
        &self.reader
    }

    fn leaf_is_needed(&self, change: &Self::Change) -> bool {
        change.storage.is_some() || change.known_storage_root().is_none()
    }

    fn below(&self, leaf: &mut Arc<Leaf<AccountLeaf>>, change: &Self::Change) -> WantResult<Self, usize> {
        let Some(storage) = change.storage.filter(|storage| !storage.wiped && !storage.slots.is_empty())
        else {
            return Ok(0);
        };
        let want = WantSlots(StorageReader { source: self.reader.0, hashed_address: leaf.key });
        let slots: Vec<_> = storage.slots.iter().map(|(slot, change)| (*slot, *change)).collect();
        let leaf = Arc::make_mut(leaf);
        leaf.touched = self.now;
        let mut tree = leaf.value.take_storage();
        let grown = prefetch_tree(&want, &mut tree, &slots, self.now);
        leaf.value.put_storage(tree);
        grown
    }
}

#[derive(Debug)]
struct WantSlots<'a, S>(StorageReader<'a, S>);

impl<'a, S: StateSource> Want for WantSlots<'a, S> {
    type Reader = StorageReader<'a, S>;
    type Value = U256;
    type Change = SlotChange;

    fn reader(&self) -> &Self::Reader {
        &self.0
    }

    fn leaf_is_needed(&self, change: &SlotChange) -> bool {
        !change.was_set
    }

    fn below(&self, _: &mut Arc<Leaf<U256>>, _: &SlotChange) -> WantResult<Self, usize> {
        Ok(0)
    }
}
