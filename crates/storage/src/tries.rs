//! What is kept in memory of tries: those of the newest states, and the last past state that was proven.

use std::{collections::VecDeque, sync::Arc};

use alloy_primitives::B256;
use openledger_trie::{StateLayer, StateTrie};
use parking_lot::Mutex;

use crate::Result;

/// Bytes of trie nodes and leaves kept in memory between blocks.
pub const TRIE_MEMORY_BYTES: usize = 192 << 20;

/// States whose tries are kept: a block is executed twice on its parent, and others may be built beside it.
/// They share all that they have in common.
const TRIES: usize = 4;

/// Accounts that a past state may differ in from the head's to be kept.
const PAST_ACCOUNTS: usize = 100_000;

/// A past state as a layer over a head's, by their block hashes.
type PastState = (B256, B256, Arc<StateLayer>);

/// The tries computed last, and a past state.
#[derive(Debug, Default)]
pub(crate) struct WarmTries {
    /// A trie is all that its root says, so whoever asks for a root is served, whatever became of the block.
    tries: Mutex<VecDeque<StateTrie>>,
    past: Mutex<Option<PastState>>,
}

impl WarmTries {
    /// The trie with this root, with as much of it in memory as there is.
    pub(crate) fn get(&self, state_root: B256) -> StateTrie {
        let tries = self.tries.lock();
        tries
            .iter()
            .find(|trie| trie.root() == state_root)
            .cloned()
            .unwrap_or_else(|| StateTrie::new(state_root))
    }

    /// [`Self::get`], and keeps it no longer: so that changing it copies nothing.
    pub(crate) fn take(&self, state_root: B256) -> StateTrie {
        let mut tries = self.tries.lock();
        let at = tries.iter().position(|trie| trie.root() == state_root);
        at.and_then(|at| tries.remove(at)).unwrap_or_else(|| StateTrie::new(state_root))
    }

    /// Keeps a trie for the blocks that follow.
    pub(crate) fn put(&self, mut trie: StateTrie) {
        trie.prune(TRIE_MEMORY_BYTES);
        let mut tries = self.tries.lock();
        tries.retain(|other| other.root() != trie.root());
        if tries.len() == TRIES {
            tries.pop_front();
        }
        tries.push_back(trie);
    }

    /// The state of block `past` as a layer over that of `head`, from memory or as `make` makes it. One is
    /// made at a time, for it may take much memory.
    pub(crate) fn past(
        &self,
        head: B256,
        past: B256,
        make: impl FnOnce() -> Result<StateLayer>,
    ) -> Result<Arc<StateLayer>> {
        let mut kept = self.past.lock();
        if let Some((of_head, of_past, layer)) = &*kept
            && (*of_head, *of_past) == (head, past)
        {
            return Ok(Arc::clone(layer));
        }
        *kept = None;
        let layer = Arc::new(make()?);
        let slots: usize = layer.storages.values().map(|storage| storage.slots.len()).sum();
        if layer.accounts.len() + slots <= PAST_ACCOUNTS {
            *kept = Some((head, past, Arc::clone(&layer)));
        }
        Ok(layer)
    }
}
