//! A log that was cut short or changed after a crash: what was reported is there, or its loss is reported and
//! the chain goes on from a whole block.
#![allow(clippy::unwrap_used, missing_docs)]

mod model;

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use model::{TestChain, steps_of, views::assert_state};
use openledger_storage::{Database, StorageError};

const BLOCKS: u64 = 12;

/// A chain whose blocks are in the log alone, unwound and written on in between.
fn sample(path: &Path) -> u64 {
    let mut chain = TestChain::open(path);
    for number in 1..=BLOCKS {
        chain.append(&steps_of(number));
        if number == 5 {
            chain.unwind_to(3);
            chain.append(&steps_of(4));
            chain.append(&steps_of(5));
        }
    }
    BLOCKS
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

fn log_of(folder: &Path) -> PathBuf {
    let logs = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    logs.filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .max_by_key(|path| path.metadata().unwrap().len())
        .unwrap()
}

/// Opens a damaged folder and checks what is promised of it; returns whether blocks were lost.
fn assert_recovers(folder: &Path, head: u64, what: &str) -> bool {
    // Damage in the first blocks of the log takes genesis with it: then the chain begins anew.
    let mut chain = TestChain::resume(folder);
    let latest = chain.db.heads().latest.number;
    assert!(latest <= head, "{what}");
    match chain.db.lost() {
        None => assert_eq!(latest, head, "{what}: blocks are missing, and it was not said"),
        Some(lost) => {
            assert_eq!(lost.reported.number, head, "{what}");
            assert_eq!(lost.last_good, chain.db.heads().latest, "{what}");
        }
    }
    chain.db.check().unwrap();
    assert_state(&chain.db.state().unwrap(), chain.models.last().unwrap());
    let lost = chain.db.lost();
    for number in latest + 1..=latest + 3 {
        chain.append(&steps_of(number));
    }
    drop(chain);
    let chain = TestChain::resume(folder);
    assert_eq!(chain.db.heads().latest.number, latest + 3, "{what}");
    assert_eq!(chain.db.lost(), lost, "{what}: the loss is not said any more, or said anew");
    chain.db.check().unwrap();
    lost.is_some()
}

/// Damages the log at some places, one at a time.
fn rounds(change: impl Fn(&Path, u64), what: &str) {
    let original = tempfile::tempdir().unwrap();
    let head = sample(original.path());
    let length = log_of(original.path()).metadata().unwrap().len();
    let mut losses = 0;
    const ROUNDS: u64 = 24;
    for round in 1..=ROUNDS {
        let folder = tempfile::tempdir().unwrap();
        copy(original.path(), folder.path());
        // The last round is at the very end, where it must be noticed too.
        let place = (length - 1) * round / ROUNDS;
        change(&log_of(folder.path()), place);
        losses += u64::from(assert_recovers(folder.path(), head, &format!("{what} at {place} of {length}")));
    }
    assert!(losses >= ROUNDS - 1, "{what}: lost blocks in {losses} rounds only");
}

#[test]
fn log_cut_short_is_noticed_and_the_last_good_block_is_used() {
    rounds(|log, place| OpenOptions::new().write(true).open(log).unwrap().set_len(place).unwrap(), "cut");
}

#[test]
fn flipped_bit_in_the_log_is_noticed_and_the_last_good_block_is_used() {
    rounds(
        |log, place| {
            let file = OpenOptions::new().read(true).write(true).open(log).unwrap();
            let mut byte = [0];
            file.read_exact_at(&mut byte, place).unwrap();
            byte[0] ^= 1 << (place % 8);
            file.write_all_at(&byte, place).unwrap();
        },
        "bit",
    );
}

#[test]
fn the_same_blocks_lost_again_are_another_loss() {
    let folder = tempfile::tempdir().unwrap();
    let mut losses = Vec::new();
    let head = sample(folder.path());
    for _ in 0..3 {
        let log = log_of(folder.path());
        let length = log.metadata().unwrap().len();
        OpenOptions::new().write(true).open(log).unwrap().set_len(length - 1).unwrap();
        let mut chain = TestChain::resume(folder.path());
        let lost = chain.db.lost().unwrap();
        assert_eq!((lost.reported.number, lost.last_good.number), (head, head - 1));
        losses.push(lost.generation);
        chain.append(&steps_of(head));
    }
    assert!(losses.is_sorted_by(|earlier, later| earlier < later), "{losses:?}");
}

#[test]
fn record_that_was_never_finished_is_dropped_without_a_word() {
    let folder = tempfile::tempdir().unwrap();
    let head = sample(folder.path());
    let log = log_of(folder.path());
    let length = log.metadata().unwrap().len();
    // A record header that promises more than follows.
    let file = OpenOptions::new().write(true).open(&log).unwrap();
    file.write_all_at(&[1, 2, 3, 4, 0xff, 0x7f, 1, 9, 9, 9], length).unwrap();
    let chain = TestChain::resume(folder.path());
    assert_eq!((chain.db.heads().latest.number, chain.db.lost()), (head, None));
    chain.db.check().unwrap();
}

#[test]
fn damaged_note_of_what_was_reported_harms_nobody() {
    for bytes in [&b""[..], b"nonsense", &[0xff; 56], &[0; 4096]] {
        let folder = tempfile::tempdir().unwrap();
        let head = sample(folder.path());
        fs::write(folder.path().join("reported"), bytes).unwrap();
        let chain = TestChain::resume(folder.path());
        assert_eq!((chain.db.heads().latest.number, chain.db.lost()), (head, None));
    }
}

#[test]
fn flipped_bit_in_a_table_is_an_error_that_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut chain = TestChain::open(folder.path());
    for number in 1..=BLOCKS {
        chain.append(&steps_of(number));
    }
    chain.db.flush().unwrap();
    drop(chain);
    let mut seen = 0;
    for entry in fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "sst") {
            continue;
        }
        let mut bytes = fs::read(&path).unwrap();
        bytes[10] ^= 4;
        fs::write(&path, bytes).unwrap();
        seen += 1;
    }
    assert!(seen > 5);
    let result = Database::open(folder.path(), model::spec()).and_then(|db| db.check());
    let error = result.unwrap_err();
    assert!(matches!(error, StorageError::RocksDb(_) | StorageError::Corrupt { .. }), "{error}");
}
