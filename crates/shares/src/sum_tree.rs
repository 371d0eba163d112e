//! The Merkle-sum tree over a receipt's long tail: who reads one leaf's path sees that all leaves together are worth the
//! root's sum.

use alloy_primitives::{B256, U256, keccak256};
use thiserror::Error;

/// Most leaves of a tail; `IAttribution.MAX_TAIL_LEAVES`.
pub const MAX_TAIL_LEAVES: usize = 1 << 20;

const LEAF_DOMAIN: u8 = 0;
const NODE_DOMAIN: u8 = 1;

/// What one contribution earns of a tail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TailLeaf {
    /// The contribution.
    pub contribution: u64,
    /// Wei.
    pub amount: U256,
}

/// A hash and the wei below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SumNode {
    /// Of the leaf, or of both children and their sums.
    pub hash: B256,
    /// Wei of all leaves below.
    pub sum: U256,
}

/// Why a tree cannot be built or a path not given.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum SumTreeError {
    /// A tree needs a leaf.
    #[error("a long tail needs at least one leaf")]
    Empty,
    /// Too many leaves.
    #[error("{given} leaves are more than {MAX_TAIL_LEAVES}")]
    TooManyLeaves {
        /// How many there are.
        given: usize,
    },
    /// The amounts together are above 2^256 − 1.
    #[error("the leaves' amounts overflow")]
    Overflow,
    /// No such leaf.
    #[error("there is no leaf {index}: the tail has {leaves}")]
    NoSuchLeaf {
        /// Asked for.
        index: usize,
        /// How many there are.
        leaves: usize,
    },
}

/// A tree of which every level is kept. A level's odd last node moves up as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SumTree {
    /// From the leaves up; the last holds the root alone.
    levels: Vec<Vec<SumNode>>,
}

impl SumTree {
    /// Builds the tree.
    ///
    /// # Errors
    ///
    /// No leaf, more than [`MAX_TAIL_LEAVES`], or amounts that overflow.
    pub fn new(leaves: &[TailLeaf]) -> Result<Self, SumTreeError> {
        if leaves.is_empty() {
            return Err(SumTreeError::Empty);
        }
        if leaves.len() > MAX_TAIL_LEAVES {
            return Err(SumTreeError::TooManyLeaves { given: leaves.len() });
        }
        let mut level: Vec<SumNode> =
            (0u32..).zip(leaves).map(|(index, leaf)| tail_leaf(index, leaf)).collect();
        let mut levels = Vec::new();
        while level.len() > 1 {
            let next = level.chunks(2).map(|pair| match pair {
                [left, right] => sum_node(*left, *right).ok_or(SumTreeError::Overflow),
                odd => Ok(odd[0]),
            });
            let next = next.collect::<Result<_, _>>()?;
            levels.push(std::mem::replace(&mut level, next));
        }
        levels.push(level);
        Ok(Self { levels })
    }

    /// The root and the sum of all leaves.
    pub fn root(&self) -> SumNode {
        let root = self.levels.last().and_then(|level| level.first()).copied();
        root.unwrap_or(SumNode { hash: B256::ZERO, sum: U256::ZERO })
    }

    /// The siblings from the leaf at `index` up, without the levels at which the node was odd.
    ///
    /// # Errors
    ///
    /// No such leaf.
    pub fn path(&self, index: usize) -> Result<Vec<SumNode>, SumTreeError> {
        let leaves = self.levels.first().map_or(0, Vec::len);
        if index >= leaves {
            return Err(SumTreeError::NoSuchLeaf { index, leaves });
        }
        let mut place = index;
        let mut siblings = Vec::with_capacity(self.levels.len());
        for level in &self.levels {
            siblings.extend(level.get(place ^ 1).copied());
            place /= 2;
        }
        Ok(siblings)
    }
}

/// A leaf as the root commits to it: `keccak256(0 ++ uint32 index ++ uint64 contribution ++ uint256 amount)`.
pub fn tail_leaf(index: u32, leaf: &TailLeaf) -> SumNode {
    let mut bytes = [LEAF_DOMAIN; 45];
    bytes[1..5].copy_from_slice(&index.to_be_bytes());
    bytes[5..13].copy_from_slice(&leaf.contribution.to_be_bytes());
    bytes[13..].copy_from_slice(&leaf.amount.to_be_bytes::<32>());
    SumNode { hash: keccak256(bytes), sum: leaf.amount }
}

/// What stands above two nodes; `None` where their sums overflow.
pub fn sum_node(left: SumNode, right: SumNode) -> Option<SumNode> {
    let sum = left.sum.checked_add(right.sum)?;
    let mut bytes = [NODE_DOMAIN; 129];
    bytes[1..33].copy_from_slice(left.hash.as_slice());
    bytes[33..65].copy_from_slice(&left.sum.to_be_bytes::<32>());
    bytes[65..97].copy_from_slice(right.hash.as_slice());
    bytes[97..].copy_from_slice(&right.sum.to_be_bytes::<32>());
    Some(SumNode { hash: keccak256(bytes), sum })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn leaves(amounts: &[u64]) -> Vec<TailLeaf> {
        (1..).zip(amounts).map(|(n, wei)| TailLeaf { contribution: n, amount: U256::from(*wei) }).collect()
    }

    /// Walks a path as the chain does.
    fn climb(index: usize, width: usize, leaf: SumNode, path: &[SumNode]) -> Option<SumNode> {
        let (mut place, mut width, mut node, mut path) = (index, width, leaf, path.iter());
        while width > 1 {
            if (place ^ 1) < width {
                let sibling = *path.next()?;
                node =
                    if place.is_multiple_of(2) { sum_node(node, sibling) } else { sum_node(sibling, node) }?;
            }
            place /= 2;
            width = width.div_ceil(2);
        }
        path.next().is_none().then_some(node)
    }

    #[test]
    fn trees_that_cannot_be_are_refused() {
        assert_eq!(SumTree::new(&[]), Err(SumTreeError::Empty));
        let most = TailLeaf { contribution: 1, amount: U256::MAX };
        assert_eq!(SumTree::new(&[most; 2]), Err(SumTreeError::Overflow));
        let given = MAX_TAIL_LEAVES + 1;
        let small = TailLeaf { contribution: 1, amount: U256::ONE };
        assert_eq!(SumTree::new(&vec![small; given]), Err(SumTreeError::TooManyLeaves { given }));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn every_path_leads_to_the_root_and_the_whole_sum(
            amounts in prop::collection::vec(any::<u64>(), 1..80),
            overstated in 1..1000u64,
        ) {
            let leaves = leaves(&amounts);
            let tree = SumTree::new(&leaves).unwrap();
            let whole = leaves.iter().fold(U256::ZERO, |sum, leaf| sum + leaf.amount);
            prop_assert_eq!(tree.root().sum, whole);
            for (index, leaf) in leaves.iter().enumerate() {
                let path = tree.path(index).unwrap();
                let found = climb(index, leaves.len(), tail_leaf(index as u32, leaf), &path);
                prop_assert_eq!(found, Some(tree.root()));
                let more = TailLeaf { amount: leaf.amount + U256::from(overstated), ..*leaf };
                let found = climb(index, leaves.len(), tail_leaf(index as u32, &more), &path);
                prop_assert_ne!(found, Some(tree.root()));
            }
            prop_assert!(tree.path(leaves.len()).is_err());
        }
    }
}
