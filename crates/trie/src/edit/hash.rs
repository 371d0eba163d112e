//! Hashing what changed, level by level from below.

use std::sync::Arc;

use alloy_trie::nodes::RlpNode;

use super::Editor;
use crate::{
    changing::Edit,
    node,
    rows::RowPlace,
    tree::{Branch, Child, Link},
};

/// A branch that is not hashed yet, and the place of its row.
type Unhashed<'t, V> = (RowPlace, &'t mut Branch<V>);

impl<E: Edit> Editor<'_, E> {
    /// Hashes `child` and what is below it, as far as it changed, and writes the rows.
    pub(super) fn hash(&mut self, child: Option<&mut Child<E::Value>>) {
        let Some(Child { reference, link, .. }) = child else { return };
        if let Some(place) = RowPlace::of_unhashed(reference)
            && let Link::Branch(branch) = link
            && let Some(hashed) = self.hash_level(vec![(place, Arc::make_mut(branch))]).pop()
        {
            *reference = hashed;
        }
    }

    /// Hashes branches after those below them; gives what their parents hold of them.
    fn hash_level(&mut self, mut branches: Vec<Unhashed<'_, E::Value>>) -> Vec<RlpNode> {
        let below: Vec<_> = branches.iter_mut().flat_map(|(_, branch)| unhashed_children(branch)).collect();
        if !below.is_empty() {
            let mut hashed = self.hash_level(below).into_iter();
            for (_, branch) in &mut branches {
                let unhashed =
                    branch.references.iter_mut().filter(|child| RowPlace::of_unhashed(child).is_some());
                for (reference, hashed) in unhashed.zip(&mut hashed) {
                    *reference = hashed;
                }
            }
            debug_assert!(hashed.next().is_none(), "an unhashed child is no branch in memory");
        }
        for (place, branch) in &branches {
            debug_assert!(branch.references.iter().all(|child| RowPlace::of_unhashed(child).is_none()));
            self.rows.write(*place, |out| branch.encode(out));
        }
        let rlp: Vec<_> = branches
            .iter()
            .map(|(place, branch)| &self.rows.written(*place)[node::rlp_start(&branch.extension)..])
            .collect();
        let references = node::references(&rlp);
        let buffer = &mut self.buffers.node;
        let behind = |(reference, (_, branch)): (RlpNode, &Unhashed<'_, E::Value>)| {
            node::behind(&branch.extension, reference, buffer)
        };
        references.into_iter().zip(&branches).map(behind).collect()
    }
}

fn unhashed_children<V: Clone>(branch: &mut Branch<V>) -> impl Iterator<Item = Unhashed<'_, V>> {
    branch.references.iter().zip(&mut branch.links).filter_map(|(reference, link)| {
        let place = RowPlace::of_unhashed(reference)?;
        match link {
            Link::Branch(branch) => Some((place, Arc::make_mut(branch))),
            Link::Leaf(_) | Link::Unread => None,
        }
    })
}
