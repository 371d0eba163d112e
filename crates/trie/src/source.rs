//! What the trie is read from.

use alloy_primitives::{B256, U256};
use alloy_trie::{Nibbles, TrieAccount};

use crate::StoredNode;

/// The state of one block: accounts and slots by hashed key, and the stored nodes of their tries.
///
/// Leaves and nodes must be of the same state. What is read is checked against the state root, so a
/// source that breaks this gives an error, not a wrong root.
pub trait StateSource {
    /// Why a read failed. A stored node that does not decode is such an error too.
    type Error: std::error::Error + Send + Sync + 'static;

    /// The account under `hashed_address`.
    fn account(&self, hashed_address: B256) -> Result<Option<TrieAccount>, Self::Error>;

    /// The value of a slot; zero where it is not set, or the account is not there.
    fn slot(&self, hashed_address: B256, hashed_slot: B256) -> Result<U256, Self::Error>;

    /// The first account at or after `from`. Read where the leaf beside a removed one moves up.
    fn seek_account(&self, from: B256) -> Result<Option<(B256, TrieAccount)>, Self::Error>;

    /// The first slot of the account that is set, at or after `from`.
    fn seek_slot(&self, hashed_address: B256, from: B256) -> Result<Option<(B256, U256)>, Self::Error>;

    /// The node of the account trie stored under exactly `path`.
    fn account_node(&self, path: &Nibbles) -> Result<Option<StoredNode>, Self::Error>;

    /// The node of an account's storage trie stored under exactly `path`.
    fn storage_node(&self, hashed_address: B256, path: &Nibbles) -> Result<Option<StoredNode>, Self::Error>;

    /// The nodes of the account trie under each of `paths` (ascending), in their order.
    ///
    /// They lie beside each other: worth implementing where one read of many is cheaper than many.
    fn account_nodes(&self, paths: &[Nibbles]) -> Result<Vec<Option<StoredNode>>, Self::Error> {
        paths.iter().map(|path| self.account_node(path)).collect()
    }

    /// The nodes of an account's storage trie under each of `paths` (ascending).
    fn storage_nodes(
        &self,
        hashed_address: B256,
        paths: &[Nibbles],
    ) -> Result<Vec<Option<StoredNode>>, Self::Error> {
        paths.iter().map(|path| self.storage_node(hashed_address, path)).collect()
    }
}

impl<S: StateSource + ?Sized> StateSource for &S {
    type Error = S::Error;

    fn account(&self, hashed_address: B256) -> Result<Option<TrieAccount>, Self::Error> {
        (**self).account(hashed_address)
    }

    fn slot(&self, hashed_address: B256, hashed_slot: B256) -> Result<U256, Self::Error> {
        (**self).slot(hashed_address, hashed_slot)
    }

    fn seek_account(&self, from: B256) -> Result<Option<(B256, TrieAccount)>, Self::Error> {
        (**self).seek_account(from)
    }

    fn seek_slot(&self, hashed_address: B256, from: B256) -> Result<Option<(B256, U256)>, Self::Error> {
        (**self).seek_slot(hashed_address, from)
    }

    fn account_node(&self, path: &Nibbles) -> Result<Option<StoredNode>, Self::Error> {
        (**self).account_node(path)
    }

    fn storage_node(&self, hashed_address: B256, path: &Nibbles) -> Result<Option<StoredNode>, Self::Error> {
        (**self).storage_node(hashed_address, path)
    }

    fn account_nodes(&self, paths: &[Nibbles]) -> Result<Vec<Option<StoredNode>>, Self::Error> {
        (**self).account_nodes(paths)
    }

    fn storage_nodes(
        &self,
        hashed_address: B256,
        paths: &[Nibbles],
    ) -> Result<Vec<Option<StoredNode>>, Self::Error> {
        (**self).storage_nodes(hashed_address, paths)
    }
}
