//! What the walk that changes a trie must know of the trie.

use alloy_primitives::B256;
use alloy_rlp::Encodable;

use crate::{TrieError, trie_reader::TrieReader};

/// What changes in one trie, and how a leaf follows from its change.
pub(crate) trait Edit: Sync {
    type Reader: TrieReader<Error: Send> + Sync;
    /// What a leaf holds in memory.
    type Value: Encodable + Clone + From<<Self::Reader as TrieReader>::Value> + Send + Sync;
    type Change: Sync;
    /// What comes of the leaves beside the trie.
    type Outcome: Outcome;

    fn reader(&self) -> &Self::Reader;

    /// Whether the change leaves no leaf under its key.
    fn removes(&self, change: &Self::Change) -> bool;

    /// The old leaf's value, where it is known to be there and no more is needed of it than this.
    fn known(&self, change: &Self::Change) -> Option<Self::Value>;

    /// Whether the leaf holds more in memory than what the source has of it.
    fn holds_more(&self, value: &Self::Value) -> bool;

    /// What the leaf holds after the change; `None` where there is no leaf any more.
    fn changed(
        &self,
        key: B256,
        old: Option<Self::Value>,
        change: &Self::Change,
        outcome: &mut Self::Outcome,
    ) -> Result<Option<Self::Value>, EditError<Self>>;
}

pub(crate) type EditError<E> = TrieError<<<E as Edit>::Reader as TrieReader>::Error>;
/// What is gathered leaf by leaf, in key order.
pub(crate) trait Outcome: Default + Send {
    fn append(&mut self, later: Self);
}

impl Outcome for () {
    fn append(&mut self, (): Self) {}
}
