//! Roots over keys of any length: Ethereum's published examples, and `alloy-trie` where it can.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeMap;

use alloy_primitives::{B256, b256, keccak256};
use alloy_trie::{HashBuilder, Nibbles};
use openledger_trie::{EMPTY_ROOT_HASH, raw_root};
use proptest::prelude::*;

#[test]
fn keys_that_are_prefixes_of_each_other_give_the_published_root() {
    // ethereum/tests, TrieTests/trieanyorder.json: "dogs", "puppy".
    let dogs = [("doe", "reindeer"), ("dog", "puppy"), ("dogglesworth", "cat")];
    let root = b256!("8aad789dff2f538bca5d8ea56e8abe10f4c7ba3a5dea95fea4cd6e7c3a1168d3");
    assert_eq!(raw_root(dogs), root);
    let puppy = [("do", "verb"), ("horse", "stallion"), ("doge", "coin"), ("dog", "puppy")];
    let root = b256!("5991bb8c6514148a29db676a14ac506cd2cd5775ace63c30a4fe457715e9ac84");
    assert_eq!(raw_root(puppy), root);
}

#[test]
fn single_item_and_nothing_give_their_roots() {
    let root = b256!("d23786fb4a010da3ce639d66d5e904a11dbc02746d1ce25029e53290cabf28ab");
    assert_eq!(raw_root([("A", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")]), root);
    assert_eq!(raw_root(Vec::<(Vec<u8>, Vec<u8>)>::new()), EMPTY_ROOT_HASH);
    assert_eq!(raw_root([("key", "value"), ("key", "")]), EMPTY_ROOT_HASH);
}

#[test]
fn long_keys_that_nest_cost_no_stack() {
    let leaves = (0..3_000).map(|len| (vec![7_u8; len], vec![1_u8]));
    assert_ne!(raw_root(leaves), B256::ZERO);
}

proptest! {
    #[test]
    fn keys_of_one_length_give_the_root_of_alloy_trie(
        leaves in prop::collection::btree_map(0_u16..400, prop::collection::vec(any::<u8>(), 1..60), 0..80),
        hashed in any::<bool>(),
    ) {
        let leaves: BTreeMap<Vec<u8>, Vec<u8>> = leaves
            .into_iter()
            .map(|(key, value)| {
                let key = key.to_be_bytes();
                (if hashed { keccak256(key).to_vec() } else { key.to_vec() }, value)
            })
            .collect();
        let mut builder = HashBuilder::default();
        for (key, value) in &leaves {
            builder.add_leaf(Nibbles::unpack(key), value);
        }
        prop_assert_eq!(raw_root(leaves.iter().rev()), builder.root());
    }
}
