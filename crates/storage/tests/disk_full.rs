//! A disk that fills up: a clear error, and every reported block is there afterwards.
#![allow(clippy::unwrap_used, missing_docs)]

mod model;

use std::{env, path::Path, process::Command};

use model::{TestChain, steps_of, views::assert_state};
use openledger_storage::StorageError;

const FOLDER: &str = "OPENLEDGER_DISK_FULL_TEST_FOLDER";
const FILLER_BYTES: usize = 1 << 20;

#[test]
#[ignore = "the child of full_disk_is_a_clear_error_and_loses_nothing, which runs it"]
fn child_that_fills_the_disk() {
    let Some(folder) = env::var_os(FOLDER) else { return };
    let folder = Path::new(&folder);
    let path = folder.join("db");
    let filler = folder.join("filler");
    let mut chain = TestChain::open(&path);
    chain.append(&steps_of(1));
    // Takes all room but a little, so that the log soon fills the rest.
    let mut bytes = vec![0; FILLER_BYTES];
    let mut size = FILLER_BYTES;
    let mut file = std::fs::File::create(&filler).unwrap();
    while size > 0 {
        if std::io::Write::write_all(&mut file, &bytes[..size]).is_err() {
            size /= 2;
        }
    }
    let length = file.metadata().unwrap().len();
    file.set_len(length.saturating_sub(200_000)).unwrap();
    bytes.clear();
    let error = loop {
        let number = chain.db.heads().latest.number + 1;
        let (new, model) = chain.build(&steps_of(number));
        let block = new.block.clone();
        match chain.db.persist(&[new]) {
            Ok(()) => {
                chain.blocks.push(block);
                chain.models.push(model);
            }
            Err(error) => break error,
        }
        assert!(number < 10_000, "the disk never fills up");
    };
    assert!(matches!(error, StorageError::DiskFull(_)), "{error}");
    assert!(error.to_string().contains("the disk is full, nothing was written"), "{error}");
    let head = chain.db.heads().latest;
    assert!(head.number > 1);
    // Reading goes on, and nothing of the block that failed is seen.
    assert_state(&chain.db.state().unwrap(), chain.models.last().unwrap());
    assert_eq!(chain.db.block_by_number(head.number + 1).unwrap(), None);
    let models = std::mem::take(&mut chain.models);
    drop(chain);
    std::fs::remove_file(filler).unwrap();
    let mut chain = TestChain::resume(&path);
    assert_eq!((chain.db.heads().latest, chain.db.lost()), (head, None));
    assert_state(&chain.db.state().unwrap(), models.last().unwrap());
    chain.db.check().unwrap();
    chain.append(&steps_of(head.number + 1));
    eprintln!("the disk was full after block {}", head.number);
}

#[test]
fn full_disk_is_a_clear_error_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mounted = |command: &str| {
        let script = format!("mount -t tmpfs -o size=32m none \"${FOLDER}\" && {command}");
        let mut unshare = Command::new("unshare");
        unshare.args(["-rm", "sh", "-c", &script]).env(FOLDER, folder.path());
        unshare
    };
    if !mounted("true").status().is_ok_and(|status| status.success()) {
        eprintln!("skipped: no file system can be mounted here");
        return;
    }
    let test = env::current_exe().unwrap();
    let command = format!("'{}' --exact child_that_fills_the_disk --ignored --nocapture", test.display());
    let output = mounted(&command).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("the disk was full after block"), "{text}");
}
