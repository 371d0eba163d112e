//! A trie of which only some nodes are known: leaves are set and removed, and the root follows.
//!
//! What the witness leaves out stays a hash for as long as no change needs it.

use alloy_primitives::{B256, keccak256};
use alloy_rlp::Decodable;
use alloy_trie::{
    EMPTY_ROOT_HASH, Nibbles, TrieMask,
    nodes::{BranchNodeRef, ExtensionNodeRef, LeafNodeRef, RlpNode, TrieNode},
};

use crate::{Witness, WitnessError};

const WHAT: &str = "trie node";

fn malformed(reason: impl ToString) -> WitnessError {
    WitnessError::Malformed { what: WHAT, reason: reason.to_string() }
}

/// A node and what is below it.
#[derive(Debug, Clone, Default)]
enum Node {
    #[default]
    Empty,
    /// Known by what its parent holds of it alone.
    Unread(RlpNode),
    Leaf(Nibbles, Vec<u8>),
    /// Its key is not empty; what follows is a branch.
    Extension(Nibbles, Box<Self>),
    /// Two children at least.
    Branch(Box<[Self; 16]>),
}

/// A trie with known root, in part.
#[derive(Debug, Clone)]
pub(crate) struct SparseTrie<'a> {
    witness: &'a Witness,
    root: Node,
}

impl<'a> SparseTrie<'a> {
    pub(crate) fn new(witness: &'a Witness, root: B256) -> Self {
        let root = if root == EMPTY_ROOT_HASH { Node::Empty } else { Node::Unread(RlpNode::word_rlp(&root)) };
        Self { witness, root }
    }

    /// Makes changes by key, where `None` removes: what is set comes first, so that no node is asked for that
    /// the result does not need.
    pub(crate) fn apply(&mut self, changes: Vec<(B256, Option<Vec<u8>>)>) -> Result<(), WitnessError> {
        let (set, removed): (Vec<_>, Vec<_>) = changes.into_iter().partition(|(_, value)| value.is_some());
        for (key, value) in set {
            let root = std::mem::take(&mut self.root);
            self.root = self.set(root, Nibbles::unpack(key), value.unwrap_or_default())?;
        }
        for (key, _) in removed {
            let root = std::mem::take(&mut self.root);
            self.root = self.remove(root, Nibbles::unpack(key))?;
        }
        Ok(())
    }

    /// The value under `key`.
    pub(crate) fn value(&self, key: B256) -> Result<Option<Vec<u8>>, WitnessError> {
        let mut key = Nibbles::unpack(key);
        let mut node = self.root.clone();
        loop {
            node = match node {
                Node::Empty => return Ok(None),
                Node::Unread(reference) => self.read(&reference)?,
                Node::Leaf(rest, value) => return Ok((rest == key).then_some(value)),
                Node::Extension(prefix, below) => {
                    if !key.starts_with(&prefix) {
                        return Ok(None);
                    }
                    key = key.slice(prefix.len()..);
                    *below
                }
                Node::Branch(mut children) => {
                    let (nibble, rest) = split_first(key)?;
                    key = rest;
                    std::mem::take(&mut children[nibble])
                }
            };
        }
    }

    pub(crate) fn root(&self) -> B256 {
        if matches!(self.root, Node::Empty) {
            return EMPTY_ROOT_HASH;
        }
        let reference = encode(&self.root);
        reference.as_hash().unwrap_or_else(|| keccak256(reference.as_slice()))
    }

    fn read(&self, reference: &RlpNode) -> Result<Node, WitnessError> {
        let mut rlp = match reference.as_hash() {
            Some(hash) => self.witness.get(WHAT, hash)?,
            None => reference.as_slice(),
        };
        Ok(match TrieNode::decode(&mut rlp).map_err(malformed)? {
            TrieNode::EmptyRoot => Node::Empty,
            TrieNode::Leaf(leaf) => Node::Leaf(leaf.key, leaf.value),
            // It would consume nothing of a key, and the way down must end.
            TrieNode::Extension(extension) if extension.key.is_empty() => {
                return Err(malformed("an extension without a key"));
            }
            TrieNode::Extension(extension) => {
                Node::Extension(extension.key, Box::new(Node::Unread(extension.child)))
            }
            TrieNode::Branch(branch) => {
                let mut stack = branch.stack.into_iter();
                let mut child = |nibble| {
                    let is_set = branch.state_mask.is_bit_set(nibble);
                    is_set.then(|| stack.next()).flatten().map_or(Node::Empty, Node::Unread)
                };
                Node::Branch(Box::new(std::array::from_fn(|nibble| child(nibble as u8))))
            }
        })
    }

