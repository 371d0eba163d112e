//! The state that a block leaves, computed and ready to be written.

use std::{collections::BTreeMap, sync::Arc};

use alloy_primitives::{Address, B256, Bytes, U256, address, keccak256};
use openledger_trie::{EMPTY_ROOT_HASH, StateLayer};

use crate::{Result, StateView, changes::OldAccount};

/// The contract whose storage root an OP header names as its `withdrawalsRoot`.
const MESSAGE_PASSER: Address = address!("4200000000000000000000000000000000000016");

/// What one block changes in the state, with the roots that follow. Cheap to clone; holds nothing of
/// the database.
///
/// Made by [`StateView::update`], or step by step by [`StateView::prepare`], on top of one parent for one
/// block on that parent.
#[derive(Debug, Clone)]
pub struct StateUpdate(Arc<Contents>);

#[derive(Debug)]
struct Contents {
    parent: B256,
    withdrawals_root: B256,
    layer: Arc<StateLayer>,
    old: Vec<OldAccount>,
    codes: BTreeMap<B256, Bytes>,
}

impl StateUpdate {
    pub(crate) fn new(
        state: &StateView,
        parent: B256,
        layer: StateLayer,
        old: Vec<OldAccount>,
        codes: BTreeMap<B256, Bytes>,
    ) -> Result<Self> {
        let message_passer = match layer.accounts.get(&keccak256(MESSAGE_PASSER)) {
            Some(account) => *account,
            None => state.account(MESSAGE_PASSER)?,
        };
        let withdrawals_root = message_passer.map_or(EMPTY_ROOT_HASH, |account| account.storage_root);
        Ok(Self(Arc::new(Contents { parent, withdrawals_root, layer: Arc::new(layer), old, codes })))
    }

    /// Hash of the block whose state this changes.
    pub fn parent(&self) -> B256 {
        self.0.parent
    }

    /// The state root after the changes.
    pub fn state_root(&self) -> B256 {
        self.0.layer.state_root
    }

    /// The storage root of `L2ToL1MessagePasser` after the changes, which OP headers name since
    /// Isthmus; the empty root where there is no such account.
    pub fn withdrawals_root(&self) -> B256 {
        self.0.withdrawals_root
    }

    /// The flat state and the stored nodes that changed, to read the state through.
    pub fn layer(&self) -> &Arc<StateLayer> {
        &self.0.layer
    }

    /// About how many bytes of memory the update takes.
    pub(crate) fn size_bytes(&self) -> usize {
        let slots: usize = self.0.old.iter().map(|old| old.slots.len()).sum();
        let old = self.0.old.len() * size_of::<OldAccount>() + slots * size_of::<(B256, U256)>();
        let codes: usize = self.0.codes.values().map(|code| code.len()).sum();
        self.0.layer.size_bytes() + old + codes
    }

    /// The accounts that changed, as they were, in order of their hashed addresses.
    pub(crate) fn old(&self) -> &[OldAccount] {
        &self.0.old
    }

    pub(crate) fn codes(&self) -> &BTreeMap<B256, Bytes> {
        &self.0.codes
    }
}
