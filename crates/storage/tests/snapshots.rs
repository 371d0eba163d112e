//! Snapshots that are not whole, and places where none can be put.
#![allow(clippy::unwrap_used, missing_docs)]

mod model;

use std::fs;

use alloy_primitives::B256;
use model::{TestChain, spec, steps_of, views::assert_state};
use openledger_storage::{Database, StorageError, restore_snapshot};

fn sample(folder: &std::path::Path) -> TestChain {
    let mut chain = TestChain::open(&folder.join("db"));
    for number in 1..=5 {
        chain.append(&steps_of(number));
    }
    chain.db.write_snapshot(&folder.join("snapshot")).unwrap();
    chain
}

#[test]
fn a_snapshot_of_another_chain_is_refused_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    sample(folder.path());
    let (snapshot, restored) = (folder.path().join("snapshot"), folder.path().join("restored"));
    let error = restore_snapshot(&snapshot, &restored, B256::repeat_byte(9)).unwrap_err();
    assert!(matches!(error, StorageError::OtherChain { .. }), "{error}");
    assert!(!restored.exists());
}

#[test]
fn snapshot_is_of_one_moment_while_the_chain_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut chain = sample(folder.path());
    for number in 6..=8 {
        chain.append(&steps_of(number));
    }
    let restored = folder.path().join("restored");
    let manifest =
        restore_snapshot(&folder.path().join("snapshot"), &restored, spec().genesis_hash()).unwrap();
    assert_eq!((manifest.number, manifest.hash), (5, chain.blocks[5].header.hash_slow()));
    let db = Database::open(&restored, spec()).unwrap();
    assert_eq!((db.heads().latest.number, db.lost()), (5, None));
    db.check().unwrap();
    for number in 0..=5 {
        assert_state(&db.state_at(number).unwrap(), &chain.models[number as usize]);
    }
    let text = fs::read_to_string(folder.path().join("snapshot/manifest.json")).unwrap();
    assert!(text.contains("\"stateRoot\""), "{text}");
}

#[test]
fn damaged_snapshot_is_refused_and_leaves_nothing() {
    type Damage = fn(&std::path::Path);
    let damages: [(&str, Damage); 5] = [
        ("changed", |file| {
            let mut bytes = fs::read(file).unwrap();
            bytes[0] ^= 1;
            fs::write(file, bytes).unwrap();
        }),
        ("longer", |file| fs::write(file, [&fs::read(file).unwrap()[..], b"x"].concat()).unwrap()),
        ("empty", |file| fs::write(file, "").unwrap()),
        ("missing", |file| fs::remove_file(file).unwrap()),
        ("extra", |file| fs::write(file.with_file_name("zzz"), "x").unwrap()),
    ];
    for (name, damage) in damages {
        let folder = tempfile::tempdir().unwrap();
        drop(sample(folder.path()));
        // Tables of a snapshot may be hard links: make it one of its own first.
        let snapshot = folder.path().join("snapshot");
        let manifest: serde_json::Value =
            serde_json::from_slice(&fs::read(snapshot.join("manifest.json")).unwrap()).unwrap();
        let files = manifest["files"].as_array().unwrap();
        let largest = files.iter().max_by_key(|file| file["bytes"].as_u64()).unwrap();
        let file = snapshot.join("db").join(largest["name"].as_str().unwrap());
        let bytes = fs::read(&file).unwrap();
        fs::remove_file(&file).unwrap();
        fs::write(&file, bytes).unwrap();
        damage(&file);
        let restored = folder.path().join("restored");
        let error = restore_snapshot(&snapshot, &restored, spec().genesis_hash()).unwrap_err();
        assert!(matches!(error, StorageError::Snapshot { .. }), "{name}: {error}");
        let left: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left.len(), 2, "{name}: {left:?}");
    }
}

#[test]
fn manifest_that_leads_out_of_its_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(sample(folder.path()));
    let path = folder.path().join("snapshot/manifest.json");
    let mut manifest: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let mut file = manifest["files"][0].clone();
    file["name"] = "../../outside".into();
    manifest["files"].as_array_mut().unwrap().push(file);
    fs::write(&path, manifest.to_string()).unwrap();
    let restored = folder.path().join("restored");
    let error =
        restore_snapshot(&folder.path().join("snapshot"), &restored, spec().genesis_hash()).unwrap_err();
    assert!(error.to_string().contains("no file name"), "{error}");
    assert!(!folder.path().join("outside").exists());
}

#[test]
fn nothing_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let chain = sample(folder.path());
    assert!(chain.db.write_snapshot(&folder.path().join("snapshot")).is_err());
    let (snapshot, database) = (folder.path().join("snapshot"), folder.path().join("db"));
    assert!(restore_snapshot(&snapshot, &database, spec().genesis_hash()).is_err());
    chain.db.check().unwrap();
}
