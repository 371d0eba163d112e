//! Building the block that payload attributes determine, on a witness.

use alloy_consensus::Header;
use alloy_op_hardforks::OpHardforks;
use alloy_primitives::keccak256;
use alloy_trie::EMPTY_ROOT_HASH;
use op_alloy_rpc_types_engine::OpPayloadAttributes;
use openledger_chainspec::ChainSpec;
use openledger_evm::{Block, BuildInput, StateRoots, build_block};

use crate::{StatelessError, Witness, WitnessState, changes::state_changes};

/// The block that `attributes` ask for on top of `parent`, whose hash must be known to be its own.
///
/// The attributes must name all transactions: there is no pool.
pub fn execute_payload(
    spec: &ChainSpec,
    witness: &Witness,
    parent: &Header,
    attributes: &OpPayloadAttributes,
) -> Result<Block, StatelessError> {
    let state = WitnessState::new(witness, parent);
    let parent_hash = parent.hash_slow();
    let input = BuildInput { spec, state, parent, parent_hash, attributes, pool: Vec::new() };
    let pending = build_block(input, || false)?;
    let after = state.after(&state_changes(&pending.executed.bundle))?;
    let hashed_passer = keccak256(StateRoots::MESSAGE_PASSER);
    let passer = match after.accounts.get(&hashed_passer) {
        Some(account) => *account,
        // Before Isthmus no header names its root, so a witness need not hold it.
        None if !spec.is_isthmus_active_at_timestamp(pending.header.timestamp) => None,
        None => state.account(hashed_passer)?,
    };
    let message_passer = passer.map_or(EMPTY_ROOT_HASH, |account| account.storage_root);
    Ok(pending.seal(spec, StateRoots { state: after.root, message_passer }))
}
