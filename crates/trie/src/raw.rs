//! The root of a trie whose keys are of any length, as Ethereum's trie tests have them.

use std::collections::BTreeMap;

use alloy_primitives::{B256, keccak256};
use alloy_rlp::{EMPTY_STRING_CODE, Encodable, Header};
use alloy_trie::EMPTY_ROOT_HASH;

/// The root over `leaves` in any order; of one key's values the last counts, and an empty value removes
/// the key. Keys may be of any length and prefixes of each other, so a branch may hold a value.
///
/// For what is small: the state's tries have keys of one length and take none of this.
pub fn raw_root(leaves: impl IntoIterator<Item = (impl AsRef<[u8]>, impl AsRef<[u8]>)>) -> B256 {
    let mut sorted = BTreeMap::new();
    for (key, value) in leaves {
        let nibbles: Vec<u8> = key.as_ref().iter().flat_map(|byte| [byte >> 4, byte & 0x0f]).collect();
        if value.as_ref().is_empty() {
            sorted.remove(&nibbles);
        } else {
            sorted.insert(nibbles, value.as_ref().to_vec());
        }
    }
    let leaves: Vec<_> = sorted.iter().map(|(key, value)| (key.as_slice(), value.as_slice())).collect();
    if leaves.is_empty() { EMPTY_ROOT_HASH } else { keccak256(build(&leaves)) }
}

/// A part of the trie that is still to be built, kept on a heap so that long keys cost no stack.
#[derive(Debug)]
struct Open<'a> {
    /// All share `depth` nibbles.
    leaves: &'a [(&'a [u8], &'a [u8])],
    depth: usize,
    /// Payload of the branch so far: items for the children before `next`.
    payload: Vec<u8>,
    /// Nibbles of the extension before the branch.
    extension: &'a [u8],
    next: u8,
}

/// The RLP of the node over `leaves`, at least one.
fn build(leaves: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut open: Vec<Open<'_>> = Vec::new();
    let mut entered = enter(leaves, 0);
    loop {
        let mut done = match entered {
            Entered::Leaf(rlp) => rlp,
            Entered::Branch(branch) => {
                open.push(branch);
                Vec::new()
            }
        };
        // Adds what is done to its parent, and closes parents that are complete.
        loop {
            let Some(top) = open.last_mut() else { return done };
            if !done.is_empty() {
                add_child(&mut top.payload, &done);
                top.next += 1;
            }
            match top.next_child() {
                Some(child) => {
                    entered = enter(child, top.depth + 1);
                    break;
                }
                None => done = open.pop().map(Open::close).unwrap_or_default(),
            }
        }
    }
}

enum Entered<'a> {
    Leaf(Vec<u8>),
    Branch(Open<'a>),
}

/// Begins the node over `leaves`, which share `depth` nibbles.
fn enter<'a>(leaves: &'a [(&'a [u8], &'a [u8])], depth: usize) -> Entered<'a> {
    let (first, last) = (leaves[0].0, leaves[leaves.len() - 1].0);
    if let [(key, value)] = leaves {
        return Entered::Leaf(short_node(&key[depth..], true, |out| value.encode(out)));
    }
    let common = first[depth..].iter().zip(&last[depth..]).take_while(|(a, b)| a == b).count();
    Entered::Branch(Open {
        leaves,
        depth: depth + common,
        payload: Vec::new(),
        extension: &first[depth..depth + common],
        next: 0,
    })
}

impl<'a> Open<'a> {
    /// The leaves under the next nibble that has any; passes over those that have none.
    fn next_child(&mut self) -> Option<&'a [(&'a [u8], &'a [u8])]> {
        while self.next < 16 {
            let nibble_of = |(key, _): &(&[u8], &[u8])| key.get(self.depth).copied();
            let start = self.leaves.partition_point(|leaf| nibble_of(leaf) < Some(self.next));
            let end = self.leaves.partition_point(|leaf| nibble_of(leaf) <= Some(self.next));
            if start < end {
                return Some(&self.leaves[start..end]);
            }
            self.payload.push(EMPTY_STRING_CODE);
            self.next += 1;
        }
        None
    }

    fn close(mut self) -> Vec<u8> {
        // A key that ends here sorts before all that go on.
        let own = self.leaves.first().filter(|(key, _)| key.len() == self.depth);
        own.map_or(&[][..], |(_, value)| value).encode(&mut self.payload);
        let mut branch = Vec::with_capacity(self.payload.len() + 4);
        Header { list: true, payload_length: self.payload.len() }.encode(&mut branch);
        branch.append(&mut self.payload);
        if self.extension.is_empty() {
            return branch;
        }
        short_node(self.extension, false, |out| add_child(out, &branch))
    }
}

/// A node is held by its hash, or whole where that is shorter.
fn add_child(out: &mut Vec<u8>, rlp: &[u8]) {
    if rlp.len() < B256::len_bytes() {
        out.extend_from_slice(rlp);
    } else {
        keccak256(rlp).encode(out);
    }
}

/// A leaf or an extension, its path in hex-prefix encoding.
fn short_node(path: &[u8], is_leaf: bool, add: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let (odd, even) = path.split_at(path.len() % 2);
    let mut prefixed = vec![(u8::from(is_leaf) * 2 + odd.len() as u8) << 4 | odd.first().unwrap_or(&0)];
    prefixed.extend(even.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]));
    let mut payload = Vec::new();
    prefixed.as_slice().encode(&mut payload);
    add(&mut payload);
    let mut rlp = Vec::with_capacity(payload.len() + 4);
    Header { list: true, payload_length: payload.len() }.encode(&mut rlp);
    rlp.append(&mut payload);
    rlp
}
