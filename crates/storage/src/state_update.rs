//! The state that a block leaves, computed and ready to be written.

use alloy_primitives::{Address, B256};

/// What one block changes in the state, with the roots that follow.
///
/// Made by [`Database::prepare`](crate::Database::prepare) on top of one parent; good for one
/// [`Database::append`](crate::Database::append) on that parent.
#[derive(Debug, Clone)]
pub struct StateUpdate {
    parent: B256,
    state_root: B256,
}

impl StateUpdate {
    /// Hash of the block whose state this changes.
    pub const fn parent(&self) -> B256 {
        self.parent
    }

    /// The state root after the changes.
    pub const fn state_root(&self) -> B256 {
        self.state_root
    }

    /// The storage root of an account after the changes; the empty root where there is no account.
    pub fn storage_root_of(&self, _address: Address) -> crate::Result<B256> {
        Err(crate::StorageError::corrupt("storage root", "not implemented"))
    }
}
