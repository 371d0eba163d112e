//! The three blocks by which a chain's finality is named.

use alloy_eips::BlockNumHash;

/// The heads of the chain: finalized ≤ safe ≤ latest, all on one chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heads {
    /// The newest block stored.
    pub latest: BlockNumHash,
    /// The newest block derived from L1.
    pub safe: BlockNumHash,
    /// The newest block derived from finalized L1 blocks.
    pub finalized: BlockNumHash,
}
