//! Blocks that are not stored yet, laid over the stored state.

use std::collections::BTreeMap;

use alloy_eips::BlockNumHash;
use alloy_primitives::{B256, Bytes, U256};
use openledger_trie::TrieAccount;

use crate::{Result, StateUpdate, StorageError};

/// The changes of consecutive blocks, oldest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Overlays(Vec<(BlockNumHash, StateUpdate)>);

impl Overlays {
    /// With one more block, which must follow `head`.
    pub(crate) fn push(
        &mut self,
        head: BlockNumHash,
        block: BlockNumHash,
        update: StateUpdate,
    ) -> Result<()> {
        if update.parent() != head.hash {
            return Err(StorageError::NotOnHead { parent: update.parent(), head });
        }
        if Some(block.number) != head.number.checked_add(1) {
            let reason = format!("it follows block {}", head.number);
            return Err(StorageError::InvalidBlock { number: block.number, reason });
        }
        self.0.push((block, update));
        Ok(())
    }

    /// The account after the newest block that changed it; `None` where none did.
    pub(crate) fn account(&self, hashed_address: B256) -> Option<Option<TrieAccount>> {
        let change = self.0.iter().rev().find_map(|(_, update)| update.accounts().get(&hashed_address))?;
        Some(change.new)
    }

    /// The slot after the newest block that changed it; `None` where none did.
    pub(crate) fn slot(&self, hashed_address: B256, hashed_slot: B256) -> Option<U256> {
        self.0.iter().rev().find_map(|(_, update)| {
            let slots = &update.accounts().get(&hashed_address)?.slots;
            let index = slots.binary_search_by_key(&hashed_slot, |slot| slot.hashed_slot).ok()?;
            slots.get(index).map(|slot| slot.new)
        })
    }

    /// Code that one of the blocks brought.
    pub(crate) fn code(&self, code_hash: B256) -> Option<&Bytes> {
        self.0.iter().rev().find_map(|(_, update)| update.codes().get(&code_hash))
    }

    /// The hash of one of the blocks.
    pub(crate) fn hash_of(&self, number: u64) -> Option<B256> {
        self.0.iter().find(|(block, _)| block.number == number).map(|(block, _)| block.hash)
    }

    /// The accounts that changed, as the newest block left them.
    pub(crate) fn accounts(&self) -> BTreeMap<B256, Option<TrieAccount>> {
        let changes = self.0.iter().flat_map(|(_, update)| update.accounts());
        changes.map(|(hashed_address, change)| (*hashed_address, change.new)).collect()
    }

    /// The slots of an account that changed, as the newest block left them.
    pub(crate) fn slots(&self, hashed_address: B256) -> BTreeMap<B256, U256> {
        let changes = self.0.iter().filter_map(|(_, update)| update.accounts().get(&hashed_address));
        changes.flat_map(|change| &change.slots).map(|slot| (slot.hashed_slot, slot.new)).collect()
    }
}
