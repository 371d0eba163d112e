//! The state's tries at one root, as far as they are in memory.

use alloy_primitives::B256;

use crate::{StateChanges, StateLayer, StateSource, TrieError};

/// The account trie and the storage tries at one state root: what of them was read or changed lately
/// stays in memory, everything else is read from a [`StateSource`] when it is needed.
///
/// Cheap to clone: clones share what is in memory, and a change copies only the way to it.
#[derive(Debug, Clone)]
pub struct StateTrie {
    root: B256,
}

impl StateTrie {
    /// The trie with this root, nothing of it in memory.
    pub const fn new(state_root: B256) -> Self {
        Self { root: state_root }
    }

    /// The state root.
    pub const fn root(&self) -> B256 {
        self.root
    }

    /// Makes `changes` and hashes what changed. `source` must hold the state at [`Self::root`].
    ///
    /// Gives the trie after the changes and what is to be written. Without a clone of `self` elsewhere
    /// nothing is copied.
    pub fn apply<S: StateSource + Sync>(
        self,
        source: &S,
        changes: StateChanges,
    ) -> Result<(Self, StateLayer), TrieError<S::Error>> {
        let _ = (source, changes);
        Err(TrieError::Stopped)
    }

    /// Reads into memory what changing these accounts and slots will need.
    pub fn prefetch<S: StateSource + Sync>(
        &mut self,
        source: &S,
        changes: &StateChanges,
    ) -> Result<(), TrieError<S::Error>> {
        let _ = (source, changes);
        Err(TrieError::Stopped)
    }

    /// Lets go of what was not used for longest, where more than about `limit_bytes` are in memory.
    pub fn prune(&mut self, limit_bytes: usize) {
        let _ = limit_bytes;
    }
}

/// Makes `changes` on top of the state of `source`, whose root is `root_before`.
pub fn update_state_root<S: StateSource + Sync>(
    source: &S,
    root_before: B256,
    changes: StateChanges,
) -> Result<StateLayer, TrieError<S::Error>> {
    StateTrie::new(root_before).apply(source, changes).map(|(_, layer)| layer)
}
