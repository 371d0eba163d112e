//! Proofs from stored nodes against `alloy-trie`'s verifier; damaged sources against everything.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{cell::Cell, collections::BTreeMap, sync::Arc};

use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_trie::proof::verify_proof;
use openledger_trie::{
    AccountChange, EMPTY_ROOT_HASH, MemoryState, MemoryStateError, Nibbles, NodeBuilder, Overlay, Prefetcher,
    StateChanges, StateSource, StateTrie, StorageChanges, StoredNode, TrieAccount, TrieBuilder, TrieError,
    prove, update_state_root,
};
use proptest::prelude::*;

fn address(seed: u32) -> Address {
    Address::from_word(keccak256(seed.to_be_bytes()))
}

fn slot(seed: u32) -> B256 {
    B256::from(U256::from(seed))
}

/// Accounts `0..accounts`, of which every seventh has some slots, and the 0th has `slots`.
fn changes(accounts: u32, slots: u32) -> StateChanges {
    let mut changes = StateChanges::default();
    for n in 0..accounts {
        let hashed_address = keccak256(address(n));
        let account = AccountChange { nonce: n.into(), balance: U256::from(n) << 50, ..Default::default() };
        changes.accounts.insert(hashed_address, Some(account));
        let count = if n == 0 {
            slots
        } else if n % 7 == 0 {
            n % 5
        } else {
            0
        };
        if count > 0 {
            let slots = (0..count).map(|m| (keccak256(slot(m)), U256::from(m + 1).into())).collect();
            changes.storages.insert(hashed_address, StorageChanges { wiped: false, slots });
        }
    }
    changes
}

fn state(accounts: u32, slots: u32) -> (MemoryState, B256) {
    let mut state = MemoryState::default();
    let layer = update_state_root(&state, EMPTY_ROOT_HASH, changes(accounts, slots)).unwrap();
    state.apply(&layer);
    (state, layer.state_root)
}

fn assert_proven<S: StateSource>(source: &S, root: B256, n: u32, slots: &[B256]) {
    let proven = prove(source, root, address(n), slots).unwrap();
    let key = keccak256(address(n));
    assert_eq!(proven.account, source.account(key).unwrap());
    verify_proof(root, Nibbles::unpack(key), proven.account.map(alloy_rlp::encode), &proven.proof).unwrap();
    let storage_root = proven.account.map_or(EMPTY_ROOT_HASH, |account| account.storage_root);
    assert_eq!(proven.storage_proofs.len(), slots.len());
    for (slot, proof) in slots.iter().zip(&proven.storage_proofs) {
        let hashed = keccak256(slot);
        assert_eq!((proof.slot, proof.value), (*slot, source.slot(key, hashed).unwrap()));
        let value = Some(proof.value).filter(|value| !value.is_zero()).map(alloy_rlp::encode);
        verify_proof(storage_root, Nibbles::unpack(hashed), value.clone(), &proof.proof).unwrap();
        let wrong = if value.is_some() { None } else { Some(vec![1]) };
        assert!(verify_proof(storage_root, Nibbles::unpack(hashed), wrong, &proof.proof).is_err());
    }
}

#[test]
fn accounts_and_slots_are_proven_there_or_not_there() {
    for (accounts, slots) in [(0, 0), (1, 0), (1, 1), (2, 2), (40, 17), (3_000, 400)] {
        let (state, root) = state(accounts, slots);
        for n in (0..accounts).step_by(1 + accounts as usize / 60).chain(accounts..accounts + 20) {
            assert_proven(&state, root, n, &[slot(0), slot(n), slot(slots + n)]);
        }
    }
}

#[test]
fn proofs_through_layers_are_those_of_the_state_they_make() {
    let (mut state, root) = state(500, 50);
    let mut next = StateChanges::default();
    for n in 0..200 {
        let account = (n % 3 != 0).then(|| AccountChange { nonce: 9, ..Default::default() });
        next.accounts.insert(keccak256(address(n * 3)), account);
    }
    let layer = update_state_root(&state, root, next).unwrap();
    let overlay = Overlay::new(state.clone(), vec![Arc::new(layer.clone())]);
    state.apply(&layer);
    for n in (0..700).step_by(9) {
        assert_proven(&overlay, layer.state_root, n, &[slot(1), slot(n)]);
        let at_once = prove(&state, layer.state_root, address(n), &[slot(1)]).unwrap();
        assert_eq!(prove(&overlay, layer.state_root, address(n), &[slot(1)]).unwrap(), at_once);
    }
}

