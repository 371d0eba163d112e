//! What pruning drops and what it keeps.
#![allow(clippy::unwrap_used, missing_docs)]

mod model;

use model::{TestChain, spec, steps_of, views::assert_state};
use openledger_storage::{Database, DatabaseConfig, Pruning, StorageError};

const BLOCKS: u64 = 700;

fn sample(path: &std::path::Path, pruning: Pruning) -> TestChain {
    let mut chain = TestChain::open(path);
    drop(chain.db);
    chain.db = Database::open_with(path, spec(), DatabaseConfig { pruning, ..Default::default() }).unwrap();
    for first in (1..=BLOCKS).step_by(20) {
        let blocks: Vec<_> = (first..first + 20).map(steps_of).collect();
        let mut state = chain.db.state().unwrap();
        let mut range = Vec::new();
        for steps in &blocks {
            let (new, model) = model::build_on(&state, chain.models.last().unwrap(), steps);
            state = state.after((new.block.header.number, new.hash).into(), &new.update).unwrap();
            chain.blocks.push(new.block.clone());
            chain.models.push(model);
            range.push(new);
        }
        chain.db.persist(&range).unwrap();
    }
    chain
}

/// States, receipts and proofs are there from block `first` on, and before it their absence is said.
fn assert_kept_from(chain: &TestChain, first: u64) {
    let head = chain.db.heads().latest.number;
    for number in (0..=head).step_by(37).chain([first, first.saturating_sub(1), head]) {
        if number >= first {
            assert_state(&chain.db.state_at(number).unwrap(), &chain.models[number as usize]);
            assert_eq!(chain.db.receipts_of(number).unwrap().unwrap().len(), usize::from(number > 0));
        } else {
            let error = chain.db.state_at(number).unwrap_err();
            assert!(matches!(error, StorageError::Pruned { what: "state", .. }), "{error}");
            let error = chain.db.receipts_of(number).unwrap_err();
            assert!(matches!(error, StorageError::Pruned { what: "receipts", .. }), "{error}");
        }
        let block = chain.db.block_by_number(number).unwrap().unwrap();
        assert_eq!(block, chain.blocks[number as usize]);
        if let Some(transaction) = block.body.transactions.first() {
            let position = chain.db.transaction_position(transaction.tx_hash()).unwrap();
            assert_eq!(position, Some((number, 0)));
        }
        assert!(chain.db.senders_of(number).unwrap().is_some());
    }
}

#[test]
fn distance_keeps_that_many_blocks_and_some_while_blocks_come() {
    let folder = tempfile::tempdir().unwrap();
    let mut chain = sample(folder.path(), Pruning::Distance(130));
    let stats = chain.db.stats().unwrap();
    // What is too old goes some hundred blocks at a time.
    assert!((200..=BLOCKS - 130).contains(&stats.state_from), "{}", stats.state_from);
    assert_kept_from(&chain, stats.state_from);
    let report = chain.db.prune(Pruning::Distance(130)).unwrap();
    assert_eq!((report.state_from, report.receipts_from), (BLOCKS - 130, BLOCKS - 130));
    assert_kept_from(&chain, BLOCKS - 130);
    chain.db.check().unwrap();

    let error = chain.db.unwind_to(BLOCKS - 131).unwrap_err();
    assert!(matches!(error, StorageError::Pruned { .. }), "{error}");
    chain.unwind_to(BLOCKS - 130);
    chain.db.check().unwrap();
    chain.append(&steps_of(BLOCKS - 129));
    assert_kept_from(&chain, BLOCKS - 130);
    drop(chain.db);
    chain.db = Database::open(folder.path(), spec()).unwrap();
    assert_kept_from(&chain, BLOCKS - 130);
}

#[test]
fn blocks_after_the_finalized_one_are_never_pruned() {
    let folder = tempfile::tempdir().unwrap();
    let chain = sample(folder.path(), Pruning::Archive);
    assert_kept_from(&chain, 0);
    let at = |number: u64| (number, chain.blocks[number as usize].header.hash_slow()).into();
    chain.db.set_safe(at(400)).unwrap();
    chain.db.set_finalized(at(300)).unwrap();
    let report = chain.db.prune(Pruning::Distance(130)).unwrap();
    assert_eq!((report.state_from, report.receipts_from), (300, 300));
    assert_kept_from(&chain, 300);
    // Keeping more afterwards brings nothing back, and breaks nothing.
    let report = chain.db.prune(Pruning::FULL).unwrap();
    assert_eq!((report.blocks, report.state_from), (0, 300));
}

#[test]
fn pruning_is_read_as_it_is_written() {
    for pruning in [Pruning::Archive, Pruning::FULL, Pruning::Distance(500)] {
        assert_eq!(pruning.to_string().parse(), Ok(pruning));
    }
    for text in ["", "most", "distance", "distance=", "distance=-1", "distance=127"] {
        assert!(text.parse::<Pruning>().is_err(), "{text}");
    }
}
