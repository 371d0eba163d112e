//! Verifying a database: every root recomputed from the flat state.

use alloy_eips::BlockNumHash;
use alloy_primitives::{B256, U256};
use openledger_trie::{EMPTY_ROOT_HASH, TrieAccount, TrieBuilder};

use crate::{Database, Result, StateView, StorageError, changes::out_of_order, codec::decode};

/// What [`Database::check`] went through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckReport {
    /// The head, against whose header the state was checked.
    pub head: BlockNumHash,
    /// The state root, recomputed.
    pub state_root: B256,
    /// Accounts read.
    pub accounts: u64,
    /// Storage slots read.
    pub slots: u64,
}

impl Database {
    /// Recomputes every storage root and the state root from the flat state, checks that all code
    /// is there, and compares the result to the head's header. Fails at the first difference.
    pub fn check(&self) -> Result<CheckReport> {
        let state = self.state()?;
        let mut report = CheckReport { head: state.block(), state_root: B256::ZERO, accounts: 0, slots: 0 };
        let mut trie = TrieBuilder::new();
        for leaf in state.account_leaves()? {
            let (hashed_address, account) = leaf?;
            let account: TrieAccount = decode("account", &account)?;
            report.slots += check_account(&state, hashed_address, &account)?;
            report.accounts += 1;
            trie.push_account(hashed_address, &account).map_err(out_of_order)?;
        }
        report.state_root = trie.root();
        if report.state_root != state.state_root() {
            return Err(StorageError::corrupt(
                format!("state of block {}", report.head.number),
                format!("its root is {}, the header says {}", report.state_root, state.state_root()),
            ));
        }
        Ok(report)
    }
}

/// Checks an account's storage root and code; returns how many slots it has.
fn check_account(state: &StateView, hashed_address: B256, account: &TrieAccount) -> Result<u64> {
    let what = || format!("account with hashed address {hashed_address}");
    let mut trie = TrieBuilder::new();
    let mut slots = 0;
    for leaf in state.slot_leaves(hashed_address)? {
        let (hashed_slot, value) = leaf?;
        trie.push_slot(hashed_slot, decode::<U256>("slot", &value)?).map_err(out_of_order)?;
        slots += 1;
    }
    let root = if slots == 0 { EMPTY_ROOT_HASH } else { trie.root() };
    if root != account.storage_root {
        let reason = format!("its storage has root {root}, the account says {}", account.storage_root);
        return Err(StorageError::corrupt(what(), reason));
    }
    if state.code(account.code_hash)?.is_none() {
        return Err(StorageError::corrupt(what(), format!("its code {} is missing", account.code_hash)));
    }
    Ok(slots)
}
