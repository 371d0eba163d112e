#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod proof;
mod root;

pub use alloy_trie::{EMPTY_ROOT_HASH, KECCAK_EMPTY, TrieAccount, root::ordered_trie_root_encoded};
pub use proof::{AccountProof, StorageProof, TrieProofs};
pub use root::{OutOfOrder, TrieBuilder, state_root, storage_root};