#[test]
fn proof_is_the_one_of_a_pass_over_all_leaves() {
    let (state, root) = state(700, 30);
    let targets: Vec<_> = (0..800).step_by(13).collect();
    let mut builder = TrieBuilder::with_targets(targets.iter().map(|n| keccak256(address(*n))));
    state.accounts.iter().for_each(|(key, account)| builder.push_account(*key, account).unwrap());
    let expected = builder.root_and_proofs();
    assert_eq!(expected.root(), root);
    for n in targets {
        let proof = prove(&state, root, address(n), &[]).unwrap().proof;
        assert_eq!(proof, expected.proof_of(keccak256(address(n))));
    }
}

/// Counts what is read.
struct Counted<'a>(&'a MemoryState, Cell<usize>);

impl StateSource for Counted<'_> {
    type Error = MemoryStateError;

    fn account(&self, key: B256) -> Result<Option<TrieAccount>, MemoryStateError> {
        self.1.set(self.1.get() + 1);
        self.0.account(key)
    }

    fn slot(&self, address: B256, key: B256) -> Result<U256, MemoryStateError> {
        self.1.set(self.1.get() + 1);
        self.0.slot(address, key)
    }

    fn seek_account(&self, from: B256) -> Result<Option<(B256, TrieAccount)>, MemoryStateError> {
        self.1.set(self.1.get() + 1);
        self.0.seek_account(from)
    }

    fn seek_slot(&self, address: B256, from: B256) -> Result<Option<(B256, U256)>, MemoryStateError> {
        self.1.set(self.1.get() + 1);
        self.0.seek_slot(address, from)
    }

    fn account_node(&self, path: &Nibbles) -> Result<Option<StoredNode>, MemoryStateError> {
        self.1.set(self.1.get() + 1);
        self.0.account_node(path)
    }

    fn storage_node(&self, address: B256, path: &Nibbles) -> Result<Option<StoredNode>, MemoryStateError> {
        self.1.set(self.1.get() + 1);
        self.0.storage_node(address, path)
    }
}

#[test]
fn proof_reads_as_many_nodes_as_the_trie_is_deep() {
    let (state, root) = state(20_000, 10);
    let source = Counted(&state, Cell::new(0));
    prove(&source, root, address(7_000), &[slot(1)]).unwrap();
    assert!(source.1.get() <= 12, "{} reads", source.1.get());
}

/// One change that reaches far: an account and a slot changed, one added, one removed.
fn touching(n: u32) -> StateChanges {
    let mut changes = StateChanges::default();
    let account = |nonce| Some(AccountChange { nonce, ..Default::default() });
    changes.accounts.insert(keccak256(address(0)), account(77));
    changes.accounts.insert(keccak256(address(n)), account(78));
    changes.accounts.insert(keccak256(address(n + 1)), None);
    changes.accounts.insert(keccak256(address(n + 100_000)), account(79));
    let slots = [(n, 5), (n + 1, 0), (n + 100_000, 6)]
        .map(|(n, value)| (keccak256(slot(n)), U256::from(value).into()));
    changes.storages.insert(keccak256(address(0)), StorageChanges { wiped: false, slots: slots.into() });
    changes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn damage_is_an_error_or_does_not_matter(pick in any::<u32>(), kind in 0..6_u8, bit in any::<u32>(), n in 0..28_u32) {
        let (mut state, root) = state(30, 30);
        let expected = update_state_root(&state, root, touching(n)).unwrap();
        let nodes = if kind % 2 == 0 {
            &mut state.account_nodes
        } else {
            state.storage_nodes.get_mut(&keccak256(address(0))).unwrap()
        };
        let paths: std::collections::BTreeSet<_> = nodes.keys().copied().collect();
        let path = *paths.iter().nth(pick as usize % paths.len()).unwrap();
        let node = nodes.get_mut(&path).unwrap();
        match kind / 2 {
            0 => {
                let at = bit as usize % (node.len() * 8);
                node[at / 8] ^= 1 << (at % 8);
            }
            1 => _ = nodes.remove(&path),
            _ => *node = node[..bit as usize % node.len()].into(),
        }
        // The right layer or an error: a wrong root in no case.
        if let Ok(layer) = update_state_root(&state, root, touching(n)) {
            prop_assert_eq!(layer, expected);
        }
        let account = prove(&state, root, address(n), &[slot(n)]);
        if let Ok(proven) = account {
            let key = keccak256(address(n));
            let leaf = proven.account.map(alloy_rlp::encode);
            prop_assert!(verify_proof(root, Nibbles::unpack(key), leaf, &proven.proof).is_ok());
        }
    }

    #[test]
    fn changed_leaf_beside_the_change_is_an_error(n in 0..30_u32, value in 1..u64::MAX) {
        let (mut state, root) = state(30, 30);
        let key = keccak256(address(n));
        state.accounts.get_mut(&key).unwrap().balance ^= U256::from(value);
        let found = update_state_root(&state, root, StateChanges {
            accounts: [(key, None)].into(),
            ..Default::default()
        });
        let is_mismatch = matches!(found, Err(TrieError::Mismatch { .. }));
        prop_assert!(is_mismatch);
    }

    #[test]
    fn bytes_that_are_no_node_are_refused_and_nodes_are_read_back(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        if let Ok(node) = StoredNode::decode(&bytes) {
            let mut again = Vec::new();
            node.encode(&mut again);
            prop_assert_eq!(again, bytes);
        }
    }
}

