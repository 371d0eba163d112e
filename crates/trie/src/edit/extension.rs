//! Keys that leave a trie within an extension.

use std::sync::Arc;

use alloy_primitives::B256;
use alloy_trie::Nibbles;

use crate::tree::{Branch, Child, Link};

/// How many nibbles `key` from `depth` on shares with `extension`.
pub(super) fn common_prefix(key: &B256, depth: usize, extension: &Nibbles) -> usize {
    Nibbles::unpack_array(&key.0).slice(depth..).common_prefix_length(extension)
}

/// Whether `key` stands before all that is behind `extension` at `path`.
pub(super) fn before(key: &B256, path: &Nibbles, extension: &Nibbles) -> bool {
    Nibbles::unpack_array(&key.0) < path.join(extension)
}

/// Makes `branch` one that stands after `fork` nibbles of its extension, with what it was as its only
/// child. Gives the child's nibble.
pub(super) fn split_extension<V>(branch: &mut Branch<V>, fork: usize) -> u8 {
    let extension = branch.extension;
    let nibble = extension.get_unchecked(fork);
    let below = Branch {
        extension: extension.slice(fork + 1..),
        mask: branch.mask,
        leaves: branch.leaves,
        touched: branch.touched,
        references: std::mem::take(&mut branch.references),
        links: std::mem::take(&mut branch.links),
    };
    branch.extension.truncate(fork);
    branch.mask = Default::default();
    branch.leaves = Default::default();
    // Its reference is not right until it is marked as unhashed.
    branch.put(
        nibble,
        Some(Child { reference: Default::default(), is_leaf: false, link: Link::Branch(Arc::new(below)) }),
    );
    nibble
}
