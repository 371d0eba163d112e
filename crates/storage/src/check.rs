//! Verifying a database: every root and every trie node computed anew from the flat state.

use alloy_eips::BlockNumHash;
use alloy_primitives::{B256, keccak256};
use openledger_trie::{Nibbles, NodeBuilder, TrieAccount};

use crate::{
    Database, Result, StorageError,
    codec::{Commit, decode_account, decode_slot},
    columns, database, reads,
    store::Snapshot,
    stored_state::{hash_of_key, path_key, storage_path_key},
};

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
    /// Trie nodes compared.
    pub nodes: u64,
}

impl Database {
    /// Computes all storage roots, the state root and all trie nodes from the flat state, in constant memory.
    /// Compares the roots to the accounts and the head's header, the nodes to those that are stored, and
    /// checks that all code is there. Fails at the first difference.
    pub fn check(&self) -> Result<CheckReport> {
        let snapshot = self.snapshot();
        let heads = snapshot.get(columns::META, database::HEADS_KEY)?.unwrap_or_default();
        let head = Commit::decode(&heads)?.heads.latest;
        let (_, header) = reads::header_that_is_there(&snapshot, head.number)?;
        let mut report = CheckReport { head, state_root: B256::ZERO, accounts: 0, slots: 0, nodes: 0 };
        let mut nodes = NodeCheck::new(&snapshot, columns::ACCOUNT_NODES);
        let mut trie =
            NodeBuilder::new(|path: &Nibbles, node: &[u8]| nodes.compare(path_key(path).as_ref(), node));
        let mut storage_nodes = 0;
        for item in snapshot.iterate(columns::ACCOUNTS, &[])? {
            let (key, account) = item?;
            let hashed_address = hash_of_key(columns::ACCOUNTS, &key)?;
            let account = decode_account("account", &account)?;
            let (slots, compared) = check_account(&snapshot, hashed_address, &account)?;
            report.slots += slots;
            storage_nodes += compared;
            report.accounts += 1;
            trie.push_account(hashed_address, &account).map_err(out_of_order)?;
        }
        report.state_root = trie.root();
        if report.state_root != header.state_root {
            return Err(StorageError::corrupt(
                format!("state of block {}", head.number),
                format!("its root is {}, the header says {}", report.state_root, header.state_root),
            ));
        }
        let account_nodes = nodes.finish()?;
        report.nodes = account_nodes + storage_nodes;
        check_count(&snapshot, columns::ACCOUNT_NODES, account_nodes)?;
        check_count(&snapshot, columns::STORAGE, report.slots)?;
        check_count(&snapshot, columns::STORAGE_NODES, storage_nodes)?;
        Ok(report)
    }
}

/// Checks an account's storage root, storage nodes and code; returns how many slots and nodes it has.
fn check_account(snapshot: &Snapshot, hashed_address: B256, account: &TrieAccount) -> Result<(u64, u64)> {
    let what = || format!("account with hashed address {hashed_address}");
    let mut nodes = NodeCheck::new(snapshot, columns::STORAGE_NODES);
    let mut trie = NodeBuilder::new(|path: &Nibbles, node: &[u8]| {
        nodes.compare(storage_path_key(hashed_address, path).as_ref(), node);
    });
    let mut slots = 0;
    for item in snapshot.iterate(columns::STORAGE, hashed_address.as_slice())? {
        let (key, value) = item?;
        let hashed_slot = hash_of_key(columns::STORAGE, key.get(32..).unwrap_or_default())?;
        trie.push_slot(hashed_slot, decode_slot(&value)?).map_err(out_of_order)?;
        slots += 1;
    }
    let root = trie.root();
    if root != account.storage_root {
        let reason = format!("its storage has root {root}, the account says {}", account.storage_root);
        return Err(StorageError::corrupt(what(), reason));
    }
    if account.code_hash != openledger_trie::KECCAK_EMPTY {
        let code = snapshot.get(columns::CODES, account.code_hash.as_slice())?;
        let missing = || StorageError::corrupt(what(), format!("its code {} is missing", account.code_hash));
        if keccak256(code.ok_or_else(missing)?) != account.code_hash {
            let reason = format!("its code {} has another hash", account.code_hash);
            return Err(StorageError::corrupt(what(), reason));
        }
    }
    Ok((slots, nodes.finish()?))
}

/// Compares computed nodes to stored ones.
struct NodeCheck<'a> {
    snapshot: &'a Snapshot,
    column: &'static str,
    compared: u64,
    failed: Option<StorageError>,
}

impl<'a> NodeCheck<'a> {
    const fn new(snapshot: &'a Snapshot, column: &'static str) -> Self {
        Self { snapshot, column, compared: 0, failed: None }
    }

    fn compare(&mut self, key: &[u8], node: &[u8]) {
        if self.failed.is_some() {
            return;
        }
        self.compared += 1;
        match self.snapshot.get_pinned(self.column, key) {
            Ok(Some(stored)) if *stored == *node => {}
            Ok(stored) => {
                let what = if stored.is_some() { "another than its leaves give" } else { "missing" };
                let name = alloy_primitives::hex::encode(key);
                self.failed = Some(StorageError::corrupt(format!("{} {name}", self.column), what));
            }
            Err(error) => self.failed = Some(error),
        }
    }

    /// How many nodes there are; an error where a stored one differed.
    fn finish(self) -> Result<u64> {
        self.failed.map_or(Ok(self.compared), Err)
    }
}

/// Checks that a column holds as many rows as were accounted for.
fn check_count(snapshot: &Snapshot, column: &'static str, expected: u64) -> Result<()> {
    let mut stored = 0;
    for item in snapshot.iterate(column, &[])? {
        item?;
        stored += 1;
    }
    if stored == expected {
        return Ok(());
    }
    Err(StorageError::corrupt(column, format!("{stored} rows, of which {expected} belong to an account")))
}

pub(crate) fn out_of_order(error: openledger_trie::OutOfOrder) -> StorageError {
    StorageError::corrupt("trie leaves", error)
}
