//! What a folder can have wrong with it: another owner, another chain, damaged values.
#![allow(clippy::unwrap_used, missing_docs)]

mod model;

use std::{path::Path, sync::Arc};

use model::{Op, Step, TestChain, addresses, spec};
use openledger_storage::{Database, StorageError};
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

/// Changes every value of one column family.
fn damage(path: &Path, column: &str, change: impl Fn(&[u8]) -> Vec<u8>) {
    let names = DB::list_cf(&Options::default(), path).unwrap();
    let db = DB::open_cf(&Options::default(), path, names).unwrap();
    let column = db.cf_handle(column).unwrap();
    let pairs: Vec<_> = db.iterator_cf(column, IteratorMode::Start).map(Result::unwrap).collect();
    assert!(!pairs.is_empty());
    for (key, value) in pairs {
        db.put_cf(column, key, change(&value)).unwrap();
    }
}

fn truncated(value: &[u8]) -> Vec<u8> {
    value[..value.len().saturating_sub(1)].to_vec()
}

fn sample(path: &Path) {
    let mut chain = TestChain::open(path);
    for number in 1..=3 {
        let steps =
            [Step { address: 0, op: Op::SetSlot(0, number) }, Step { address: 0, op: Op::SetCode(1) }];
        chain.append(&steps);
    }
}

#[test]
fn truncated_values_are_errors_and_never_panics() {
    for column in [
        "headers",
        "bodies",
        "senders",
        "receipts",
        "hashes",
        "numbers",
        "transactions",
        "accounts",
        "storage",
        "codes",
        "account_history",
        "storage_history",
        "changesets",
        "meta",
    ] {
        let folder = tempfile::tempdir().unwrap();
        sample(folder.path());
        damage(folder.path(), column, truncated);
        let result = Database::open(folder.path(), spec()).and_then(|db| {
            let transaction = {
                let block = db.block_by_number(1)?.unwrap();
                db.transaction_position(block.body.transactions[0].tx_hash())?;
                block.header.hash_slow()
            };
            db.number_of(transaction)?;
            db.header_by_number(1)?;
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
    for column in ["account_history", "storage_history"] {
        let folder = tempfile::tempdir().unwrap();
        sample(folder.path());
        damage(folder.path(), column, truncated);
        let db = Database::open(folder.path(), spec()).unwrap();
        let before = (db.heads(), db.check().unwrap());
        let error = db.unwind_to(0).unwrap_err();
        assert!(matches!(error, StorageError::Corrupt { .. }), "{column}: {error}");
        assert_eq!((db.heads(), db.check().unwrap()), before);
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
