//! Commit, reveal, forfeit: who was first, without showing what.
//!
//! A commitment is kept under its owner as well as its hash: whoever copies the hash takes a place of his own, which he
//! can never reveal, and stands in nobody's way.

use super::layout::*;
use super::registry::{add_contribution, datanet_head, globals};
use crate::frame::{Frame, Result, entry2, load, revert, store, update};
use crate::payouts;
use alloy_primitives::{Address, B256, U256};
use openledger_abi::IDatanets::*;
use openledger_abi::{DATANETS, licence};
use openledger_shares::contribution_commitment;

pub(super) fn find(
    frame: &mut Frame<'_>,
    owner: Address,
    commitment: B256,
) -> Result<(U256, CommitmentRecord)> {
    let slot = entry2(frame, COMMITMENTS_SLOT, owner.into_word(), commitment)?;
    Ok((slot, load(frame, DATANETS, slot)?))
}

fn open(frame: &mut Frame<'_>, owner: Address, commitment: B256) -> Result<(U256, CommitmentRecord)> {
    let (slot, record) = find(frame, owner, commitment)?;
    if record.priority == 0 {
        revert!(UnknownCommitment { owner, commitment });
    }
    Ok((slot, record))
}

pub(super) fn commit(frame: &mut Frame<'_>, commitment: B256) -> Result<u64> {
    let old = globals(frame)?;
    let (owner, given) = (frame.caller(), frame.value());
    if given != old.commit_deposit {
        revert!(WrongDeposit { required: old.commit_deposit, given });
    }
    let (slot, existing) = find(frame, owner, commitment)?;
    if existing.priority != 0 {
        revert!(CommitmentExists { owner, commitment });
    }
    let priority = old.commitments.saturating_add(1);
    update(frame, DATANETS, U256::ZERO, &old, &Globals { commitments: priority, ..old })?;
    let block = frame.block_number();
    let record = CommitmentRecord { priority, block, deposit: given };
    update(frame, DATANETS, slot, &existing, &record)?;
    frame.emit(DATANETS, &Committed { owner, commitment, priority, deposit: given })?;
    Ok(priority)
}

pub(super) fn reveal(frame: &mut Frame<'_>, call: &revealCall) -> Result<u64> {
    let &revealCall { datanet, root, salt, rows, licence: uses, expiry } = call;
    let owner = frame.caller();
    frame.charge_keccak(160)?;
    let commitment = contribution_commitment(frame.chain_id(), datanet, owner, root, salt);
    let (commitment_slot, committed) = open(frame, owner, commitment)?;
    let old = globals(frame)?;
    let block = frame.block_number();
    if block <= committed.block {
        revert!(RevealTooEarly { firstBlock: committed.block.saturating_add(1) });
    }
    let last = committed.block.saturating_add(old.reveal_window);
    if block > last {
        revert!(RevealTooLate { lastBlock: last });
    }
    let (datanet_slot, head) = datanet_head(frame, datanet)?;
    if rows == 0 {
        revert!(NoRows {});
    }
    if uses & !licence::ALL != 0 {
        revert!(UnknownLicence { licence: uses });
    }
    let contribution = old.contributions.saturating_add(1);
    if expiry != 0 && frame.now() > expiry {
        revert!(LicenceExpired { contribution, expiry });
    }
    let priority = committed.priority;
    store(frame, DATANETS, commitment_slot, &CommitmentRecord::default())?;
    update(frame, DATANETS, U256::ZERO, &old, &Globals { contributions: contribution, ..old })?;
    let added = DatanetHead { contributions: head.contributions.saturating_add(1), ..head };
    update(frame, DATANETS, datanet_slot, &head, &added)?;
    let record =
        ContributionRecord { owner, datanet, rows, licence: uses, expiry, priority, since_version: 0, root };
    add_contribution(frame, contribution, &record)?;
    frame.emit(
        DATANETS,
        &Revealed { contribution, datanet, owner, root, rows, licence: uses, expiry, priority },
    )?;
    frame.pay(DATANETS, owner, committed.deposit)?;
    Ok(contribution)
}

pub(super) fn forfeit(frame: &mut Frame<'_>, owner: Address, commitment: B256) -> Result<()> {
    let (slot, committed) = open(frame, owner, commitment)?;
    let last = committed.block.saturating_add(globals(frame)?.reveal_window);
    if frame.block_number() <= last {
        revert!(RevealWindowOpen { lastBlock: last });
    }
    let platform = payouts::platform(frame)?;
    store(frame, DATANETS, slot, &CommitmentRecord::default())?;
    frame.emit(DATANETS, &Forfeited { owner, commitment, deposit: committed.deposit })?;
    frame.pay(DATANETS, platform, committed.deposit)
}
