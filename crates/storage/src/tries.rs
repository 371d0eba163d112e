//! Tries of the newest states, kept in memory from one block to the next.

use std::collections::VecDeque;

use alloy_primitives::B256;
use openledger_trie::StateTrie;
use parking_lot::Mutex;

/// Bytes of trie nodes and leaves kept in memory between blocks.
pub const TRIE_MEMORY_BYTES: usize = 192 << 20;

/// States whose tries are kept: a block is executed twice on its parent, and others may be built beside it.
/// They share all that they have in common.
const TRIES: usize = 4;

/// The tries computed last. A trie is all that its root says, so whoever asks for a root is served, whatever
/// became of the block.
#[derive(Debug, Default)]
pub(crate) struct WarmTries(Mutex<VecDeque<StateTrie>>);

impl WarmTries {
    /// The trie with this root, with as much of it in memory as there is.
    pub(crate) fn get(&self, state_root: B256) -> StateTrie {
        let tries = self.0.lock();
        tries
            .iter()
            .find(|trie| trie.root() == state_root)
            .cloned()
            .unwrap_or_else(|| StateTrie::new(state_root))
    }

    /// Keeps a trie for the blocks that follow.
    pub(crate) fn put(&self, mut trie: StateTrie) {
        trie.prune(TRIE_MEMORY_BYTES);
        let mut tries = self.0.lock();
        tries.retain(|other| other.root() != trie.root());
        if tries.len() == TRIES {
            tries.pop_front();
        }
        tries.push_back(trie);
    }
}
