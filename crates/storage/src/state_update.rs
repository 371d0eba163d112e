//! The state that a block leaves, computed and ready to be written.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, Bytes, keccak256};
use openledger_trie::EMPTY_ROOT_HASH;
use revm::database::BundleState;

use crate::{
    Result, StateView,
    changes::{AccountChanges, account_changes, changed_state_root, new_codes},
};

/// What one block changes in the state, with the roots that follow.
///
/// Made by [`Database::prepare`](crate::Database::prepare) on top of one parent; good for one
/// [`Database::append`](crate::Database::append) on that parent.
#[derive(Debug, Clone)]
pub struct StateUpdate {
    parent: StateView,
    state_root: B256,
    pub(crate) accounts: AccountChanges,
    pub(crate) codes: BTreeMap<B256, Bytes>,
}

impl StateUpdate {
    /// Computes what `changes` make of the state `parent`.
    pub(crate) fn new(parent: StateView, changes: &BundleState) -> Result<Self> {
        let accounts = account_changes(&parent, changes)?;
        let state_root =
            if accounts.is_empty() { parent.state_root() } else { changed_state_root(&parent, &accounts)? };
        Ok(Self { parent, state_root, accounts, codes: new_codes(changes) })
    }

    /// Hash of the block whose state this changes.
    pub const fn parent(&self) -> B256 {
        self.parent.block().hash
    }

    /// The state root after the changes.
    pub const fn state_root(&self) -> B256 {
        self.state_root
    }

    /// The storage root of an account after the changes; the empty root where there is no account.
    pub fn storage_root_of(&self, address: Address) -> Result<B256> {
        let account = match self.accounts.get(&keccak256(address)) {
            Some(change) => change.new,
            None => self.parent.account(address)?,
        };
        Ok(account.map_or(EMPTY_ROOT_HASH, |account| account.storage_root))
    }
}
