//! Roots kept up to date change by change, against a rebuild from nothing by `alloy-trie`.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{collections::BTreeMap, sync::Arc};

use alloy_primitives::{B256, U256, keccak256};
use alloy_trie::root::{state_root_unsorted, storage_root_unsorted};
use openledger_trie::{
    AccountChange, KECCAK_EMPTY, MemoryState, Nibbles, NodeBuilder, NodeRows, Overlay, SlotChange,
    StateChanges, StateLayer, StateSource, StateTrie, StorageChanges, TrieAccount, update_state_root,
};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

/// Sequences of rounds run by each property; more by the environment variable.
fn cases() -> u32 {
    std::env::var("TRIE_TEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(2_000)
}

/// A key out of a small alphabet, so that keys meet, share long prefixes and collapse branches.
#[derive(Debug, Clone, Copy)]
enum Alphabet {
    /// Differs in its first nibbles.
    Top,
    /// Differs in its last nibbles: long extensions, and nodes inside their parents.
    Bottom,
    /// Differs at some places in between.
    Spread,
    /// Any.
    Wide,
}

impl Alphabet {
    fn key(self, seed: u32) -> B256 {
        let mut key = B256::ZERO;
        let bytes = (seed as u16).to_be_bytes();
        match self {
            Self::Top => key[0] = bytes[1],
            Self::Bottom => {
                key[30] = bytes[0] & 1;
                key[31] = bytes[1];
            }
            Self::Spread => {
                for (bit, at) in [0, 1, 4, 5, 12, 20, 28, 31].into_iter().enumerate() {
                    key[at] = if bytes[1] >> bit & 1 == 1 { 0x10 } else { 0x01 };
                }
            }
            Self::Wide => key = keccak256((seed % 3000).to_be_bytes()),
        }
        key
    }
}

/// The changes of one round, from few bytes that proptest can shrink.
type Op = (u32, u32, u8);

#[derive(Debug, Clone)]
struct Plan {
    alphabet: Alphabet,
    rounds: Vec<Vec<Op>>,
}

fn plan(max_ops: usize) -> impl Strategy<Value = Plan> {
    let alphabet = prop_oneof![
        Just(Alphabet::Top),
        Just(Alphabet::Bottom),
        Just(Alphabet::Spread),
        Just(Alphabet::Wide)
    ];
    let ops = prop_oneof![1 => 1..max_ops, 3 => 1..24_usize]
        .prop_flat_map(|n| prop::collection::vec(any::<Op>(), n));
    (alphabet, prop::collection::vec(ops, 1..8)).prop_map(|(alphabet, rounds)| Plan { alphabet, rounds })
}

/// The state as plain leaves.
#[derive(Debug, Clone, Default)]
struct Model {
    accounts: BTreeMap<B256, AccountChange>,
    storages: BTreeMap<B256, BTreeMap<B256, U256>>,
}

impl Model {
    fn account(&self, key: &B256) -> Option<TrieAccount> {
        let account = self.accounts.get(key)?;
        let slots = self.storages.get(key).into_iter().flatten().map(|(slot, value)| (*slot, *value));
        let root = storage_root_unsorted(slots);
        Some(TrieAccount::new(account.nonce, account.balance, root, account.code_hash))
    }

    fn root(&self) -> B256 {
        state_root_unsorted(self.accounts.keys().map(|key| (*key, self.account(key).unwrap())))
    }

    /// Makes one round of changes in the model, and gives them as the trie takes them.
    fn round(&mut self, alphabet: Alphabet, ops: &[Op]) -> StateChanges {
        let before = self.clone();
        let mut changes = StateChanges::default();
        for (n, (first, second, kind)) in ops.iter().enumerate() {
            let address = alphabet.key(*first);
            // Half of all the slots in few accounts.
            let owner = alphabet.key(if second % 2 == 0 { first % 4 } else { *first });
            match kind % 16 {
                0..4 => self.set_account(address, second.wrapping_add(n as u32), &before, &mut changes),
                4..6 => {
                    self.accounts.remove(&address);
                    self.storages.remove(&address);
                    changes.accounts.insert(address, None);
                    changes.storages.remove(&address);
                }
                6 => {
                    self.storages.remove(&owner);
                    self.set_account(owner, *second, &before, &mut changes);
                    changes.storages.insert(owner, StorageChanges { wiped: true, ..Default::default() });
                }
                kind => {
                    let gone = matches!(changes.accounts.get(&owner), Some(None));
                    if !self.accounts.contains_key(&owner) {
                        self.set_account(owner, *second, &before, &mut changes);
                    }
                    let storage = changes.storages.entry(owner).or_default();
                    storage.wiped |= gone;
                    let slot = alphabet.key(second / 2);
                    let value = if kind < 11 { U256::ZERO } else { slot_value(*second) };
                    let slots = self.storages.entry(owner).or_default();
                    if value.is_zero() {
                        slots.remove(&slot);
                    } else {
                        slots.insert(slot, value);
                    }
                    let was_set = second % 3 == 0
                        && !storage.wiped
                        && before.storages.get(&owner).is_some_and(|slots| slots.contains_key(&slot));
                    storage.slots.insert(slot, SlotChange { value, was_set });
                }
            }
        }
        changes
    }

    fn set_account(&mut self, key: B256, seed: u32, before: &Self, changes: &mut StateChanges) {
        if matches!(changes.accounts.get(&key), Some(None)) {
            changes.storages.entry(key).or_default().wiped = true;
        }
        let storage_root =
            before.account(&key).filter(|_| seed.is_multiple_of(2)).map(|account| account.storage_root);
        let account = AccountChange {
            nonce: u64::from(seed % 300),
            balance: U256::from(seed),
            code_hash: KECCAK_EMPTY,
            storage_root,
        };
        self.accounts.insert(key, account);
        changes.accounts.insert(key, Some(account));
    }
}

/// Often a single byte, so that leaves are short enough to stand in their parents.
fn slot_value(seed: u32) -> U256 {
    match seed % 3 {
        0 => U256::from(seed % 127 + 1),
        1 => U256::from(seed).wrapping_shl(40) | U256::ONE,
        _ => U256::from_be_bytes(keccak256(seed.to_be_bytes()).0) | U256::ONE,
    }
}

fn run(max_ops: usize, cases: u32, test: impl Fn(Plan)) {
    let mut runner = TestRunner::new(Config { cases, ..Config::default() });
    runner
        .run(&plan(max_ops), |plan| {
            test(plan);
            Ok(())
        })
        .unwrap();
}

/// What a rebuild from all leaves stores must be what the changes left stored.
fn assert_stored_as_rebuilt(state: &MemoryState) -> B256 {
    let mut nodes = BTreeMap::new();
    let mut builder = NodeBuilder::new(|path: &Nibbles, node: &[u8]| {
        assert!(nodes.insert(*path, node.to_vec()).is_none(), "a node is emitted once");
    });
    for (key, account) in &state.accounts {
        builder.push_account(*key, account).unwrap();
    }
    let root = builder.root();
    assert_same_nodes(&nodes, state.account_nodes.iter());
    for (key, account) in &state.accounts {
        let mut nodes = BTreeMap::new();
        let mut builder = NodeBuilder::new(|path: &Nibbles, node: &[u8]| {
            nodes.insert(*path, node.to_vec());
        });
        for (slot, value) in state.storages.get(key).into_iter().flatten() {
            builder.push_slot(*slot, *value).unwrap();
        }
        assert_eq!(builder.root(), account.storage_root);
        assert_same_nodes(&nodes, state.storage_nodes.get(key).into_iter().flatten());
    }
    assert!(state.storages.keys().all(|key| state.accounts.contains_key(key)));
    assert!(state.storage_nodes.keys().all(|key| state.accounts.contains_key(key)));
    root
}

fn assert_same_nodes<'a>(
    expected: &BTreeMap<Nibbles, Vec<u8>>,
    stored: impl Iterator<Item = (&'a Nibbles, &'a Box<[u8]>)>,
) {
    let stored: BTreeMap<Nibbles, Vec<u8>> = stored.map(|(path, node)| (*path, node.to_vec())).collect();
    assert_eq!(expected, &stored);
}