    /// Every step down shortens the key, so its length bounds the depth.
    fn set(&self, node: Node, key: Nibbles, value: Vec<u8>) -> Result<Node, WitnessError> {
        Ok(match node {
            Node::Empty => Node::Leaf(key, value),
            Node::Unread(reference) => self.set(self.read(&reference)?, key, value)?,
            Node::Leaf(other, _) if other == key => Node::Leaf(key, value),
            Node::Leaf(other, old) => {
                let common = common_prefix(&other, &key);
                let mut children = Box::<[Node; 16]>::default();
                for (key, value) in [(other, old), (key, value)] {
                    let (nibble, rest) = split_first(key.slice(common..))?;
                    children[nibble] = Node::Leaf(rest, value);
                }
                behind(key.slice(..common), Node::Branch(children))
            }
            Node::Extension(prefix, below) => {
                let common = common_prefix(&prefix, &key);
                if common == prefix.len() {
                    let below = self.set(*below, key.slice(common..), value)?;
                    return Ok(Node::Extension(prefix, Box::new(below)));
                }
                let mut children = Box::<[Node; 16]>::default();
                let (nibble, rest) = split_first(prefix.slice(common..))?;
                children[nibble] = behind(rest, *below);
                let (nibble, rest) = split_first(key.slice(common..))?;
                children[nibble] = Node::Leaf(rest, value);
                behind(key.slice(..common), Node::Branch(children))
            }
            Node::Branch(mut children) => {
                let (nibble, rest) = split_first(key)?;
                let child = std::mem::take(&mut children[nibble]);
                children[nibble] = self.set(child, rest, value)?;
                Node::Branch(children)
            }
        })
    }

    fn remove(&self, node: Node, key: Nibbles) -> Result<Node, WitnessError> {
        Ok(match node {
            Node::Empty => Node::Empty,
            Node::Unread(reference) => self.remove(self.read(&reference)?, key)?,
            Node::Leaf(other, _) if other == key => Node::Empty,
            leaf @ Node::Leaf(..) => leaf,
            Node::Extension(prefix, below) => {
                if !key.starts_with(&prefix) {
                    return Ok(Node::Extension(prefix, below));
                }
                let below = self.remove(*below, key.slice(prefix.len()..))?;
                self.lengthen(prefix, below)?
            }
            Node::Branch(mut children) => {
                let (nibble, rest) = split_first(key)?;
                let child = std::mem::take(&mut children[nibble]);
                children[nibble] = self.remove(child, rest)?;
                let mut left =
                    (0_u8..).zip(children.iter_mut()).filter(|(_, child)| !matches!(child, Node::Empty));
                match (left.next(), left.next()) {
                    (Some((nibble, child)), None) => {
                        let child = std::mem::take(child);
                        self.lengthen(Nibbles::from_nibbles([nibble]), child)?
                    }
                    _ => Node::Branch(children),
                }
            }
        })
    }

    /// The node behind `prefix`, in the one form that tries have: its kind must be known.
    fn lengthen(&self, prefix: Nibbles, node: Node) -> Result<Node, WitnessError> {
        Ok(match node {
            Node::Empty => Node::Empty,
            Node::Unread(reference) => self.lengthen(prefix, self.read(&reference)?)?,
            Node::Leaf(rest, value) => Node::Leaf(joined(prefix, &rest), value),
            Node::Extension(rest, below) => Node::Extension(joined(prefix, &rest), below),
            branch @ Node::Branch(_) => Node::Extension(prefix, Box::new(branch)),
        })
    }
}

fn behind(prefix: Nibbles, node: Node) -> Node {
    if prefix.is_empty() { node } else { Node::Extension(prefix, Box::new(node)) }
}

fn joined(mut prefix: Nibbles, rest: &Nibbles) -> Nibbles {
    prefix.extend(rest);
    prefix
}

fn common_prefix(one: &Nibbles, other: &Nibbles) -> usize {
    (0..one.len().min(other.len())).take_while(|&at| one.get(at) == other.get(at)).count()
}

/// The first nibble of a key, as a place in a branch, and the rest.
fn split_first(key: Nibbles) -> Result<(usize, Nibbles), WitnessError> {
    match key.first() {
        Some(nibble) => Ok((usize::from(nibble), key.slice(1..))),
        None => Err(malformed("deeper than a key is long")),
    }
}

/// What a parent holds of the node.
fn encode(node: &Node) -> RlpNode {
    let mut buffer = Vec::new();
    match node {
        Node::Empty => RlpNode::default(),
        Node::Unread(reference) => reference.clone(),
        Node::Leaf(key, value) => LeafNodeRef::new(key, value).rlp(&mut buffer),
        Node::Extension(key, below) => ExtensionNodeRef::new(key, &encode(below)).rlp(&mut buffer),
        Node::Branch(children) => {
            let mut mask = TrieMask::default();
            let mut stack = Vec::with_capacity(children.len());
            for (nibble, child) in (0_u8..).zip(children.iter()) {
                if !matches!(child, Node::Empty) {
                    mask.set_bit(nibble);
                    stack.push(encode(child));
                }
            }
            BranchNodeRef::new(&stack, mask).rlp(&mut buffer)
        }
    }
}
