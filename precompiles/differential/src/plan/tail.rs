//! The Merkle-sum tree of a receipt's long tail.

use alloy_primitives::{B256, U256, keccak256};
use openledger_abi::IPayouts::TailClaim;

/// Leaves of a tree: contribution and wei, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct TailTree {
    leaves: Vec<(u64, U256)>,
    levels: Vec<Vec<(B256, U256)>>,
}

impl TailTree {
    /// The tree over `leaves`, of which there is one at least.
    pub(super) fn new(leaves: Vec<(u64, U256)>) -> Self {
        let first = leaves.iter().enumerate().map(|(index, (contribution, amount))| {
            let index = (index as u32).to_be_bytes();
            let bytes = [&[0], index.as_slice(), &contribution.to_be_bytes(), &amount.to_be_bytes::<32>()];
            (keccak256(bytes.concat()), *amount)
        });
        let mut levels = vec![first.collect::<Vec<_>>()];
        while let Some(level) = levels.last().filter(|level| level.len() > 1) {
            let next = level.chunks(2).map(|pair| match pair {
                [left, right] => node(left, right),
                odd => odd[0],
            });
            let next = next.collect();
            levels.push(next);
        }
        Self { leaves, levels }
    }

    /// Hash at the root.
    pub(super) fn root(&self) -> B256 {
        self.levels.last().and_then(|level| level.first()).map(|node| node.0).unwrap_or_default()
    }

    /// How many leaves there are.
    pub(super) const fn len(&self) -> usize {
        self.leaves.len()
    }

    /// The claim of leaf `index`.
    pub(super) fn claim(&self, index: usize) -> TailClaim {
        let (contribution, amount) = self.leaves.get(index).copied().unwrap_or_default();
        let mut claim =
            TailClaim { index: index as u32, contribution, amount, siblings: vec![], sums: vec![] };
        let mut place = index;
        for level in &self.levels {
            if let Some((hash, sum)) = level.get(place ^ 1) {
                claim.siblings.push(*hash);
                claim.sums.push(*sum);
            }
            place /= 2;
        }
        claim
    }
}

fn node(left: &(B256, U256), right: &(B256, U256)) -> (B256, U256) {
    let sums = [left.1.to_be_bytes::<32>(), right.1.to_be_bytes::<32>()];
    let bytes = [&[1], left.0.as_slice(), &sums[0], right.0.as_slice(), &sums[1]];
    (keccak256(bytes.concat()), left.1.saturating_add(right.1))
}
