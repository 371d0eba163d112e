//! Random chains against a model: every block's state, roots and proofs, before and after unwinding.
#![allow(clippy::unwrap_used, missing_docs)]

mod model;

use std::path::Path;

use alloy_primitives::B256;
use model::{ADDRESSES, Op, SLOTS, Step, TestChain, build_on, spec, steps_of, views::assert_state};
use openledger_storage::{Database, StorageError, restore_snapshot};
use proptest::prelude::*;
use revm::DatabaseRef;

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (0..SLOTS, 0_u64..4).prop_map(|(slot, value)| Op::SetSlot(slot, value)),
        2 => (1_u64..1000).prop_map(Op::SetBalance),
        1 => (1_u8..4).prop_map(Op::SetCode),
        1 => Just(Op::Destroy),
        1 => (0..SLOTS, 1_u64..4).prop_map(|(slot, value)| Op::Recreate(slot, value)),
    ]
}

fn blocks() -> impl Strategy<Value = Vec<Vec<Step>>> {
    let step = (0..ADDRESSES, op()).prop_map(|(address, op)| Step { address, op });
    prop::collection::vec(prop::collection::vec(step, 0..8), 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn every_past_block_reads_and_proves_as_it_was_and_unwinding_restores_it(
        blocks in blocks(), unwind in any::<prop::sample::Index>(), more in blocks(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut chain = TestChain::open(folder.path());
        for steps in &blocks {
            chain.append(steps);
        }
        let kept_view = chain.db.state().unwrap();
        let kept_model = chain.models.last().unwrap().clone();
        for (number, model) in chain.models.iter().enumerate() {
            assert_state(&chain.db.state_at(number as u64).unwrap(), model);
        }
        chain.db.check().unwrap();

        let target = unwind.index(chain.models.len());
        let taken = chain.db.unwind_to(target as u64).unwrap();
        prop_assert_eq!(&taken[..], &chain.blocks.split_off(target + 1)[..]);
        chain.models.truncate(target + 1);
        for block in &taken {
            let hash = block.header.hash_slow();
            prop_assert_eq!(chain.db.block_by_hash(hash).unwrap(), None);
            prop_assert_eq!(chain.db.block_by_number(block.header.number).unwrap(), None);
            prop_assert_eq!(chain.db.receipts_of(block.header.number).unwrap(), None);
            let tx_hash = block.body.transactions[0].tx_hash();
            prop_assert_eq!(chain.db.transaction_position(tx_hash).unwrap(), None);
        }
        chain.db.check().unwrap();

        for steps in &more {
            chain.append(steps);
        }
        // A view outlives what happened to its block.
        assert_state(&kept_view, &kept_model);
        drop(kept_view);
        let TestChain { models, blocks, db } = chain;
        drop(db);
        let db = Database::open(folder.path(), spec()).unwrap();
        prop_assert_eq!(db.heads().latest.number as usize + 1, models.len());
        for (number, model) in models.iter().enumerate() {
            assert_state(&db.state_at(number as u64).unwrap(), model);
            let block = db.block_by_number(number as u64).unwrap().unwrap();
            prop_assert_eq!(&block, &blocks[number]);
        }
        db.check().unwrap();
    }
}

/// What can happen to a chain.
#[derive(Debug, Clone)]
enum Event {
    Range(Vec<Vec<Step>>),
    Unwind(prop::sample::Index),
    Snapshot,
    Reopen,
    Flush,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        5 => blocks().prop_map(Event::Range),
        2 => any::<prop::sample::Index>().prop_map(Event::Unwind),
        1 => Just(Event::Snapshot),
        1 => Just(Event::Reopen),
        1 => Just(Event::Flush),
    ];
    prop::collection::vec(event, 1..8)
}

/// Closes the database and opens the one at `path`.
fn reopen(chain: &mut TestChain, path: &Path) {
    let elsewhere = tempfile::tempdir().unwrap();
    chain.db = Database::open(elsewhere.path(), spec()).unwrap();
    chain.db = Database::open(path, spec()).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// `check` computes all trie nodes anew and compares them with those that are stored.
    #[test]
    fn ranges_unwinding_and_snapshots_keep_state_nodes_and_history_in_step(events in events()) {
        let folder = tempfile::tempdir().unwrap();
        let mut path = folder.path().join("0");
        let mut chain = TestChain::open(&path);
        for (turn, event) in events.iter().enumerate() {
            match event {
                Event::Range(blocks) => chain.append_range(blocks),
                Event::Unwind(index) => chain.unwind_to(index.index(chain.models.len()) as u64),
                Event::Snapshot => {
                    let snapshot = folder.path().join(format!("snapshot {turn}"));
                    let manifest = chain.db.write_snapshot(&snapshot).unwrap();
                    prop_assert_eq!(manifest.state_root, chain.models.last().unwrap().root());
                    path = folder.path().join(format!("{}", turn + 1));
                    prop_assert_eq!(restore_snapshot(&snapshot, &path, spec().genesis_hash()).unwrap(), manifest);
                    reopen(&mut chain, &path);
                }
                Event::Reopen => reopen(&mut chain, &path),
                Event::Flush => chain.db.flush().unwrap(),
            }
            chain.db.check().unwrap();
            prop_assert_eq!(chain.db.heads().latest.number as usize + 1, chain.models.len());
            let number = turn * 7919 % chain.models.len();
            assert_state(&chain.db.state_at(number as u64).unwrap(), &chain.models[number]);
        }
        for (number, model) in chain.models.iter().enumerate() {
            assert_state(&chain.db.state_at(number as u64).unwrap(), model);
            let block = chain.db.block_by_number(number as u64).unwrap().unwrap();
            prop_assert_eq!(&block, &chain.blocks[number]);
        }
    }
}

#[test]
fn blocks_on_a_past_block_are_read_and_proven_beside_the_stored_chain() {
    let folder = tempfile::tempdir().unwrap();
    let mut chain = TestChain::open(folder.path());
    for number in 1..=6 {
        chain.append(&steps_of(number));
    }
    let fork = chain.db.state_at(3).unwrap();
    let (new, model) = build_on(&fork, &chain.models[3], &steps_of(100));
    let state = fork.after((4, new.hash).into(), &new.update).unwrap();
    assert_state(&state, &model);
    let (next, model) = build_on(&state, &model, &steps_of(101));
    assert_state(&state.after((5, next.hash).into(), &next.update).unwrap(), &model);
    assert!(chain.db.persist(std::slice::from_ref(&new)).is_err(), "its parent is not the head");
    chain.unwind_to(3);
    chain.db.persist(&[new, next]).unwrap();
    assert_state(&chain.db.state().unwrap(), &model);
    chain.db.check().unwrap();
}

#[test]
fn range_with_a_block_that_does_not_fit_is_refused_as_a_whole() {
    let folder = tempfile::tempdir().unwrap();
    let mut chain = TestChain::open(folder.path());
    chain.append(&steps_of(1));
    let (first, _) = chain.build(&steps_of(2));
    let (other, _) = chain.build(&steps_of(3));
    let heads = chain.db.heads();
    assert!(chain.db.persist(&[first, other]).is_err());
    assert_eq!(chain.db.heads(), heads);
    assert_eq!(chain.db.block_by_number(2).unwrap(), None);
    chain.db.check().unwrap();
}

#[test]
fn block_is_found_by_number_hash_and_transaction() {
    let folder = tempfile::tempdir().unwrap();
    let mut chain = TestChain::open(folder.path());
    chain.append(&[Step { address: 0, op: Op::SetBalance(7) }]);
    let block = chain.blocks[1].clone();
    let hash = block.header.hash_slow();
    let db = &chain.db;
    assert_eq!(db.block_by_hash(hash).unwrap(), Some(block.clone()));
    assert_eq!(db.header_by_number(1).unwrap(), Some(block.header.clone()));
    assert_eq!(db.header_by_hash(hash).unwrap(), Some(block.header.clone()));
    assert_eq!(db.hash_of(1).unwrap(), Some(hash));
    assert_eq!(db.number_of(hash).unwrap(), Some(1));
    assert_eq!(db.transaction_position(block.body.transactions[0].tx_hash()).unwrap(), Some((1, 0)));
    assert_eq!(db.senders_of(1).unwrap(), Some(vec![model::addresses()[0]]));
    assert_eq!(db.receipts_of(1).unwrap(), Some(vec![model::receipt()]));
    assert_eq!(db.state().unwrap().block_hash_ref(1).unwrap(), hash);
    assert_eq!(db.state_at(0).unwrap().block_hash_ref(1).unwrap(), B256::ZERO);
    assert!(matches!(db.state_at(2), Err(StorageError::NoSuchBlock { number: 2, head: 1 })));
    let genesis = db.block_by_number(0).unwrap().unwrap();
    assert_eq!(genesis.header.hash_slow(), spec().genesis_hash());
}

#[test]
fn block_that_does_not_fit_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut chain = TestChain::open(folder.path());
    let steps = [Step { address: 0, op: Op::SetBalance(7) }];
    let (stale, _) = chain.build(&steps);
    chain.append(&steps);
    let heads = chain.db.heads();
    let error = chain.db.persist(&[stale]).unwrap_err();
    assert!(matches!(error, StorageError::NotOnHead { .. }), "{error}");

    let (mut wrong_root, _) = chain.build(&[Step { address: 0, op: Op::SetBalance(8) }]);
    wrong_root.block.header.state_root = B256::ZERO;
    wrong_root.hash = wrong_root.block.header.hash_slow();
    let (mut wrong_hash, _) = chain.build(&steps);
    wrong_hash.hash = B256::ZERO;
    let (mut no_sender, _) = chain.build(&steps);
    no_sender.senders.clear();
    for block in [wrong_root, wrong_hash, no_sender] {
        let error = chain.db.persist(&[block]).unwrap_err();
        assert!(matches!(error, StorageError::InvalidBlock { .. }), "{error}");
    }
    assert_eq!(chain.db.heads(), heads);
    chain.db.check().unwrap();
}

#[test]
fn heads_stay_in_order_and_survive_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let mut chain = TestChain::open(folder.path());
    for balance in 1..=4 {
        chain.append(&[Step { address: 0, op: Op::SetBalance(balance) }]);
    }
    let at = |number: usize| (number as u64, chain.blocks[number].header.hash_slow()).into();
    let db = &chain.db;
    assert!(db.set_finalized(at(2)).is_err(), "finalized would pass safe");
    db.set_safe(at(3)).unwrap();
    db.set_finalized(at(2)).unwrap();
    assert!(db.set_safe(at(1)).is_err(), "safe would fall behind finalized");
    assert!(db.set_finalized(at(1)).is_err(), "finalized would go back");
    assert!(db.set_safe((9, B256::ZERO).into()).is_err(), "not on the chain");
    assert!(db.unwind_to(1).is_err(), "block 2 is finalized");
    db.unwind_to(2).unwrap();
    let heads = db.heads();
    assert_eq!((heads.latest, heads.safe, heads.finalized), (at(2), at(2), at(2)));
    drop(chain.db);
    assert_eq!(Database::open(folder.path(), spec()).unwrap().heads(), heads);
}
