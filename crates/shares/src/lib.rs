#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod commit;
mod divide;
mod fee;
mod merkle;
mod round;
mod sum_tree;

pub use commit::{
    answer_hash, contribution_commitment, prompt_hash, request_id, row_hash, row_leaf, version_root,
};
pub use divide::{DivideError, divide_by_weight, divide_wei};
pub use fee::{BPS, FeeParts, Price, Split, fee_wei, split_fee};
pub use merkle::{MAX_LEAVES, MerkleError, MerkleProof, MerkleTree};
pub use round::{RoundError, largest_remainder, largest_remainder_ppm};
pub use sum_tree::{MAX_TAIL_LEAVES, SumNode, SumTree, SumTreeError, TailLeaf, sum_node, tail_leaf};

/// The whole, in parts per million.
pub const PPM: u32 = 1_000_000;
