//! A process killed while it writes, and its log damaged besides: what it had reported is there or its loss is
//! reported, and nothing is half there. `OPENLEDGER_KILL_ROUNDS` sets how often, 20 times where it is not set.
#![allow(clippy::unwrap_used, missing_docs)]

mod model;

use std::{
    env,
    fs::{self, OpenOptions},
    io::{self, BufRead, BufReader, Write},
    os::unix::{fs::FileExt, process::ExitStatusExt},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use alloy_primitives::{B256, keccak256};
use model::{TestChain, steps_of, views::assert_state};
use openledger_storage::Database;

const FOLDER: &str = "OPENLEDGER_KILL_TEST_FOLDER";
const ROUNDS_VARIABLE: &str = "OPENLEDGER_KILL_ROUNDS";
const ROUNDS: u64 = 20;
/// Blocks after which the chain is taken back to its start, or playing it again would take longest.
const MAX_HEAD: u64 = 60;
const SIGKILL: i32 = 9;

/// What the child says on standard error, a line each, once it is so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Report {
    /// The head, just appended or found there at the start.
    Head(u64, B256),
    /// About to store blocks up to this one, together.
    Storing(u64),
    /// About to take back the blocks after this one.
    Unwinding(u64),
}

impl Report {
    fn send(self) {
        let line = match self {
            Self::Head(number, hash) => format!("head {number} {hash}\n"),
            Self::Storing(number) => format!("storing {number}\n"),
            Self::Unwinding(number) => format!("unwinding {number}\n"),
        };
        // One write, so that no line is cut where the child is killed.
        io::stderr().write_all(line.as_bytes()).unwrap();
    }

    fn parse(line: &str) -> Self {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["head", number, hash] => Self::Head(number.parse().unwrap(), hash.parse().unwrap()),
            ["storing", number] => Self::Storing(number.parse().unwrap()),
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
            let range: Vec<_> = (number + 1..=number + 1 + turn % 4).map(steps_of).collect();
            Report::Storing(number + range.len() as u64).send();
            chain.append_range(&range);
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
    let count = 3 + 2 * (round % 20) as usize;
    let mut reports: Vec<Report> = lines.by_ref().take(count).map(|line| Report::parse(&line)).collect();
    // Somewhere within a block's building and writing, which takes a few milliseconds.
    thread::sleep(Duration::from_micros(700 * (round % 29)));
    child.kill().unwrap();
    reports.extend(lines.map(|line| Report::parse(&line)));
    assert_eq!(child.wait().unwrap().signal(), Some(SIGKILL), "it ended by itself");
    reports
}

/// Cuts or changes the end of the log in every other round; returns whether it did.
fn damage_log(folder: &Path, round: u64) -> bool {
    let logs = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let log = logs
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .max_by_key(|path| path.metadata().unwrap().len());
    let Some(log) = log.filter(|log| round % 2 == 1 && log.metadata().unwrap().len() > 0) else {
        return false;
    };
    let file = OpenOptions::new().read(true).write(true).open(log).unwrap();
    let length = file.metadata().unwrap().len();
    let random = u64::from(keccak256(round.to_be_bytes())[0]) * 37;
    let place = length - 1 - random % length;
    if round % 4 == 1 {
        file.set_len(place).unwrap();
    } else {
        let mut byte = [0];
        file.read_exact_at(&mut byte, place).unwrap();
        file.write_all_at(&[byte[0] ^ (1 << (round % 8))], place).unwrap();
    }
    true
}

/// The heads that the database can have after these reports: the last one reported, or what the
/// child was about to do.
fn possible_heads(reports: &[Report]) -> [u64; 2] {
    match reports {
        [.., Report::Head(number, _)] => [*number, *number],
        [.., Report::Head(number, _), Report::Storing(target) | Report::Unwinding(target)] => {
            [*number, *target]
        }
        _ => panic!("the child reported no head: {reports:?}"),
    }
}

#[test]
fn reported_blocks_survive_kill() {
    let folder = tempfile::tempdir().unwrap();
    let rounds = env::var(ROUNDS_VARIABLE).map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    let (mut unwound, mut losses, mut known_loss) = (false, 0, None);
    for round in 0..rounds {
        let reports = run_and_kill(folder.path(), round);
        unwound |= reports.iter().any(|report| matches!(report, Report::Unwinding(_)));
        let damaged = damage_log(folder.path(), round);
        let mut chain = TestChain::resume(folder.path());
        let head = chain.db.heads().latest.number;
        let possible = possible_heads(&reports);
        let lost = chain.db.lost().filter(|_| chain.db.lost() != known_loss);
        known_loss = chain.db.lost();
        match lost {
            None => assert!(possible.contains(&head), "round {round}: head {head} after {reports:?}"),
            Some(lost) => {
                assert!(damaged, "round {round}: {lost:?} lost without damage");
                assert!(possible.contains(&lost.reported.number), "round {round}: {lost:?} of {reports:?}");
                assert_eq!(lost.last_good.number, head);
                losses += 1;
            }
        }
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
        chain.append(&steps_of(head + 1));
        if head > MAX_HEAD {
            chain.unwind_to(3);
        }
    }
    assert!(unwound, "no child came as far as taking blocks back");
    assert!(losses > 0, "no damage was noticed");
    eprintln!("{rounds} rounds, {losses} with losses to a damaged log, all reported");
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
