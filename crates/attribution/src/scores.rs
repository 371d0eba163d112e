//! Scores as a receipt commits to them: whole numbers under a Merkle root.
//!
//! Shares are computed from these whole numbers, so whoever holds the leaves can redo the division
//! exactly, on any machine.

use alloy_primitives::{B256, keccak256};
use openledger_shares::{MerkleProof, MerkleTree};

use crate::error::AttributionError;

/// Steps a unit of score.
pub const SCORE_SCALE: f64 = 1e9;

/// First byte of what is hashed for a score; rows and inner nodes have others.
const LEAF_DOMAIN: u8 = 2;
const LARGEST: f64 = (1u64 << 53) as f64;

/// The scores of an answer's clusters, in the clusters' order, in billionths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scores {
    billionths: Vec<i64>,
    tree: MerkleTree,
}

impl Scores {
    /// Rounds scores, one a cluster, to the nearest billionth.
    pub fn new(scores: &[f64]) -> Result<Self, AttributionError> {
        let mut billionths = Vec::with_capacity(scores.len());
        for (cluster, score) in scores.iter().enumerate() {
            let scaled = (score * SCORE_SCALE).round();
            if scaled.is_nan() || scaled.abs() > LARGEST {
                return Err(AttributionError::Invalid(format!("score {score} of cluster {cluster}")));
            }
            billionths.push(scaled as i64);
        }
        let leaves = billionths.iter().enumerate().map(|(c, &score)| score_leaf(c, score)).collect();
        let tree = MerkleTree::new(leaves).map_err(|e| AttributionError::Invalid(e.to_string()))?;
        Ok(Self { billionths, tree })
    }

    /// The scores, in billionths.
    pub fn billionths(&self) -> &[i64] {
        &self.billionths
    }

    /// The score root of receipts.
    pub fn root(&self) -> B256 {
        self.tree.root()
    }

    /// Proof of one cluster's score.
    pub fn proof(&self, cluster: usize) -> Result<MerkleProof, AttributionError> {
        self.tree.proof(cluster).map_err(|e| AttributionError::Invalid(e.to_string()))
    }
}

/// `keccak256(0x02 ++ cluster as u64 ++ score in billionths as i64)`, numbers big-endian.
pub fn score_leaf(cluster: usize, billionths: i64) -> B256 {
    let mut bytes = [LEAF_DOMAIN; 17];
    bytes[1..9].copy_from_slice(&(cluster as u64).to_be_bytes());
    bytes[9..].copy_from_slice(&billionths.to_be_bytes());
    keccak256(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_proves_each_score_at_its_place_alone() {
        let scores = Scores::new(&[0.5, -0.25, 1e-9]).unwrap();
        assert_eq!(scores.billionths(), [500_000_000, -250_000_000, 1]);
        let proof = scores.proof(1).unwrap();
        assert!(proof.verify(scores.root(), score_leaf(1, -250_000_000)));
        assert!(!proof.verify(scores.root(), score_leaf(1, -250_000_001)));
        assert!(!proof.verify(scores.root(), score_leaf(2, -250_000_000)));
        assert!(scores.proof(3).is_err());
    }

    #[test]
    fn scores_that_are_no_numbers_or_beyond_range_are_refused() {
        for bad in [f64::NAN, f64::INFINITY, -1e300] {
            assert!(Scores::new(&[0.0, bad]).is_err());
        }
        assert!(Scores::new(&[]).is_err());
    }
}
