//! Bounding what of a trie is in memory.

use std::{collections::BTreeMap, sync::Arc};

use alloy_primitives::U256;

use crate::{
    account_edit::AccountLeaf,
    tree::{Branch, Leaf, Link, Tree},
};

/// What may hang below a leaf.
pub(crate) trait Below: Clone {
    /// Tells the age and the size of everything below.
    fn weigh(&self, now: u32, weigh: &mut impl FnMut(u32, usize));
    /// Lets go of what is older than `age`.
    fn forget(&mut self, now: u32, age: u32);
    /// Whether anything below is older than `age`.
    fn has_old(&self, now: u32, age: u32) -> bool;
}

impl Below for U256 {
    fn weigh(&self, _: u32, _: &mut impl FnMut(u32, usize)) {}

    fn forget(&mut self, _: u32, _: u32) {}

    fn has_old(&self, _: u32, _: u32) -> bool {
        false
    }
}

impl Below for AccountLeaf {
    fn weigh(&self, now: u32, weigh: &mut impl FnMut(u32, usize)) {
        if let Some(node) = self.storage() {
            node.link.weigh(now, weigh);
        }
    }

    fn forget(&mut self, now: u32, age: u32) {
        let mut storage = self.take_storage();
        storage.forget(now, age);
        self.put_storage(storage);
    }

    fn has_old(&self, now: u32, age: u32) -> bool {
        self.storage().is_some_and(|node| node.link.has_old(now, age))
    }
}

impl<V: Below> Tree<V> {
    /// Bytes in memory by how many changes ago they were touched last.
    pub(crate) fn weigh_by_age(&self, now: u32) -> BTreeMap<u32, usize> {
        let mut by_age = BTreeMap::new();
        if let Some(node) = &self.node {
            node.link.weigh(now, &mut |age, bytes| *by_age.entry(age).or_default() += bytes);
        }
        by_age
    }

    pub(crate) fn forget(&mut self, now: u32, age: u32) {
        let Some(node) = &mut self.node else { return };
        node.link.forget(now, age);
        if matches!(node.link, Link::Unread) {
            self.node = None;
        }
    }
}

impl<V: Below> Link<V> {
    fn weigh(&self, now: u32, weigh: &mut impl FnMut(u32, usize)) {
        match self {
            Self::Unread => {}
            Self::Leaf(leaf) => {
                weigh(now.wrapping_sub(leaf.touched), Leaf::<V>::SIZE_BYTES);
                leaf.value.weigh(now, weigh);
            }
            Self::Branch(branch) => {
                weigh(now.wrapping_sub(branch.touched), branch.size_bytes());
                branch.links.iter().for_each(|link| link.weigh(now, weigh));
            }
        }
    }

    fn touched(&self) -> Option<u32> {
        match self {
            Self::Unread => None,
            Self::Leaf(leaf) => Some(leaf.touched),
            Self::Branch(branch) => Some(branch.touched),
        }
    }

    /// Whether it or anything below it is older than `age`.
    fn has_old(&self, now: u32, age: u32) -> bool {
        self.touched().is_some_and(|touched| now.wrapping_sub(touched) > age)
            || match self {
                Self::Unread => false,
                Self::Leaf(leaf) => leaf.value.has_old(now, age),
                Self::Branch(branch) => branch.links.iter().any(|link| link.has_old(now, age)),
            }
    }

    fn forget(&mut self, now: u32, age: u32) {
        if self.touched().is_some_and(|touched| now.wrapping_sub(touched) > age) {
            *self = Self::Unread;
            return;
        }
        match self {
            Self::Unread => {}
            // What is shared and young all through stays shared.
            Self::Leaf(leaf) if leaf.value.has_old(now, age) => {
                Arc::make_mut(leaf).value.forget(now, age);
            }
            Self::Leaf(_) => {}
            Self::Branch(branch) => forget_below(branch, now, age),
        }
    }
}

fn forget_below<V: Below>(branch: &mut Arc<Branch<V>>, now: u32, age: u32) {
    if Arc::get_mut(branch).is_none() && !branch.links.iter().any(|link| link.has_old(now, age)) {
        return;
    }
    Arc::make_mut(branch).links.iter_mut().for_each(|link| link.forget(now, age));
}
