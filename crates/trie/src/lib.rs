#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod account_edit;
mod changes;
mod changing;
mod edit;
mod error;
mod filter;
mod layer;
mod memory;
mod node;
mod ordered;
mod overlay;
mod prefetch;
mod prefetcher;
mod proof;
mod prune;
mod raw;
mod rebuild;
mod root;
mod rows;
mod source;
mod state_trie;
mod stored_proof;
mod tree;
mod trie_reader;

pub use alloy_trie::{EMPTY_ROOT_HASH, KECCAK_EMPTY, Nibbles, TrieAccount, TrieMask};
pub use changes::{AccountChange, SlotChange, StateChanges, StorageChanges};
pub use error::{TrieError, TrieName};
pub use layer::StateLayer;
pub use memory::{MemoryState, MemoryStateError};
pub use node::{CorruptNode, StoredNode};
pub use ordered::ordered_root;
pub use overlay::{Overlay, OverlayError};
pub use prefetcher::Prefetcher;
pub use proof::{AccountProof, StorageProof, TrieProofs};
pub use raw::raw_root;
pub use rebuild::NodeBuilder;
pub use root::{OutOfOrder, TrieBuilder, state_root, storage_root};
pub use rows::{NodeRows, StorageUpdates, TrieUpdates};
pub use source::StateSource;
pub use state_trie::{StateTrie, update_state_root};
pub use stored_proof::prove;
