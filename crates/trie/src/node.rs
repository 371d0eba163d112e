//! A stored node of a trie: a branch, with the extension before it where there is one.

use alloy_primitives::B256;
use alloy_trie::{
    Nibbles, TrieMask,
    nodes::{BranchNodeRef, ExtensionNodeRef, RlpNode},
};
use thiserror::Error;

/// Bytes of a hashed key, the most that an extension can pack to.
const KEY_BYTES: usize = 32;

/// A branch of a trie and the extension that leads to it, as it is stored under the path where it begins.
///
/// It holds a reference to every child, leaves included, so that a changed leaf is hashed up to the root
/// without reading what stands beside it. A child that is no leaf is stored under this node's path, its
/// extension and the child's nibble; leaves are in the flat state alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredNode {
    pub(crate) extension: Nibbles,
    pub(crate) mask: TrieMask,
    pub(crate) leaves: TrieMask,
    /// One for each bit of `mask`, lowest first.
    pub(crate) children: Vec<RlpNode>,
}

/// Bytes that are no [`StoredNode`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("stored trie node is corrupt: {0}")]
pub struct CorruptNode(&'static str);

impl StoredNode {
    /// Reads a node from the bytes that [`NodeRows`](crate::NodeRows) gave.
    pub fn decode(bytes: &[u8]) -> Result<Self, CorruptNode> {
        let mut rest = bytes;
        let mask = TrieMask::new(u16::from_be_bytes(take(&mut rest)?));
        let leaves = TrieMask::new(u16::from_be_bytes(take(&mut rest)?));
        let hashes = TrieMask::new(u16::from_be_bytes(take(&mut rest)?));
        let [extension_len] = take(&mut rest)?;
        if mask.len() < 2 || !leaves.is_subset_of(mask) || !hashes.is_subset_of(mask) {
            return Err(CorruptNode("masks that no branch has"));
        }
        let extension = decode_extension(extension_len, &mut rest)?;
        let mut children = Vec::with_capacity(mask.len());
        for nibble in mask.iter() {
            if hashes.is_bit_set(nibble) {
                children.push(RlpNode::word_rlp(&B256::from(take::<KEY_BYTES>(&mut rest)?)));
            } else {
                let [len] = take(&mut rest)?;
                let (inline, after) =
                    rest.split_at_checked(usize::from(len)).ok_or(CorruptNode("cut short"))?;
                if inline.is_empty() || inline.len() >= KEY_BYTES {
                    return Err(CorruptNode("an inline child of a length that none has"));
                }
                children.push(RlpNode::from_raw(inline).ok_or(CorruptNode("an inline child too long"))?);
                rest = after;
            }
        }
        if !rest.is_empty() {
            return Err(CorruptNode("bytes after its end"));
        }
        Ok(Self { extension, mask, leaves, children })
    }

    /// Appends the encoding that [`Self::decode`] reads: masks of children, leaves and hashes (`u16` each,
    /// big-endian), the number of nibbles of the extension (`u8`), the extension packed, two nibbles a
    /// byte, and the children: a hash as it is, a shorter node with its length (`u8`) before it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        encode(&self.extension, self.mask, self.leaves, &self.children, out);
    }

    /// The nibbles between the path that this is stored under and the branch itself.
    pub const fn extension(&self) -> &Nibbles {
        &self.extension
    }

    /// The nibbles under which there are children.
    pub const fn mask(&self) -> TrieMask {
        self.mask
    }

    /// The nibbles under which there are leaves.
    pub const fn leaves(&self) -> TrieMask {
        self.leaves
    }

    pub(crate) fn child(&self, nibble: u8) -> Option<&RlpNode> {
        self.mask.is_bit_set(nibble).then(|| &self.children[index_of(self.mask, nibble)])
    }

    /// What the node's parent holds of it.
    pub(crate) fn reference(&self, buffer: &mut Vec<u8>) -> RlpNode {
        reference(&self.extension, self.mask, &self.children, buffer)
    }
}

/// Where among the children of `mask` the one of `nibble` stands.
pub(crate) fn index_of(mask: TrieMask, nibble: u8) -> usize {
    (mask.get() & ((1 << nibble) - 1)).count_ones() as usize
}

/// What a parent holds of the branch over `children` behind `extension`.
pub(crate) fn reference(
    extension: &Nibbles,
    mask: TrieMask,
    children: &[RlpNode],
    buffer: &mut Vec<u8>,
) -> RlpNode {
    buffer.clear();
    let branch = BranchNodeRef::new(children, mask).rlp(buffer);
    if extension.is_empty() {
        return branch;
    }
    buffer.clear();
    ExtensionNodeRef::new(extension, &branch).rlp(buffer)
}

pub(crate) fn encode(
    extension: &Nibbles,
    mask: TrieMask,
    leaves: TrieMask,
    children: &[RlpNode],
    out: &mut Vec<u8>,
) {
    let mut hashes = 0_u16;
    for (nibble, child) in mask.iter().zip(children) {
        hashes |= u16::from(child.is_hash()) << nibble;
    }
    out.reserve(7 + KEY_BYTES * (children.len() + usize::from(!extension.is_empty())));
    out.extend_from_slice(&mask.get().to_be_bytes());
    out.extend_from_slice(&leaves.get().to_be_bytes());
    out.extend_from_slice(&hashes.to_be_bytes());
    // At most 64 nibbles.
    out.push(extension.len() as u8);
    if !extension.is_empty() {
        out.extend_from_slice(&extension.pack());
    }
    for child in children {
        if child.is_hash() {
            out.extend_from_slice(&child[1..]);
        } else {
            out.push(child.len() as u8);
            out.extend_from_slice(child);
        }
    }
}

fn decode_extension(len: u8, rest: &mut &[u8]) -> Result<Nibbles, CorruptNode> {
    let len = usize::from(len);
    if len == 0 {
        return Ok(Nibbles::new());
    }
    if len >= 2 * KEY_BYTES {
        return Err(CorruptNode("an extension longer than a key"));
    }
    let (packed, after) = rest.split_at_checked(len.div_ceil(2)).ok_or(CorruptNode("cut short"))?;
    *rest = after;
    let mut extension = Nibbles::unpack(packed);
    if len % 2 == 1 && extension.get(len) != Some(0) {
        return Err(CorruptNode("an extension that ends in half a byte that is not zero"));
    }
    extension.truncate(len);
    Ok(extension)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], CorruptNode> {
    let (taken, after) = rest.split_first_chunk().ok_or(CorruptNode("cut short"))?;
    *rest = after;
    Ok(*taken)
}
