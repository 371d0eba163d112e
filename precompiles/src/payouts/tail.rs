//! The long tail of a receipt: each leaf is claimed once, for those who owned its contribution when it was settled.

use super::credits::credit;
use super::layout::TAIL_CLAIMS_SLOT;
use crate::attribution::{TailRecord, add_claimed, in_model, receipt_of, tail_of};
use crate::datanets::{earner_of, owners_at, parts};
use crate::frame::{Frame, Result, entry2, revert};
use alloy_primitives::{B256, U256};
use openledger_abi::IPayouts::*;
use openledger_abi::PAYOUTS;
use openledger_shares::{SumNode, TailLeaf, sum_node, tail_leaf};

/// Bytes that are hashed for a leaf and for an inner node.
const LEAF_BYTES: usize = 45;
const NODE_BYTES: usize = 129;

pub(super) fn claim(frame: &mut Frame<'_>, call: claimTailCall) -> Result<U256> {
    let claimTailCall { requestId: id, leaf } = call;
    let receipt = receipt_of(frame, id)?;
    let (slot, tail) = tail_of(frame, id)?;
    if !proves(frame, &tail, &leaf)? {
        revert!(WrongTailProof { requestId: id, index: leaf.index });
    }
    let (word_slot, word) = claims(frame, id, leaf.index)?;
    let bit = usize::from(leaf.index as u8);
    if word.bit(bit) {
        revert!(TailLeafClaimed { requestId: id, index: leaf.index });
    }
    if leaf.amount > tail.left() {
        revert!(TailExhausted { requestId: id });
    }
    let (_, earner) = earner_of(frame, leaf.contribution)?;
    if !in_model(frame, &earner, receipt.model)? {
        revert!(NotInModel { contribution: leaf.contribution, model: receipt.model });
    }
    add_claimed(frame, slot, &tail, leaf.amount)?;
    frame.sstore(PAYOUTS, word_slot, word | (U256::ONE << bit))?;
    let owners = owners_at(frame, leaf.contribution, receipt.number.to())?;
    for (account, amount) in parts(&owners, leaf.amount) {
        credit(frame, account, amount)?;
        let contribution = leaf.contribution;
        frame.emit(PAYOUTS, &Credited { requestId: id, account, contribution, row: 0, ppm: 0, amount })?;
    }
    Ok(leaf.amount)
}

pub(super) fn is_claimed(frame: &mut Frame<'_>, id: B256, index: u32) -> Result<bool> {
    let (_, word) = claims(frame, id, index)?;
    Ok(word.bit(usize::from(index as u8)))
}

/// The word that holds a leaf's bit, and its slot.
fn claims(frame: &mut Frame<'_>, id: B256, index: u32) -> Result<(U256, U256)> {
    let slot = entry2(frame, TAIL_CLAIMS_SLOT, id, U256::from(index / 256))?;
    Ok((slot, frame.sload(PAYOUTS, slot)?))
}

/// Walks from the leaf to the root. At each level there is exactly the sibling that the place has in a tree so wide.
fn proves(frame: &mut Frame<'_>, tail: &TailRecord, leaf: &TailClaim) -> Result<bool> {
    if leaf.index >= tail.leaves || leaf.siblings.len() != leaf.sums.len() {
        return Ok(false);
    }
    frame.charge_keccak(LEAF_BYTES)?;
    let own = TailLeaf { contribution: leaf.contribution, amount: leaf.amount };
    let mut node = tail_leaf(leaf.index, &own);
    let (mut place, mut width) = (leaf.index, tail.leaves);
    let mut siblings = leaf.siblings.iter().zip(&leaf.sums);
    while width > 1 {
        if (place ^ 1) < width {
            let Some((hash, sum)) = siblings.next() else { return Ok(false) };
            let sibling = SumNode { hash: *hash, sum: *sum };
            frame.charge_keccak(NODE_BYTES)?;
            let above = if place % 2 == 0 { sum_node(node, sibling) } else { sum_node(sibling, node) };
            let Some(above) = above else { return Ok(false) };
            node = above;
        }
        place /= 2;
        width = width.div_ceil(2);
    }
    let whole = siblings.next().is_none();
    Ok(whole && node.hash == tail.root && node.sum == U256::from(tail.amount))
}