#[test]
fn roots_and_stored_nodes_follow_the_changes() {
    run(400, cases(), |plan| {
        let mut model = Model::default();
        let mut state = MemoryState::default();
        let mut root = model.root();
        for ops in &plan.rounds {
            let changes = model.round(plan.alphabet, ops);
            let layer = update_state_root(&state, root, changes).unwrap();
            root = layer.state_root;
            assert_eq!(root, model.root());
            for (key, account) in &layer.accounts {
                assert_eq!(*account, model.account(key));
            }
            assert_sorted(&layer.nodes.accounts);
            layer.nodes.storages.values().for_each(|updates| assert_sorted(&updates.nodes));
            state.apply(&layer);
            assert_eq!(assert_stored_as_rebuilt(&state), root);
        }
    });
}

fn assert_sorted(rows: &NodeRows) {
    assert!(rows.iter().map(|(path, _)| path).is_sorted_by(|a, b| a < b));
}

#[test]
fn trie_in_memory_gives_the_same_layers_as_one_read_anew() {
    run(60, cases(), |plan| {
        let mut model = Model::default();
        let mut state = MemoryState::default();
        let mut trie = StateTrie::new(model.root());
        for (n, ops) in plan.rounds.iter().enumerate() {
            let changes = model.round(plan.alphabet, ops);
            let fresh = update_state_root(&state, trie.root(), changes.clone()).unwrap();
            if n % 2 == 1 {
                trie.prefetch(&state, &changes).unwrap();
            }
            // A clone keeps the trie before; it must not be changed.
            let kept = (n % 3 == 0).then(|| trie.clone());
            let (next, layer) = trie.apply(&state, changes.clone()).unwrap();
            if let Some(kept) = kept {
                assert_eq!(kept.apply(&state, changes.clone()).unwrap().1, fresh);
            }
            assert_eq!(layer, fresh);
            state.apply(&layer);
            trie = next;
            if n % 2 == 0 {
                trie.prune(ops.len() * 100);
            }
        }
    });
}

