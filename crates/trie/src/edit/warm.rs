//! Having memory ready before it is needed.

use alloy_primitives::B256;

use crate::{
    node,
    tree::{Branch, Link, nibble_at},
};

/// Below so few changes, the ways to all of them are touched before the first is made.
pub(super) const WARM_CHANGES: usize = 48;

/// Touches what is in memory on the ways to `changes`, level by level, so that the processor waits for the
/// memory of many nodes at once and not of one after the other.
pub(super) fn warm<V, C>(top: &Branch<V>, at: usize, changes: &[(B256, C)]) {
    let mut front: Vec<(&Branch<V>, usize, &B256)> = changes.iter().map(|(key, _)| (top, at, key)).collect();
    let mut touched = 0;
    while !front.is_empty() {
        front.retain_mut(|(branch, at, key)| {
            let index = node::index_of(branch.mask, nibble_at(key, *at));
            match branch.links.get(index) {
                Some(Link::Branch(below)) => {
                    *branch = below;
                    return true;
                }
                Some(Link::Leaf(leaf)) => touched ^= leaf.touched as usize,
                Some(Link::Unread) | None => {}
            }
            false
        });
        for (branch, at, _) in &mut front {
            *at += 1 + branch.extension.len();
            touched ^= branch.references.iter().step_by(2).fold(0, |sum, reference| sum ^ reference.len());
        }
        front.retain(|(_, at, _)| *at < 64);
    }
    std::hint::black_box(touched);
}
