//! The root of a list: of a block's transactions, or of its receipts.

use alloy_primitives::B256;
use alloy_trie::{
    HashBuilder, Nibbles,
    nodes::LeafNodeRef,
    root::{adjust_index_for_rlp, ordered_trie_root_with_encoder},
};
use openledger_keccak::keccak256_many;

/// Items below which hashing one leaf after the other is as fast.
const WORTH_BATCHES: usize = 8;

/// The root of the trie that holds each of `items`, as `encode` appends it, under the RLP of its index: that of
/// [`ordered_trie_root_with_encoder`], with leaves hashed side by side.
pub fn ordered_root<T>(items: &[T], mut encode: impl FnMut(&T, &mut Vec<u8>)) -> B256 {
    if items.len() < WORTH_BATCHES {
        return ordered_trie_root_with_encoder(items, encode);
    }
    // In the order of their keys.
    let indices: Vec<_> = (0..items.len()).map(|i| adjust_index_for_rlp(i, items.len())).collect();
    let keys: Vec<_> =
        indices.iter().map(|index| Nibbles::unpack(alloy_rlp::encode_fixed_size(index))).collect();
    let (mut value, mut rlp) = (Vec::new(), Vec::new());
    let mut leaves = Vec::with_capacity(items.len());
    for (i, index) in indices.iter().enumerate() {
        // A leaf begins one nibble behind what its key shares with a neighbour.
        let shared = |other: Option<&Nibbles>| other.map_or(0, |other| keys[i].common_prefix_length(other));
        let depth =
            shared(i.checked_sub(1).and_then(|before| keys.get(before))).max(shared(keys.get(i + 1))) + 1;
        value.clear();
        encode(&items[*index], &mut value);
        let start = rlp.len();
        alloy_rlp::Encodable::encode(&LeafNodeRef::new(&keys[i].slice(depth..), &value), &mut rlp);
        leaves.push((depth, start..rlp.len()));
    }
    let each: Vec<_> = leaves.iter().map(|(_, range)| &rlp[range.clone()]).collect();
    let hashes = keccak256_many(&each);
    let mut builder = HashBuilder::default();
    for (i, (depth, range)) in leaves.iter().enumerate() {
        if range.len() < B256::len_bytes() {
            // Its parent holds it whole.
            value.clear();
            encode(&items[indices[i]], &mut value);
            builder.add_leaf(keys[i], &value);
        } else {
            builder.add_branch(keys[i].slice(..*depth), hashes[i], false);
        }
    }
    builder.root()
}