#[test]
fn overlays_and_merged_layers_are_the_applied_state() {
    run(60, cases(), |plan| {
        let mut model = Model::default();
        let mut applied = MemoryState::default();
        let mut base = MemoryState::default();
        let mut layers: Vec<Arc<StateLayer>> = Vec::new();
        let mut root = model.root();
        for (n, ops) in plan.rounds.iter().enumerate() {
            let changes = model.round(plan.alphabet, ops);
            let overlay = Overlay::new(&base, layers.clone());
            assert_same_reads(&overlay, &applied, plan.alphabet, ops);
            let layer = update_state_root(&overlay, root, changes.clone()).unwrap();
            assert_eq!(layer, update_state_root(&applied, root, changes).unwrap());
            root = layer.state_root;
            assert_eq!(root, model.root());
            applied.apply(&layer);
            layers.push(Arc::new(layer));
            if n % 4 == 3 {
                // Persist all but the newest in one go.
                let newest = layers.pop().unwrap();
                let mut merged = StateLayer::default();
                layers.drain(..).for_each(|layer| merged.extend(&layer));
                base.apply(&merged);
                layers.push(newest);
            }
        }
        let mut merged = StateLayer::default();
        layers.iter().for_each(|layer| merged.extend(layer));
        base.apply(&merged);
        assert_eq!(base.accounts, applied.accounts);
        assert_eq!(base.storages, applied.storages);
        assert_eq!(base.account_nodes, applied.account_nodes);
        assert_eq!(base.storage_nodes, applied.storage_nodes);
    });
}

fn assert_same_reads<A: StateSource, B: StateSource>(a: &A, b: &B, alphabet: Alphabet, ops: &[Op]) {
    for (first, second, _) in ops.iter().take(10) {
        let (address, slot) = (alphabet.key(*first), alphabet.key(second / 2));
        let few = alphabet.key(first % 4);
        assert_eq!(a.account(address).unwrap(), b.account(address).unwrap());
        assert_eq!(a.seek_account(slot).unwrap(), b.seek_account(slot).unwrap());
        assert_eq!(a.slot(few, slot).unwrap(), b.slot(few, slot).unwrap());
        assert_eq!(a.seek_slot(few, slot).unwrap(), b.seek_slot(few, slot).unwrap());
        let paths: Vec<_> = (0..4).map(|depth| Nibbles::unpack(slot).slice(..depth)).collect();
        assert_eq!(a.account_nodes(&paths).unwrap(), b.account_nodes(&paths).unwrap());
        assert_eq!(a.storage_nodes(few, &paths).unwrap(), b.storage_nodes(few, &paths).unwrap());
    }
}

#[test]
fn merged_changes_are_the_changes_one_after_the_other() {
    run(40, cases(), |plan| {
        let mut model = Model::default();
        let mut state = MemoryState::default();
        let first = model.round(plan.alphabet, &plan.rounds[0]);
        let layer = update_state_root(&state, Model::default().root(), first).unwrap();
        state.apply(&layer);
        let root = layer.state_root;
        let mut merged = StateChanges::default();
        for ops in &plan.rounds[1..] {
            merged.extend(model.round(plan.alphabet, ops));
        }
        let layer = update_state_root(&state, root, merged).unwrap();
        assert_eq!(layer.state_root, model.root());
        state.apply(&layer);
        assert_eq!(assert_stored_as_rebuilt(&state), model.root());
    });
}
