//! What a folder can have wrong with it: another owner, another chain, another schema, damaged values.
#![allow(clippy::unwrap_used, missing_docs)]

mod model;

use std::{path::Path, sync::Arc};

use model::{Op, Step, TestChain, addresses, spec, views::assert_state};
use openledger_storage::{Database, SCHEMA_VERSION, StorageError};
use revm::DatabaseRef;
use rocksdb::{DB, IteratorMode, Options};

#[test]
fn folder_in_use_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let _chain = TestChain::open(folder.path());
    let error = Database::open(folder.path(), spec()).unwrap_err();
    assert!(matches!(error, StorageError::Locked { .. }), "{error}");
}

#[test]
fn folder_of_another_genesis_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(TestChain::open(folder.path()));
    let mut genesis = spec().genesis().clone();
    genesis.timestamp += 1;
    let other = openledger_chainspec::ChainSpec::from_genesis(genesis).unwrap();
    let error = Database::open(folder.path(), Arc::new(other)).unwrap_err();
    assert!(matches!(error, StorageError::OtherChain { .. }), "{error}");
    Database::open(folder.path(), spec()).unwrap();
}

#[test]
fn folder_of_a_chain_with_another_id_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(TestChain::open(folder.path()));
    let mut genesis = spec().genesis().clone();
    genesis.config.chain_id += 1;
    let other = openledger_chainspec::ChainSpec::from_genesis(genesis).unwrap();
    assert_eq!(other.genesis_hash(), spec().genesis_hash());
    let error = Database::open(folder.path(), Arc::new(other)).unwrap_err();
    assert!(matches!(error, StorageError::OtherChainId { .. }), "{error}");
    Database::open(folder.path(), spec()).unwrap();
}

#[test]
fn folder_of_an_older_schema_is_refused_with_its_version() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    let db = DB::open_cf(&options, folder.path(), ["meta", "account_history"]).unwrap();
    let meta = db.cf_handle("meta").unwrap();
    db.put_cf(meta, b"schema", 1_u64.to_be_bytes()).unwrap();
    drop(db);
    let error = Database::open(folder.path(), spec()).unwrap_err();
    assert!(matches!(error, StorageError::OtherSchema { found: 1, expected: SCHEMA_VERSION, .. }), "{error}");
}

#[test]
fn genesis_that_was_cut_short_is_written_again() {
    let folder = tempfile::tempdir().unwrap();
    drop(TestChain::open(folder.path()));
    edit(folder.path(), |db| {
        db.delete_cf(db.cf_handle("meta").unwrap(), b"genesis").unwrap();
        db.put_cf(db.cf_handle("accounts").unwrap(), [7; 32], b"left over").unwrap();
        db.put_cf(db.cf_handle("storage_nodes").unwrap(), [0xff; 40], b"left over").unwrap();
    });
    let db = Database::open(folder.path(), spec()).unwrap();
    db.check().unwrap();
}

fn edit(path: &Path, edit: impl Fn(&DB)) {
    let names = DB::list_cf(&Options::default(), path).unwrap();
    edit(&DB::open_cf(&Options::default(), path, names).unwrap());
}

/// Changes every value of one column family.
fn damage(path: &Path, column: &str, change: impl Fn(&[u8]) -> Vec<u8>) {
    edit(path, |db| {
        let column = db.cf_handle(column).unwrap();
        let pairs: Vec<_> = db.iterator_cf(column, IteratorMode::Start).map(Result::unwrap).collect();
        assert!(!pairs.is_empty());
        for (key, value) in pairs {
            db.put_cf(column, key, change(&value)).unwrap();
        }
    });
}

fn truncated(value: &[u8]) -> Vec<u8> {
    value[..value.len().saturating_sub(1)].to_vec()
}

fn sample(path: &Path) {
    let mut chain = TestChain::open(path);
    for number in 1..=3 {
        let steps = [
            Step { address: 0, op: Op::SetSlot(0, number) },
            Step { address: 0, op: Op::SetSlot(2, number) },
            Step { address: 0, op: Op::SetCode(1) },
        ];
        chain.append(&steps);
    }
}

