//! `kill -9` at random moments: every block that was said to be sealed is there afterwards.
#![allow(clippy::unwrap_used)]

mod node;

use std::{
    env,
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use alloy_primitives::{Address, B256};
use node::{Node, mint, tx};

/// Set in the process that is killed: its data folder.
const FOLDER: &str = "OPENLEDGER_KILL_TEST_FOLDER";
/// Rounds of load and `kill -9`.
const ROUNDS: &str = "OPENLEDGER_KILL_TEST_ROUNDS";

/// Not a test of its own: the load of the one below, which runs until it is killed.
#[tokio::test]
async fn load() {
    let Ok(folder) = env::var(FOLDER) else { return };
    let node = Node::open(folder.as_ref());
    for salt in 0.. {
        let number = node.head().number;
        let built = if salt % 7 == 6 {
            // Take some back, and go on with others.
            let back = number.saturating_sub(2);
            let hash = node.engine.database().hash_of(back).unwrap().unwrap();
            println!("back {back}");
            std::io::stdout().flush().unwrap();
            node.engine.reorg_to(alloy_eips::BlockNumHash { number: back, hash }).await.unwrap();
            node.build(vec![mint(2, number << 20 | salt)], vec![]).await
        } else {
            let nonce = node.engine.database().state().unwrap();
            let nonce = nonce.account(node::signer(1).address()).unwrap().map_or(0, |account| account.nonce);
            let pool =
                (0..20).map(|i| tx(1, nonce + 1 + i, Address::repeat_byte(i as u8), 1, vec![])).collect();
            node.build(vec![mint(1, number << 20 | salt)], pool).await
        };
        let id = node.engine.insert(built.block).await.unwrap();
        println!("sealed {} {}", id.number, id.hash);
        std::io::stdout().flush().unwrap();
    }
}

#[test]
fn every_block_said_to_be_sealed_survives_kill_9() {
    if env::var(FOLDER).is_ok() {
        return;
    }
    let rounds: u64 = env::var(ROUNDS).ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(4);
    let folder = tempfile::tempdir().unwrap();
    let mut sealed: Vec<B256> = vec![node::spec().genesis_hash()];
    for round in 0..rounds {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["load", "--exact", "--nocapture"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let random = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos() as u64 + round;
        let reader = std::thread::spawn(move || {
            let mut told = Vec::new();
            while let Some(Ok(line)) = lines.next() {
                told.push(line);
            }
            told
        });
        sleep(Duration::from_millis(400 + random % 700));
        child.kill().unwrap();
        child.wait().unwrap();
        // Where it was going back when it was killed, blocks above may be there or not.
        let mut floor = None;
        for line in reader.join().unwrap() {
            // The test runner's own words come before the first line, without a newline.
            let words: Vec<&str> = line.split_whitespace().collect();
            let words =
                &words[words.iter().position(|word| ["sealed", "back"].contains(word)).unwrap_or(0)..];
            match *words {
                ["sealed", number, hash] => {
                    floor = None;
                    sealed.truncate(number.parse().unwrap());
                    sealed.push(hash.parse().unwrap());
                }
                ["back", number] => floor = number.parse::<usize>().ok(),
                _ => {}
            }
        }
        let node = Node::open(folder.path());
        let database = node.engine.database().clone();
        let certain = floor.map_or(sealed.len(), |floor| floor + 1);
        for (number, hash) in sealed.iter().enumerate().take(certain) {
            assert_eq!(
                database.hash_of(number as u64).unwrap(),
                Some(*hash),
                "round {round}, block {number}"
            );
        }
        database.check().unwrap();
        // What is there now is where the next round starts.
        sealed =
            (0..=database.heads().latest.number).map(|n| database.hash_of(n).unwrap().unwrap()).collect();
        drop(database);
        node.close();
    }
    assert!(sealed.len() > 1, "the load has sealed nothing");
}
