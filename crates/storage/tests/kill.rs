//! A process killed while it writes: what it had reported is there, and nothing is half there.
#![allow(clippy::unwrap_used, missing_docs)]

mod model;

use std::{
    env,
    io::{self, BufRead, BufReader, Write},
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use alloy_primitives::B256;
use model::{TestChain, steps_of, views::assert_state};
use openledger_storage::Database;

const FOLDER: &str = "OPENLEDGER_KILL_TEST_FOLDER";
const ROUNDS: u64 = 20;
const SIGKILL: i32 = 9;

/// What the child says on standard error, a line each, once it is so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Report {
    /// The head, just appended or found there at the start.
    Head(u64, B256),
    /// About to take back the blocks after this one.
    Unwinding(u64),
}

impl Report {
    fn send(self) {
        let line = match self {
            Self::Head(number, hash) => format!("head {number} {hash}\n"),
            Self::Unwinding(number) => format!("unwinding {number}\n"),
        };
        // One write, so that no line is cut where the child is killed.
        io::stderr().write_all(line.as_bytes()).unwrap();
    }

    fn parse(line: &str) -> Self {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["head", number, hash] => Self::Head(number.parse().unwrap(), hash.parse().unwrap()),
            ["unwinding", number] => Self::Unwinding(number.parse().unwrap()),
            _ => panic!("the child says: {line}"),
        }
    }
}

#[test]
#[ignore = "the child of reported_blocks_survive_kill, which runs it"]
fn child_that_writes_until_killed() {
    let Some(folder) = env::var_os(FOLDER) else { return };
    let mut chain = TestChain::resume(Path::new(&folder));
    let head = |chain: &TestChain| {
        let head = chain.db.heads().latest;
        Report::Head(head.number, head.hash).send();
        head.number
    };
    for turn in 1.. {
        let number = head(&chain);
        if turn % 7 == 0 {
            let target = number.saturating_sub(3);
            Report::Unwinding(target).send();
            chain.unwind_to(target);
        } else {
            chain.append(&steps_of(number + 1));
        }
    }
}

fn spawn(folder: &Path) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "child_that_writes_until_killed", "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Lets the child write for a while, kills it, and returns all that it had reported.
fn run_and_kill(folder: &Path, round: u64) -> Vec<Report> {
    let mut child = spawn(folder);
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut reports: Vec<Report> =
        lines.by_ref().take(3 + 2 * round as usize).map(|line| Report::parse(&line)).collect();
    // Somewhere within a block's building and writing, which takes a few milliseconds.
    thread::sleep(Duration::from_micros(700 * round));
    child.kill().unwrap();
    reports.extend(lines.map(|line| Report::parse(&line)));
    assert_eq!(child.wait().unwrap().signal(), Some(SIGKILL), "it ended by itself");
    reports
}

/// The heads that the database can have after these reports: the last one reported, or what the
/// child was about to do.
fn possible_heads(reports: &[Report]) -> [u64; 2] {
    match reports {
        [.., Report::Head(number, _)] => [*number, number + 1],
        [.., Report::Head(number, _), Report::Unwinding(target)] => [*number, *target],
        _ => panic!("the child reported no head: {reports:?}"),
    }
}

#[test]
fn reported_blocks_survive_kill() {
    let folder = tempfile::tempdir().unwrap();
    let mut unwound = false;
    for round in 0..ROUNDS {
        let reports = run_and_kill(folder.path(), round);
        unwound |= reports.iter().any(|report| matches!(report, Report::Unwinding(_)));
        let chain = TestChain::resume(folder.path());
        let head = chain.db.heads().latest.number;
        assert!(possible_heads(&reports).contains(&head), "head {head} after {reports:?}");
        chain.db.check().unwrap();
        // A block is made of its number alone, so that one taken back and appended again is the same.
        for report in reports {
            if let Report::Head(number, hash) = report
                && number <= head
            {
                assert_reported(&chain.db, number, hash);
            }
        }
        for (number, model) in chain.models.iter().enumerate() {
            assert_eq!(chain.blocks[number].header.state_root, model.root());
        }
        for number in [head / 2, head] {
            assert_state(&chain.db.state_at(number).unwrap(), &chain.models[number as usize]);
        }
        // A head that was being taken back or appended can be written on.
        let mut chain = chain;
        chain.append(&steps_of(head + 1));
    }
    assert!(unwound, "no child came as far as taking blocks back");
}

fn assert_reported(db: &Database, number: u64, hash: B256) {
    assert_eq!(db.hash_of(number).unwrap(), Some(hash), "block {number}");
    let block = db.block_by_hash(hash).unwrap().unwrap();
    assert_eq!((block.header.number, block.header.hash_slow()), (number, hash));
    let transaction = block.body.transactions[..].first().map(|transaction| transaction.tx_hash());
    let position = transaction.map(|hash| db.transaction_position(hash).unwrap());
    assert_eq!(position, (number > 0).then_some(Some((number, 0))));
    assert_eq!(db.receipts_of(number).unwrap().unwrap().len(), block.body.transactions.len());
    assert_eq!(db.senders_of(number).unwrap().unwrap().len(), block.body.transactions.len());
}