#[test]
fn truncated_values_are_errors_and_never_panics() {
    for column in [
        "headers",
        "numbers",
        "bodies",
        "senders",
        "receipts",
        "codes",
        "accounts",
        "storage",
        "account_nodes",
        "storage_nodes",
        "account_changes",
        "storage_changes",
        "meta",
    ] {
        let folder = tempfile::tempdir().unwrap();
        sample(folder.path());
        damage(folder.path(), column, truncated);
        let result = Database::open(folder.path(), spec()).and_then(|db| {
            let block = db.block_by_number(1)?.unwrap();
            db.transaction_position(block.body.transactions[0].tx_hash())?;
            db.number_of(block.header.hash_slow())?;
            db.senders_of(1)?;
            db.receipts_of(1)?;
            db.check()?;
            for number in 0..=3 {
                let state = db.state_at(number)?;
                state.proof(addresses()[0], &[Default::default()])?;
                if let Some(account) = state.basic_ref(addresses()[0])? {
                    state.code_by_hash_ref(account.code_hash)?;
                }
            }
            db.unwind_to(0)?;
            Ok(())
        });
        let error = result.expect_err(column);
        assert!(
            matches!(error, StorageError::Corrupt { .. } | StorageError::NoSuchBlock { .. }),
            "{column}: {error}"
        );
    }
}

#[test]
fn unwinding_damaged_history_is_refused_and_changes_nothing() {
    let other_value = |value: &[u8]| {
        let mut value = value.to_vec();
        *value.last_mut().unwrap() ^= 1;
        value
    };
    for column in ["account_changes", "storage_changes"] {
        for change in [truncated as fn(&[u8]) -> Vec<u8>, other_value] {
            let folder = tempfile::tempdir().unwrap();
            sample(folder.path());
            damage(folder.path(), column, change);
            let db = Database::open(folder.path(), spec()).unwrap();
            let before = (db.heads(), db.check().unwrap());
            let error = db.unwind_to(0).unwrap_err();
            assert!(matches!(error, StorageError::Corrupt { .. }), "{column}: {error}");
            assert_eq!((db.heads(), db.check().unwrap()), before);
            // Nor is anything proven from it.
            let error = db.proof_at(0, addresses()[0], &[]).unwrap_err();
            assert!(matches!(error, StorageError::Corrupt { .. }), "{column}: {error}");
        }
    }
}

#[test]
fn changed_slot_is_found_by_check() {
    let folder = tempfile::tempdir().unwrap();
    sample(folder.path());
    Database::open(folder.path(), spec()).unwrap().check().unwrap();
    damage(folder.path(), "storage", |_| vec![0x7f]);
    let error = Database::open(folder.path(), spec()).unwrap().check().unwrap_err();
    assert!(error.to_string().contains("its storage has root"), "{error}");
}

#[test]
fn changed_missing_and_superfluous_nodes_are_found_by_check() {
    for column in ["account_nodes", "storage_nodes"] {
        let changes: [fn(&DB, &str); 3] = [
            |db, name| {
                let column = db.cf_handle(name).unwrap();
                let (key, mut node) = db.iterator_cf(column, IteratorMode::Start).next().unwrap().unwrap();
                *node.last_mut().unwrap() ^= 1;
                db.put_cf(column, key, node).unwrap();
            },
            |db, name| {
                let column = db.cf_handle(name).unwrap();
                let (key, _) = db.iterator_cf(column, IteratorMode::Start).next().unwrap().unwrap();
                db.delete_cf(column, key).unwrap();
            },
            |db, name| db.put_cf(db.cf_handle(name).unwrap(), [0xee; 40], b"node").unwrap(),
        ];
        for change in changes {
            let folder = tempfile::tempdir().unwrap();
            sample(folder.path());
            edit(folder.path(), |db| change(db, column));
            let error = Database::open(folder.path(), spec()).unwrap().check().unwrap_err();
            assert!(error.to_string().contains(column), "{error}");
        }
    }
}

#[test]
fn keys_that_share_the_start_of_their_hashes_do_not_mix() {
    let folder = tempfile::tempdir().unwrap();
    sample(folder.path());
    let (tx_hash, hashed) = {
        let db = Database::open(folder.path(), spec()).unwrap();
        let block = db.block_by_number(2).unwrap().unwrap();
        (block.body.transactions[0].tx_hash(), alloy_primitives::keccak256(addresses()[1]))
    };
    edit(folder.path(), |db| {
        // Another transaction, and another account that block 3 changed.
        let position = [&tx_hash[..8], &[0, 0, 0, 0, 0, 1], &[0, 0, 0]].concat();
        db.put_cf(db.cf_handle("transactions").unwrap(), position, []).unwrap();
        let change = [&hashed[..8], &[0, 0, 0, 0, 0, 3]].concat();
        db.put_cf(db.cf_handle("account_index").unwrap(), change, []).unwrap();
    });
    let chain = TestChain::open(folder.path());
    assert_eq!(chain.db.transaction_position(tx_hash).unwrap(), Some((2, 0)));
    assert_state(&chain.db.state_at(0).unwrap(), &chain.models[0]);
    assert_eq!(chain.db.state_at(2).unwrap().account(addresses()[1]).unwrap(), None);
}
