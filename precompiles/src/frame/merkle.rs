//! Merkle proofs, paid for by the hash.

use super::{Frame, Result};
use alloy_primitives::B256;

/// First byte of what is hashed for an inner node; `openledger-shares` builds the same trees.
const NODE_DOMAIN: u8 = 1;

impl Frame<'_> {
    /// The hash of an inner node.
    pub(crate) fn merkle_node(&mut self, left: B256, right: B256) -> Result<B256> {
        let mut bytes = [NODE_DOMAIN; 65];
        bytes[1..33].copy_from_slice(left.as_slice());
        bytes[33..].copy_from_slice(right.as_slice());
        self.keccak(&bytes)
    }

    /// The root over `leaves` leaves of which `leaf` is the one at `index`; `None` when there is no such place or the
    /// proof has too few or too many siblings. At a level where the node is the last and has no sibling it moves up.
    pub(crate) fn merkle_root(
        &mut self,
        leaf: B256,
        index: u64,
        leaves: u64,
        siblings: &[B256],
    ) -> Result<Option<B256>> {
        if index >= leaves {
            return Ok(None);
        }
        let (mut place, mut width, mut hash) = (index, leaves, leaf);
        let mut siblings = siblings.iter();
        while width > 1 {
            if (place ^ 1) < width {
                let Some(sibling) = siblings.next() else { return Ok(None) };
                let (left, right) = if place % 2 == 0 { (hash, *sibling) } else { (*sibling, hash) };
                hash = self.merkle_node(left, right)?;
            }
            place /= 2;
            width = width.div_ceil(2);
        }
        Ok(siblings.next().is_none().then_some(hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Call, MemoryBackend, Meter};
    use openledger_shares::MerkleTree;
    use revm::context_interface::cfg::GasParams;
    use revm::primitives::hardfork::SpecId;

    #[test]
    fn proofs_give_the_root_of_the_tree_and_cost_their_hashes() {
        for width in 1..20u64 {
            let leaves: Vec<B256> = (0..width).map(|n| B256::repeat_byte(n as u8)).collect();
            let tree = MerkleTree::new(leaves.clone()).unwrap();
            for index in 0..width {
                let siblings = tree.proof(index as usize).unwrap().siblings;
                let mut backend = MemoryBackend::default();
                let meter = Meter::new(100_000, GasParams::new_spec(SpecId::PRAGUE));
                let mut frame = Frame::new(Call::default(), meter, &mut backend);
                let leaf = leaves[index as usize];
                let mut root = |siblings: &[B256]| frame.merkle_root(leaf, index, width, siblings).unwrap();
                assert_eq!(root(&siblings), Some(tree.root()));
                let longer = [siblings.as_slice(), &[leaf]].concat();
                assert_eq!(root(&longer), None);
                if let [shorter @ .., _] = siblings.as_slice() {
                    assert_eq!(root(shorter), None);
                }
                assert_eq!(frame.merkle_root(leaf, width, width, &siblings).unwrap(), None);
                let hashes = 2 * siblings.len() + siblings.len().saturating_sub(1);
                assert_eq!(frame.meter().used(), 48 * hashes as u64);
            }
        }
    }
}
