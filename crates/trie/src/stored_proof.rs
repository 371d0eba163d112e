//! Proofs from stored nodes: a proof costs the depth of the trie, not its size.

use alloy_primitives::{Address, B256, Bytes, keccak256};
use alloy_rlp::Encodable;
use alloy_trie::{
    EMPTY_ROOT_HASH, Nibbles,
    nodes::{BranchNodeRef, ExtensionNodeRef, LeafNodeRef},
};

use crate::{
    AccountProof, StateSource, StorageProof, StoredNode, TrieError,
    tree::{nibble_at, path_of},
    trie_reader::{AccountReader, Buffers, RootNode, StorageReader, TrieReader},
};

/// The account and its slots at `state_root`, which `source` holds the state of, with their proofs.
pub fn prove<S: StateSource>(
    source: &S,
    state_root: B256,
    address: Address,
    slots: &[B256],
) -> Result<AccountProof, TrieError<S::Error>> {
    let hashed_address = keccak256(address);
    let (account, proof) = prove_key(&AccountReader(source), state_root, hashed_address)?;
    let storage_root = account.map_or(EMPTY_ROOT_HASH, |account| account.storage_root);
    let storage = StorageReader { source, hashed_address };
    let storage_proofs = slots.iter().map(|slot| {
        let (value, proof) = prove_key(&storage, storage_root, keccak256(slot))?;
        Ok(StorageProof { slot: *slot, value: value.unwrap_or_default(), proof })
    });
    Ok(AccountProof { address, account, storage_proofs: storage_proofs.collect::<Result<_, _>>()?, proof })
}

/// What a leaf holds, if there is one, and the nodes that show it.
type Proven<V> = (Option<V>, Vec<Bytes>);

/// Proves one key of one trie, there or not there.
fn prove_key<R: TrieReader>(
    reader: &R,
    root: B256,
    key: B256,
) -> Result<Proven<R::Value>, TrieError<R::Error>> {
    let mut buffers = Buffers::default();
    let mut way = Way::default();
    if root == EMPTY_ROOT_HASH {
        return Ok((None, way.nodes));
    }
    let mut node = match reader.root(root, &mut buffers)? {
        RootNode::Branch(_, node) => node,
        RootNode::Leaf(_, leaf, value) => {
            way.leaf(&leaf, 0, &value);
            return Ok(((leaf == key).then_some(value), way.nodes));
        }
    };
    let mut depth = 0;
    loop {
        if !way.branch(&node, &key, depth) {
            return Ok((None, way.nodes));
        }
        let at = depth + node.extension.len();
        let nibble = nibble_at(&key, at);
        let Some(reference) = node.child(nibble) else { return Ok((None, way.nodes)) };
        depth = at + 1;
        let path = path_of(&key, depth);
        if node.leaves.is_bit_set(nibble) {
            let (leaf, value) = reader.leaf(&path, reference, &mut buffers)?;
            way.leaf(&leaf, depth, &value);
            return Ok(((leaf == key).then_some(value), way.nodes));
        }
        node = reader.node(&path, reference, &mut buffers.node)?;
    }
}

/// The nodes on the way to a key.
#[derive(Debug, Default)]
struct Way {
    nodes: Vec<Bytes>,
    buffer: Vec<u8>,
}

impl Way {
    /// Adds the node that begins at `depth`; says whether the way goes on behind its extension.
    fn branch(&mut self, node: &StoredNode, key: &B256, depth: usize) -> bool {
        self.buffer.clear();
        let branch = BranchNodeRef::new(&node.children, node.mask).rlp(&mut self.buffer);
        if node.extension.is_empty() {
            self.add(depth);
            return true;
        }
        let encoded_branch = std::mem::take(&mut self.buffer);
        ExtensionNodeRef::new(&node.extension, &branch).encode(&mut self.buffer);
        self.add(depth);
        let goes_on = Nibbles::unpack_array(&key.0).slice(depth..).starts_with(&node.extension);
        if goes_on {
            self.buffer = encoded_branch;
            self.add(depth + node.extension.len());
        }
        goes_on
    }

    fn leaf(&mut self, key: &B256, depth: usize, value: &impl Encodable) {
        let path = Nibbles::unpack_array(&key.0).slice(depth..);
        self.buffer.clear();
        LeafNodeRef::new(&path, &alloy_rlp::encode(value)).encode(&mut self.buffer);
        self.add(depth);
    }

    /// A node shorter than a hash stands inside its parent and is not listed again; the root has none.
    fn add(&mut self, depth: usize) {
        if depth == 0 || self.buffer.len() >= B256::len_bytes() {
            self.nodes.push(Bytes::copy_from_slice(&self.buffer));
        }
    }
}