#[test]
fn stored_nodes_are_read_back_as_written_and_not_cut_short() {
    let (state, _) = state(400, 300);
    let storage = &state.storage_nodes[&keccak256(address(0))];
    for bytes in state.account_nodes.values().chain(storage.values()) {
        let mut again = Vec::new();
        StoredNode::decode(bytes).unwrap().encode(&mut again);
        assert_eq!(again, bytes.to_vec());
        for len in 0..bytes.len() {
            assert!(StoredNode::decode(&bytes[..len]).is_err());
        }
    }
}

#[test]
fn wrong_root_is_an_error() {
    let (state, _) = state(30, 30);
    let found = update_state_root(&state, B256::repeat_byte(7), touching(1));
    assert!(matches!(found, Err(TrieError::Mismatch { .. })));
    let found = update_state_root(&MemoryState::default(), B256::repeat_byte(7), touching(1));
    assert!(matches!(found, Err(TrieError::Missing { .. })));
}

#[test]
fn storage_of_an_account_that_is_not_there_is_an_error() {
    let (state, root) = state(30, 30);
    let key = keccak256(address(1_000));
    let storage = StorageChanges { wiped: false, slots: BTreeMap::from([(B256::ZERO, U256::ONE.into())]) };
    let changes = StateChanges { storages: [(key, storage)].into(), ..Default::default() };
    assert_eq!(update_state_root(&state, root, changes), Err(TrieError::NoAccount(key)));
}

#[test]
fn prefetched_trie_needs_no_node_any_more() {
    let (mut state, root) = state(3_000, 900);
    let expected = update_state_root(&state, root, changes(100, 300)).unwrap();
    // Without a queue a change is taken only by a thread that is done with those before.
    let prefetcher = Prefetcher::spawn(StateTrie::new(root), state.clone(), 0).unwrap();
    for told in [changes(100, 300), StateChanges::default()] {
        while !prefetcher.touch(told.clone()) {
            std::thread::yield_now();
        }
    }
    let trie = prefetcher.finish();
    assert!(trie.memory_bytes() > 0);
    state.account_nodes.clear();
    state.storage_nodes.clear();
    assert_eq!(trie.apply(&state, changes(100, 300)).unwrap().1, expected);
}

#[test]
fn pruned_trie_stays_within_its_limit_and_right() {
    let (mut state, mut root) = state(20_000, 5_000);
    let mut trie = StateTrie::new(root);
    for round in 0..12 {
        let mut changes = StateChanges::default();
        for n in 0..300 {
            let account = AccountChange { nonce: round, ..Default::default() };
            let n = keccak256([round as u8, n as u8])[0] as u32 * 78 + n;
            changes.accounts.insert(keccak256(address(n)), Some(account));
        }
        let (next, layer) = trie.apply(&state, changes).unwrap();
        trie = next;
        state.apply(&layer);
        root = layer.state_root;
        trie.prune(1 << 19);
        assert!(trie.memory_bytes() <= 1 << 20);
    }
    let mut builder = NodeBuilder::new(|_: &Nibbles, _: &[u8]| ());
    state.accounts.iter().for_each(|(key, account)| builder.push_account(*key, account).unwrap());
    assert_eq!(builder.root(), root);
}
