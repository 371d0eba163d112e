//! Readers against a writer that appends and takes back: every view is one block's state, whole.
#![allow(clippy::unwrap_used, missing_docs)]

mod model;

use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use alloy_primitives::{B256, U256, keccak256};
use model::{Model, TestChain, steps_of, views::assert_state};
use openledger_primitives::OpenTxEnvelope;
use openledger_storage::{Database, StateView, StorageError};

const ROUNDS: u64 = 200;
const READERS: u64 = 3;

/// Every block that ever was, known before it is appended.
#[derive(Default)]
struct Known(Mutex<HashMap<B256, Model>>);

impl Known {
    fn add(&self, hash: B256, model: Model) {
        self.0.lock().unwrap().insert(hash, model);
    }

    fn of(&self, hash: B256) -> Model {
        self.0.lock().unwrap().get(&hash).unwrap().clone()
    }
}

/// Appends two to five blocks a round and takes back up to three, always onto other contents.
fn write(chain: &mut TestChain, known: &Known) {
    for round in 0..ROUNDS {
        for index in 0..2 + round % 4 {
            let (new, model) = chain.build(&steps_of(1000 * round + index));
            known.add(new.hash, model.clone());
            chain.blocks.push(new.block.clone());
            chain.models.push(model);
            chain.db.persist(&[new]).unwrap();
        }
        let head = chain.db.heads().latest.number;
        chain.unwind_to(head.saturating_sub(round % 4));
    }
}

/// A view shows the block that it names, and still does when the writer has gone on.
fn read_state(view: &StateView, known: &Known) {
    let model = known.of(view.block().hash);
    assert_state(view, &model);
    assert_state(view, &model);
}

/// Header and body are of one block.
fn read_block(db: &Database, number: u64) {
    let Some(block) = db.block_by_number(number).unwrap() else { return };
    for transaction in &block.body.transactions {
        let OpenTxEnvelope::Deposit(deposit) = transaction else { panic!("only deposits were stored") };
        assert_eq!(deposit.source_hash, keccak256(block.header.state_root));
        assert_eq!(U256::from(deposit.mint), U256::from(number));
    }
}

/// Reads until told to stop; returns how many past states it saw.
fn read(db: &Database, known: &Known, stop: &AtomicBool, seed: u64) -> u64 {
    let mut past = 0;
    for turn in seed.. {
        if stop.load(Ordering::Acquire) {
            break;
        }
        read_state(&db.state().unwrap(), known);
        let head = db.heads().latest.number;
        let number = turn % (head + 1);
        match db.state_at(number) {
            Ok(view) => {
                assert_eq!(view.block().number, number);
                read_state(&view, known);
                past += 1;
            }
            // The writer has taken it back meanwhile.
            Err(StorageError::NoSuchBlock { .. }) => {}
            Err(error) => panic!("{error}"),
        }
        for number in head.saturating_sub(3)..=head {
            read_block(db, number);
        }
    }
    past
}

#[test]
fn no_reader_sees_a_torn_state_while_blocks_come_and_go() {
    let folder = tempfile::tempdir().unwrap();
    let mut chain = TestChain::open(folder.path());
    let known = Known::default();
    known.add(chain.blocks[0].header.hash_slow(), chain.models[0].clone());
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let readers: Vec<_> = (0..READERS)
            .map(|seed| {
                let (db, known, stop) = (chain.db.clone(), &known, &stop);
                scope.spawn(move || read(&db, known, stop, seed))
            })
            .collect();
        // Readers stop also where the writer fails, or the test would hang.
        let written = thread::scope(|scope| scope.spawn(|| write(&mut chain, &known)).join());
        stop.store(true, Ordering::Release);
        let past: u64 = readers.into_iter().map(|reader| reader.join().unwrap()).sum();
        written.unwrap();
        assert!(past > READERS, "the readers never got a turn");
    });
    for (number, model) in chain.models.iter().enumerate() {
        assert_state(&chain.db.state_at(number as u64).unwrap(), model);
    }
    chain.db.check().unwrap();
}
