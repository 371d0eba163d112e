//! Output root, version 0: what L1 holds of an L2 block.

use alloy_primitives::{B256, keccak256};

/// The output root of a block: its state root, the storage root of the message passer (in the
/// header as `withdrawals_root` since Isthmus) and its hash.
pub fn output_root_v0(state_root: B256, message_passer_root: B256, block_hash: B256) -> B256 {
    let mut preimage = [0u8; 128];
    preimage[32..64].copy_from_slice(state_root.as_slice());
    preimage[64..96].copy_from_slice(message_passer_root.as_slice());
    preimage[96..].copy_from_slice(block_hash.as_slice());
    keccak256(preimage)
}
