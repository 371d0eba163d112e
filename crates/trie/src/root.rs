//! Roots of the state trie and of storage tries, from their leaves in key order.

use alloy_primitives::{B256, U256};
use alloy_rlp::Encodable;
use alloy_trie::{HashBuilder, Nibbles, TrieAccount, proof::ProofRetainer};
use thiserror::Error;

use crate::proof::TrieProofs;

/// A leaf that does not come after the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("trie leaf {key} does not come after {previous}: leaves must be pushed in key order")]
pub struct OutOfOrder {
    /// The key pushed last.
    pub previous: B256,
    /// The key that was refused.
    pub key: B256,
}

/// Builds one trie from its leaves, pushed in ascending key order, in constant memory.
#[derive(Debug, Default)]
pub struct TrieBuilder {
    hash_builder: HashBuilder,
    previous: Option<B256>,
    value_buffer: Vec<u8>,
    targets: bool,
}

impl TrieBuilder {
    /// Builds the root only.
    pub fn new() -> Self {
        Self::default()
    }

    /// Builds the root and keeps the nodes on the way to each of the hashed keys in `targets`,
    /// whether they turn out to be there or not.
    pub fn with_targets(targets: impl IntoIterator<Item = B256>) -> Self {
        let retainer: ProofRetainer = targets.into_iter().map(Nibbles::unpack).collect();
        Self {
            hash_builder: HashBuilder::default().with_proof_retainer(retainer),
            targets: true,
            ..Self::default()
        }
    }

    /// Adds an account of the state trie.
    pub fn push_account(&mut self, hashed_address: B256, account: &TrieAccount) -> Result<(), OutOfOrder> {
        self.push(hashed_address, account)
    }

    /// Adds a slot of a storage trie; a zero value is no leaf and is passed over.
    pub fn push_slot(&mut self, hashed_slot: B256, value: U256) -> Result<(), OutOfOrder> {
        if value.is_zero() { Ok(()) } else { self.push(hashed_slot, &value) }
    }

    /// The root over all leaves pushed.
    pub fn root(mut self) -> B256 {
        self.hash_builder.root()
    }

    /// The root over all leaves pushed, and the proofs of the targets.
    pub fn root_and_proofs(mut self) -> TrieProofs {
        let root = self.hash_builder.root();
        let nodes = if self.targets { self.hash_builder.take_proof_nodes() } else { Default::default() };
        TrieProofs::new(root, nodes)
    }

    fn push(&mut self, key: B256, value: &impl Encodable) -> Result<(), OutOfOrder> {
        if let Some(previous) = self.previous
            && key <= previous
        {
            return Err(OutOfOrder { previous, key });
        }
        self.previous = Some(key);
        self.value_buffer.clear();
        value.encode(&mut self.value_buffer);
        // The order was checked above, and keys of one length cannot be prefixes of each other.
        self.hash_builder.add_leaf_unchecked(Nibbles::unpack(key), &self.value_buffer);
        Ok(())
    }
}

/// The root of a storage trie from its hashed slots, in any order; of one slot's values the last
/// counts, and zero is no leaf.
pub fn storage_root(slots: impl IntoIterator<Item = (B256, U256)>) -> B256 {
    let mut builder = TrieBuilder::new();
    for (hashed_slot, value) in sorted(slots) {
        // Sorted and without repetition: cannot be out of order.
        let _ = builder.push_slot(hashed_slot, value);
    }
    builder.root()
}

/// The root of the state trie from its hashed addresses, in any order; of one address's accounts the
/// last counts.
pub fn state_root(accounts: impl IntoIterator<Item = (B256, TrieAccount)>) -> B256 {
    let mut builder = TrieBuilder::new();
    for (hashed_address, account) in sorted(accounts) {
        // Sorted and without repetition: cannot be out of order.
        let _ = builder.push_account(hashed_address, &account);
    }
    builder.root()
}

fn sorted<T>(leaves: impl IntoIterator<Item = (B256, T)>) -> std::collections::BTreeMap<B256, T> {
    leaves.into_iter().collect()
}
