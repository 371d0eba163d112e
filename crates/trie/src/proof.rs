//! Merkle proofs of accounts and slots, present or absent, as EIP-1186 has them.

use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_trie::{EMPTY_ROOT_HASH, Nibbles, TrieAccount, proof::ProofNodes};

/// The proofs that a [`TrieBuilder`](crate::TrieBuilder) kept for its targets.
#[derive(Debug, Clone)]
pub struct TrieProofs {
    root: B256,
    nodes: ProofNodes,
}

impl TrieProofs {
    pub(crate) const fn new(root: B256, nodes: ProofNodes) -> Self {
        Self { root, nodes }
    }

    /// The root that the proofs lead to.
    pub const fn root(&self) -> B256 {
        self.root
    }

    /// The RLP-encoded nodes from the root towards `key`, which must have been a target.
    ///
    /// They show the value of a key that is there, or that it is not. Of an empty trie there is no
    /// node to show. A node shorter than a hash stands inside its parent and is not listed again.
    pub fn proof_of(&self, key: B256) -> Vec<Bytes> {
        if self.root == EMPTY_ROOT_HASH {
            return Vec::new();
        }
        self.nodes
            .matching_nodes_sorted(&Nibbles::unpack(key))
            .into_iter()
            // The root is named by its hash, however short it is.
            .filter(|(path, node)| path.is_empty() || node.len() >= B256::len_bytes())
            .map(|(_, node)| node)
            .collect()
    }
}

/// What an account is at one state root, and the proof of it (EIP-1186).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountProof {
    /// The account asked for.
    pub address: Address,
    /// The account in the trie; `None` where the proof shows that there is none.
    pub account: Option<TrieAccount>,
    /// Nodes from the state root towards the account.
    pub proof: Vec<Bytes>,
    /// One proof for each slot asked for, in the order asked.
    pub storage_proofs: Vec<StorageProof>,
}

/// What a slot is at one storage root, and the proof of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageProof {
    /// The slot asked for, not hashed.
    pub slot: B256,
    /// Its value; zero where the proof shows that there is none.
    pub value: U256,
    /// Nodes from the account's storage root towards the slot.
    pub proof: Vec<Bytes>,
}
