//! The state that a block leaves, computed and ready to be written.

use std::{collections::BTreeMap, sync::Arc};

use alloy_primitives::{Address, B256, Bytes, address, keccak256};
use openledger_trie::EMPTY_ROOT_HASH;
use revm::database::BundleState;

use crate::{
    Result, StateView, StorageError,
    changes::{AccountChanges, account_changes, changed_state_root, new_codes},
};

/// The contract whose storage root an OP header names as its `withdrawalsRoot`.
const MESSAGE_PASSER: Address = address!("4200000000000000000000000000000000000016");

/// What one block changes in the state, with the roots that follow. Cheap to clone; holds nothing of
/// the database.
///
/// Made by [`StateView::update`] on top of one parent, for one block on that parent.
#[derive(Debug, Clone)]
pub struct StateUpdate(Arc<Contents>);

#[derive(Debug)]
struct Contents {
    parent: B256,
    state_root: B256,
    withdrawals_root: B256,
    accounts: AccountChanges,
    codes: BTreeMap<B256, Bytes>,
}

impl StateUpdate {
    /// Computes what `changes` make of the state `parent`.
    pub(crate) fn new(parent: &StateView, changes: &BundleState) -> Result<Self> {
        let accounts = account_changes(parent, changes)?;
        let state_root =
            if accounts.is_empty() { parent.state_root() } else { changed_state_root(parent, &accounts)? };
        let message_passer = match accounts.get(&keccak256(MESSAGE_PASSER)) {
            Some(change) => change.new,
            None => parent.account(MESSAGE_PASSER)?,
        };
        Ok(Self(Arc::new(Contents {
            parent: parent.block().hash,
            state_root,
            withdrawals_root: message_passer.map_or(EMPTY_ROOT_HASH, |account| account.storage_root),
            accounts,
            codes: new_codes(changes),
        })))
    }

    /// Hash of the block whose state this changes.
    pub fn parent(&self) -> B256 {
        self.0.parent
    }

    /// The state root after the changes.
    pub fn state_root(&self) -> B256 {
        self.0.state_root
    }

    /// The storage root of `L2ToL1MessagePasser` after the changes, which OP headers name since
    /// Isthmus; the empty root where there is no such account.
    pub fn withdrawals_root(&self) -> B256 {
        self.0.withdrawals_root
    }

    /// The storage root of an account after the changes, where the block changes the account or it is
    /// `L2ToL1MessagePasser`.
    pub fn storage_root_of(&self, address: Address) -> Result<B256> {
        if address == MESSAGE_PASSER {
            return Ok(self.0.withdrawals_root);
        }
        let change = self.0.accounts.get(&keccak256(address));
        let change = change.ok_or(StorageError::UnchangedAccount { address })?;
        Ok(change.new.map_or(EMPTY_ROOT_HASH, |account| account.storage_root))
    }

    pub(crate) fn accounts(&self) -> &AccountChanges {
        &self.0.accounts
    }

    pub(crate) fn codes(&self) -> &BTreeMap<B256, Bytes> {
        &self.0.codes
    }
}
