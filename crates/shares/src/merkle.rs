//! The Merkle tree over a contribution's rows.

use alloy_primitives::{B256, keccak256};
use thiserror::Error;

/// Most leaves of a tree: 64 MiB of hashes.
pub const MAX_LEAVES: usize = 1 << 21;

/// First byte of what is hashed for an inner node.
const NODE_DOMAIN: u8 = 1;

/// Why a tree cannot be built or a proof not made.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum MerkleError {
    /// A tree needs a leaf.
    #[error("a Merkle tree needs at least one leaf")]
    Empty,
    /// Too many leaves.
    #[error("{given} leaves are more than {MAX_LEAVES}: split the rows over several contributions")]
    TooManyLeaves {
        /// How many there are.
        given: usize,
    },
    /// No such leaf.
    #[error("there is no leaf {index}: the tree has {leaves}")]
    NoSuchLeaf {
        /// Asked for.
        index: usize,
        /// How many there are.
        leaves: usize,
    },
}

/// A tree of which every level is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MerkleTree {
    /// From the leaves up; the last holds the root alone.
    levels: Vec<Vec<B256>>,
}

/// The siblings from a leaf to the root, without those levels at which the node was odd and moved up as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MerkleProof {
    /// The leaf's place.
    pub index: usize,
    /// How many leaves the tree has; it says at which levels there is a sibling.
    pub leaves: usize,
    /// From the leaf's sibling up.
    pub siblings: Vec<B256>,
}

impl MerkleTree {
    /// Builds the tree over leaves that are already hashed ([`crate::row_leaf`]).
    ///
    /// # Errors
    ///
    /// No leaf, or more than [`MAX_LEAVES`].
    pub fn new(leaves: Vec<B256>) -> Result<Self, MerkleError> {
        if leaves.is_empty() {
            return Err(MerkleError::Empty);
        }
        if leaves.len() > MAX_LEAVES {
            return Err(MerkleError::TooManyLeaves { given: leaves.len() });
        }
        let mut levels = Vec::new();
        let mut level = leaves;
        while level.len() > 1 {
            let next = level.chunks(2).map(|pair| match pair {
                [left, right] => node(*left, *right),
                odd => odd[0],
            });
            let next = next.collect();
            levels.push(std::mem::replace(&mut level, next));
        }
        levels.push(level);
        Ok(Self { levels })
    }

    /// The root.
    pub fn root(&self) -> B256 {
        self.levels.last().and_then(|level| level.first()).copied().unwrap_or_default()
    }

    /// The leaves.
    pub fn leaves(&self) -> &[B256] {
        self.levels.first().map_or(&[], Vec::as_slice)
    }

    /// The proof of the leaf at `index`.
    ///
    /// # Errors
    ///
    /// No such leaf.
    pub fn proof(&self, index: usize) -> Result<MerkleProof, MerkleError> {
        let leaves = self.leaves().len();
        if index >= leaves {
            return Err(MerkleError::NoSuchLeaf { index, leaves });
        }
        let mut siblings = Vec::with_capacity(self.levels.len());
        let mut place = index;
        for level in &self.levels {
            siblings.extend(level.get(place ^ 1).copied());
            place /= 2;
        }
        Ok(MerkleProof { index, leaves, siblings })
    }
}

impl MerkleProof {
    /// Whether `leaf` stands at this proof's place under `root`.
    pub fn verify(&self, root: B256, leaf: B256) -> bool {
        if self.index >= self.leaves || self.leaves > MAX_LEAVES {
            return false;
        }
        let (mut place, mut width, mut hash) = (self.index, self.leaves, leaf);
        let mut siblings = self.siblings.iter();
        while width > 1 {
            if (place ^ 1) < width {
                let Some(sibling) = siblings.next() else { return false };
                hash = if place % 2 == 0 { node(hash, *sibling) } else { node(*sibling, hash) };
            }
            place /= 2;
            width = width.div_ceil(2);
        }
        siblings.next().is_none() && hash == root
    }
}

fn node(left: B256, right: B256) -> B256 {
    let mut bytes = [NODE_DOMAIN; 65];
    bytes[1..33].copy_from_slice(left.as_slice());
    bytes[33..].copy_from_slice(right.as_slice());
    keccak256(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn leaves(count: usize) -> Vec<B256> {
        (0..count).map(|index| keccak256((index as u64).to_be_bytes())).collect()
    }

    #[test]
    fn tree_without_leaves_or_with_too_many_is_refused() {
        assert_eq!(MerkleTree::new(vec![]), Err(MerkleError::Empty));
        let given = MAX_LEAVES + 1;
        assert_eq!(MerkleTree::new(vec![B256::ZERO; given]), Err(MerkleError::TooManyLeaves { given }));
    }

    #[test]
    fn odd_node_moves_up_as_it_is() {
        let l = leaves(3);
        assert_eq!(MerkleTree::new(l.clone()).unwrap().root(), node(node(l[0], l[1]), l[2]));
        assert_eq!(MerkleTree::new(vec![l[0]]).unwrap().root(), l[0]);
    }

    #[test]
    fn every_leaf_of_every_small_tree_has_a_proof_that_fits_it_alone() {
        for count in 1..40 {
            let all = leaves(count);
            let tree = MerkleTree::new(all.clone()).unwrap();
            for index in 0..count {
                let proof = tree.proof(index).unwrap();
                for (other, leaf) in all.iter().enumerate() {
                    assert_eq!(proof.verify(tree.root(), *leaf), other == index);
                }
            }
            assert!(tree.proof(count).is_err());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn altered_proofs_fail(count in 2..300usize, pick in any::<prop::sample::Index>(), change in 0..4u8) {
            let tree = MerkleTree::new(leaves(count)).unwrap();
            let index = pick.index(count);
            let mut proof = tree.proof(index).unwrap();
            let leaf = tree.leaves()[index];
            prop_assert!(proof.verify(tree.root(), leaf));
            match change {
                0 => proof.siblings.push(B256::ZERO),
                1 => drop(proof.siblings.pop()),
                2 => proof.siblings[0].0[0] ^= 1,
                _ => proof.index = count,
            }
            prop_assert!(!proof.verify(tree.root(), leaf));
        }

        #[test]
        fn any_proof_is_judged_without_a_panic(index: usize, leaves: usize, siblings in prop::collection::vec(any::<[u8; 32]>(), 0..80)) {
            let siblings = siblings.into_iter().map(B256::from).collect();
            let proof = MerkleProof { index, leaves, siblings };
            prop_assert!(!proof.verify(B256::ZERO, B256::repeat_byte(1)));
        }
    }
}
