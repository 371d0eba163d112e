//! A stored node of a trie: a branch, with the extension before it where there is one.

use alloy_primitives::B256;
use alloy_rlp::{EMPTY_LIST_CODE, EMPTY_STRING_CODE, Encodable, Header};
use alloy_trie::{
    Nibbles, TrieMask,
    nodes::{BranchNodeRef, ExtensionNodeRef, RlpNode},
};
use openledger_keccak::keccak256_many;
use thiserror::Error;

/// Nibbles of a hashed key, more than an extension can have.
const KEY_NIBBLES: usize = 64;
/// Before a hash in RLP.
const HASH_CODE: u8 = EMPTY_STRING_CODE + 32;

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
        let leaves = TrieMask::new(u16::from_be_bytes(take(&mut rest)?));
        if u16::from_be_bytes(take(&mut rest)?) != !leaves.get() {
            return Err(CorruptNode("a mask of leaves that its complement contradicts"));
        }
        let extension = decode_extension(&mut rest)?;
        let header = Header::decode(&mut rest).map_err(|_| CorruptNode("no RLP"))?;
        if !header.list || header.payload_length != rest.len() {
            return Err(CorruptNode("no RLP list that ends where the bytes end"));
        }
        let mut mask = TrieMask::default();
        let mut children = Vec::with_capacity(rest.len() / 33);
        for nibble in 0..16 {
            let len = match rest.first() {
                None => return Err(CorruptNode("cut short")),
                Some(&EMPTY_STRING_CODE) => {
                    rest = &rest[1..];
                    continue;
                }
                Some(&HASH_CODE) => 1 + B256::len_bytes(),
                // A node shorter than a hash, whole.
                Some(&code @ EMPTY_LIST_CODE..) => 1 + usize::from(code - EMPTY_LIST_CODE),
                Some(_) => return Err(CorruptNode("a child that is neither a hash nor a node")),
            };
            let (child, after) = rest.split_at_checked(len).ok_or(CorruptNode("cut short"))?;
            if len >= B256::len_bytes() && child[0] != HASH_CODE {
                return Err(CorruptNode("an inline child that is not shorter than a hash"));
            }
            children.push(RlpNode::from_raw(child).ok_or(CorruptNode("a child too long"))?);
            mask.set_bit(nibble);
            rest = after;
        }
        if rest != [EMPTY_STRING_CODE] || mask.len() < 2 || !leaves.is_subset_of(mask) {
            return Err(CorruptNode("no branch"));
        }
        Ok(Self { extension, mask, leaves, children })
    }

    /// Appends the encoding that [`Self::decode`] reads: the mask of children that are leaves (`u16`,
    /// big-endian) and its complement, the number of nibbles of the extension (`u8`), the extension packed,
    /// two nibbles a byte, and the branch's RLP.
    ///
    /// The mask is all that the node's hash does not vouch for, hence the complement.
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

    /// What the parents of nodes hold of them, hashed side by side.
    pub(crate) fn references(nodes: &[Self]) -> Vec<RlpNode> {
        let mut rlp = Vec::new();
        let mut ends = Vec::with_capacity(nodes.len());
        for node in nodes {
            BranchNodeRef::new(&node.children, node.mask).encode(&mut rlp);
            ends.push(rlp.len());
        }
        let starts = std::iter::once(0).chain(ends.iter().copied());
        let each: Vec<_> = starts.zip(&ends).map(|(start, &end)| &rlp[start..end]).collect();
        let branches = references(&each);
        let mut buffer = Vec::new();
        let behind = |(branch, node): (RlpNode, &Self)| behind(&node.extension, branch, &mut buffer);
        branches.into_iter().zip(nodes).map(behind).collect()
    }

    /// What the node's parent holds of it.
    pub(crate) fn reference(&self, buffer: &mut Vec<u8>) -> RlpNode {
        buffer.clear();
        let branch = BranchNodeRef::new(&self.children, self.mask).rlp(buffer);
        behind(&self.extension, branch, buffer)
    }
}

/// Where among the children of `mask` the one of `nibble` stands.
pub(crate) fn index_of(mask: TrieMask, nibble: u8) -> usize {
    (mask.get() & ((1 << nibble) - 1)).count_ones() as usize
}

/// What a parent holds of `branch` behind `extension`.
pub(crate) fn behind(extension: &Nibbles, branch: RlpNode, buffer: &mut Vec<u8>) -> RlpNode {
    if extension.is_empty() {
        return branch;
    }
    buffer.clear();
    ExtensionNodeRef::new(extension, &branch).rlp(buffer)
}

/// What parents hold of nodes with this RLP, hashed side by side: nodes shorter than a hash whole.
pub(crate) fn references(rlp: &[&[u8]]) -> Vec<RlpNode> {
    let long: Vec<&[u8]> = rlp.iter().filter(|rlp| rlp.len() >= B256::len_bytes()).copied().collect();
    let mut hashes = keccak256_many(&long).into_iter();
    let reference = |rlp: &&[u8]| match RlpNode::from_raw(rlp) {
        Some(whole) if rlp.len() < B256::len_bytes() => whole,
        _ => RlpNode::word_rlp(&hashes.next().unwrap_or_default()),
    };
    rlp.iter().map(reference).collect()
}

/// Bytes of a row before the branch's RLP.
pub(crate) const fn rlp_start(extension: &Nibbles) -> usize {
    5 + extension.len().div_ceil(2)
}

/// Appends a row, of which the branch's RLP is what is behind [`rlp_start`].
pub(crate) fn encode(
    extension: &Nibbles,
    mask: TrieMask,
    leaves: TrieMask,
    children: &[RlpNode],
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(&leaves.get().to_be_bytes());
    out.extend_from_slice(&(!leaves.get()).to_be_bytes());
    // Fewer than 64 nibbles.
    out.push(extension.len() as u8);
    if !extension.is_empty() {
        out.extend_from_slice(&extension.pack());
    }
    BranchNodeRef::new(children, mask).encode(out);
}

fn decode_extension(rest: &mut &[u8]) -> Result<Nibbles, CorruptNode> {
    let len = usize::from(take::<1>(rest)?[0]);
    if len == 0 {
        return Ok(Nibbles::new());
    }
    if len >= KEY_NIBBLES {
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
