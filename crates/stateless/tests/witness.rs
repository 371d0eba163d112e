//! A state out of a witness is the state itself, as far as the witness goes.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use alloy_consensus::Header;
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use openledger_stateless::{Witness, WitnessError, WitnessState};
use openledger_trie::{
    AccountChange, EMPTY_ROOT_HASH, MemoryState, SlotChange, StateChanges, StateSource, StorageChanges,
    prove, update_state_root,
};
use proptest::prelude::*;
use revm::DatabaseRef;

const ACCOUNTS: u8 = 24;
const SLOTS: u8 = 12;

fn slot(index: u8) -> B256 {
    B256::with_last_byte(index)
}

/// Changes of accounts by their first byte: balance, where zero removes, and slots.
type Plan = BTreeMap<u8, (u8, BTreeMap<u8, u8>)>;

fn plan() -> impl Strategy<Value = Plan> {
    let slots = prop::collection::btree_map(0..SLOTS, 0..4_u8, 0..8);
    prop::collection::btree_map(0..ACCOUNTS, (0..4_u8, slots), 1..16)
}

fn changes(plan: &Plan) -> StateChanges {
    let mut changes = StateChanges::default();
    for (index, (balance, slots)) in plan {
        let hashed_address = keccak256(Address::repeat_byte(*index));
        if *balance == 0 {
            changes.accounts.insert(hashed_address, None);
            continue;
        }
        let balance = U256::from(*balance);
        changes.accounts.insert(hashed_address, Some(AccountChange { balance, ..Default::default() }));
        if !slots.is_empty() {
            let set =
                |(index, value): (&u8, &u8)| (keccak256(slot(*index)), SlotChange::from(U256::from(*value)));
            let slots = slots.iter().map(set).collect();
            changes.storages.insert(hashed_address, StorageChanges { wiped: false, slots });
        }
    }
    changes
}

fn state_of(plan: &Plan) -> (MemoryState, B256) {
    let mut state = MemoryState::default();
    let layer = update_state_root(&state, EMPTY_ROOT_HASH, changes(plan)).unwrap();
    state.apply(&layer);
    (state, layer.state_root)
}

/// Every node on the way to any account and slot.
fn full_witness(state: &MemoryState, root: B256) -> Witness {
    let slots: Vec<B256> = (0..SLOTS).map(slot).collect();
    let mut nodes: Vec<Bytes> = Vec::new();
    for index in 0..ACCOUNTS {
        let proof = prove(state, root, Address::repeat_byte(index), &slots).unwrap();
        nodes.extend(proof.proof);
        nodes.extend(proof.storage_proofs.into_iter().flat_map(|proof| proof.proof));
    }
    nodes.into_iter().collect()
}

fn header(state_root: B256) -> Header {
    Header { state_root, ..Default::default() }
}

proptest! {
    #[test]
    fn reads_and_roots_out_of_a_witness_are_those_of_the_state(before in plan(), after in plan()) {
        let (state, root) = state_of(&before);
        let witness = full_witness(&state, root);
        let header = header(root);
        let out_of_witness = WitnessState::new(&witness, &header);
        for index in 0..ACCOUNTS {
            let hashed_address = keccak256(Address::repeat_byte(index));
            prop_assert_eq!(
                out_of_witness.account(hashed_address).unwrap(),
                state.account(hashed_address).unwrap()
            );
            for index in 0..SLOTS {
                let hashed_slot = keccak256(slot(index));
                prop_assert_eq!(
                    out_of_witness.slot(hashed_address, hashed_slot).unwrap(),
                    state.slot(hashed_address, hashed_slot).unwrap()
                );
            }
        }
        let expected = update_state_root(&state, root, changes(&after)).unwrap();
        let found = out_of_witness.after(&changes(&after)).unwrap();
        prop_assert_eq!(found.root, expected.state_root);
        prop_assert_eq!(found.accounts, expected.accounts);
    }
}

#[test]
fn what_a_witness_lacks_is_an_error_and_not_an_empty_account() {
    let (_, root) = state_of(&Plan::from([(1, (1, BTreeMap::new())), (2, (1, BTreeMap::new()))]));
    let (witness, header) = (Witness::default(), header(root));
    let state = WitnessState::new(&witness, &header);
    let missing = WitnessError::Missing { what: "trie node", hash: root };
    assert_eq!(state.basic_ref(Address::repeat_byte(1)), Err(missing));
}

#[test]
fn block_hashes_come_from_the_headers_in_the_witness() {
    let first = Header { number: 1, ..Default::default() };
    let second = Header { number: 2, parent_hash: first.hash_slow(), ..Default::default() };
    let third = Header { number: 3, parent_hash: second.hash_slow(), ..Default::default() };
    let witness: Witness = [Bytes::from(alloy_rlp::encode(&second))].into_iter().collect();
    let state = WitnessState::new(&witness, &third);
    assert_eq!(state.block_hash_ref(3), Ok(third.hash_slow()));
    assert_eq!(state.block_hash_ref(2), Ok(second.hash_slow()));
    assert_eq!(state.block_hash_ref(1), Ok(first.hash_slow()));
    let missing = WitnessError::Missing { what: "header", hash: first.hash_slow() };
    assert_eq!(state.block_hash_ref(0), Err(missing));
    assert_eq!(state.block_hash_ref(4), Err(WitnessError::NoAncestor(4)));
}
