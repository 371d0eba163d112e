//! Roots against `alloy-trie`'s own, proofs against its verifier.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_trie::{
    Nibbles, TrieAccount,
    proof::verify_proof,
    root::{ordered_trie_root_with_encoder, state_root_unsorted, storage_root_unsorted},
};
use openledger_trie::{EMPTY_ROOT_HASH, OutOfOrder, TrieBuilder, ordered_root, state_root, storage_root};
use proptest::prelude::*;

/// Keys that share long prefixes, so that extension nodes come up.
fn key() -> impl Strategy<Value = B256> {
    prop_oneof![
        any::<[u8; 32]>().prop_map(B256::new),
        (any::<u8>(), 0_usize..32).prop_map(|(byte, at)| {
            let mut key = B256::repeat_byte(0x11);
            key.0[at] = byte;
            key
        }),
    ]
}

fn value() -> impl Strategy<Value = U256> {
    prop_oneof![
        (1_u64..300).prop_map(U256::from),
        any::<[u8; 32]>().prop_map(|b| U256::from_be_bytes(b) | U256::ONE)
    ]
}

fn account() -> impl Strategy<Value = TrieAccount> {
    (any::<u64>(), value(), any::<[u8; 32]>())
        .prop_map(|(nonce, balance, root)| TrieAccount::new(nonce, balance, root.into(), keccak256([])))
}

proptest! {
    #[test]
    fn storage_root_in_any_order_is_the_naive_one(
        slots in prop::collection::btree_map(key(), value(), 0..60).prop_map(|m| m.into_iter().collect::<Vec<_>>()).prop_shuffle(),
    ) {
        prop_assert_eq!(storage_root(slots.clone()), storage_root_unsorted(slots));
    }

    #[test]
    fn state_root_in_any_order_is_the_naive_one(
        accounts in prop::collection::btree_map(key(), account(), 0..60).prop_map(|m| m.into_iter().collect::<Vec<_>>()).prop_shuffle(),
    ) {
        prop_assert_eq!(state_root(accounts.clone()), state_root_unsorted(accounts));
    }

    #[test]
    fn every_key_is_proven_there_or_not_there(
        slots in prop::collection::btree_map(key(), value(), 0..60),
        absent in prop::collection::vec(key(), 0..8),
    ) {
        let targets: Vec<B256> = slots.keys().copied().take(8).chain(absent).collect();
        let mut trie = TrieBuilder::with_targets(targets.clone());
        for (key, value) in &slots {
            trie.push_slot(*key, *value).unwrap();
        }
        let proofs = trie.root_and_proofs();
        prop_assert_eq!(proofs.root(), storage_root(slots.clone()));
        for key in targets {
            let leaf = slots.get(&key).map(alloy_rlp::encode);
            let proof = proofs.proof_of(key);
            verify_proof(proofs.root(), Nibbles::unpack(key), leaf.clone(), &proof).unwrap();
            let wrong = if leaf.is_some() { None } else { Some(vec![1]) };
            prop_assert!(verify_proof(proofs.root(), Nibbles::unpack(key), wrong, &proof).is_err());
        }
    }
}

#[test]
fn node_embedded_in_its_parent_is_not_listed_again() {
    // Nine nibbles shared: each leaf takes 31 bytes, and its parent holds it whole.
    let [low, high] = [0x00, 0x01].map(|nibble| {
        let mut key = B256::repeat_byte(0x11);
        key.0[4] = nibble;
        key
    });
    let mut trie = TrieBuilder::with_targets([low, high]);
    trie.push_slot(low, U256::ONE).unwrap();
    trie.push_slot(high, U256::from(2)).unwrap();
    let proofs = trie.root_and_proofs();
    for (key, value) in [(low, 1_u8), (high, 2)] {
        let proof = proofs.proof_of(key);
        assert_eq!(proof.len(), 2, "the extension and the branch");
        verify_proof(proofs.root(), Nibbles::unpack(key), Some(vec![value]), &proof).unwrap();
    }
}

#[test]
fn leaf_out_of_order_or_repeated_is_an_error() {
    let (low, high) = (B256::repeat_byte(1), B256::repeat_byte(2));
    let mut trie = TrieBuilder::new();
    trie.push_slot(high, U256::ONE).unwrap();
    assert_eq!(trie.push_slot(low, U256::ONE), Err(OutOfOrder { previous: high, key: low }));
    assert_eq!(trie.push_slot(high, U256::ONE), Err(OutOfOrder { previous: high, key: high }));
    assert_eq!(trie.root(), storage_root([(high, U256::ONE)]));
}

#[test]
fn zero_is_no_leaf() {
    assert_eq!(storage_root([(B256::ZERO, U256::ZERO)]), EMPTY_ROOT_HASH);
    assert_eq!(storage_root(BTreeMap::new()), EMPTY_ROOT_HASH);
    assert_eq!(state_root([]), EMPTY_ROOT_HASH);
}

#[test]
fn root_of_a_single_account_is_the_hash_of_its_leaf() {
    let account = TrieAccount::default();
    let key = keccak256(Address::ZERO);
    let mut leaf = Vec::new();
    let path = [&[0x20], key.as_slice()].concat();
    let value = alloy_rlp::encode(account);
    alloy_rlp::encode_list::<_, [u8]>(&[path.as_slice(), value.as_slice()], &mut leaf);
    assert_eq!(state_root([(key, account)]), keccak256(leaf));
}

#[test]
fn list_of_any_length_has_the_root_of_alloy_trie() {
    let encode = |item: &Vec<u8>, out: &mut Vec<u8>| out.extend_from_slice(item);
    // With a step of three items are too short to be hashed now and then; 128 and 256 lengthen the keys.
    for (step, counts) in [(3, 0..300), (0, 125..135), (7, 250..262), (90, 0..40)] {
        for count in counts {
            let items: Vec<_> = (0..count).map(|i: usize| vec![i as u8 ^ 0x5a; i * step % 400]).collect();
            let expected = ordered_trie_root_with_encoder(&items, encode);
            assert_eq!(ordered_root(&items, encode), expected, "{count} items, step {step}");
        }
    }
}
