//! Commit, reveal, forfeit: who was first, without showing what.
//!
//! A commitment is kept under its owner as well as its hash: whoever copies the hash takes a place of his own, which he
//! can never reveal, and stands in nobody's way.

use super::earnings::earner_slot;
use super::layout::*;
use super::owners::{Owners, check_co_owners, store_set};
use super::registry::{add_balance, datanet_head, globals, known_uses};
use crate::frame::{Frame, Result, entry, entry2, load, revert, store, update};
use crate::payouts;
use alloy_primitives::aliases::{U24, U40};
use alloy_primitives::{Address, B256, U256};
use openledger_abi::DATANETS;
use openledger_abi::IDatanets::*;
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

/// What is shown of a commitment.
struct Shown<'a> {
    datanet: u64,
    root: B256,
    salt: B256,
    rows: u32,
    terms: &'a Terms,
    co_owners: &'a [OwnerShare],
}

pub(super) fn reveal(frame: &mut Frame<'_>, call: &revealCall) -> Result<u64> {
    let &revealCall { datanet, root, salt, rows, licence, expiry } = call;
    let terms = Terms { uses: licence, expiry, ..Terms::default() };
    let shown = Shown { datanet, root, salt, rows, terms: &terms, co_owners: &[] };
    let (contribution, _, deposit) = take(frame, &shown)?;
    let owner = frame.caller();
    frame.pay(DATANETS, owner, deposit)?;
    Ok(contribution)
}

pub(super) fn reveal_with(frame: &mut Frame<'_>, call: revealWithCall) -> Result<u64> {
    let revealWithCall { datanet, root, salt, rows, terms, coOwners } = call;
    let shown = Shown { datanet, root, salt, rows, terms: &terms, co_owners: &coOwners };
    let (contribution, owners, deposit) = take(frame, &shown)?;
    frame.emit(DATANETS, &TermsSet { contribution, terms })?;
    frame.emit(DATANETS, &OwnersSet { contribution, set: 0, owners })?;
    let owner = frame.caller();
    frame.pay(DATANETS, owner, deposit)?;
    Ok(contribution)
}

/// Makes a contribution of a commitment; gives its number, its owners and the deposit to pay back.
fn take(frame: &mut Frame<'_>, shown: &Shown<'_>) -> Result<(u64, Owners, U256)> {
    let &Shown { datanet, root, salt, rows, terms, co_owners } = shown;
    let owner = frame.caller();
    frame.charge_keccak(160)?;
    let commitment = contribution_commitment(frame.chain_id(), datanet, owner, root, salt);
    let (commitment_slot, committed) = open(frame, owner, commitment)?;
    let old = globals(frame)?;
    check_window(frame, &committed, old.reveal_window)?;
    let contribution = old.contributions.saturating_add(1);
    let (datanet_slot, head) = datanet_head(frame, datanet)?;
    check_shown(frame, shown, contribution, &head)?;
    let owners = check_co_owners(owner, co_owners)?;

    store(frame, DATANETS, commitment_slot, &CommitmentRecord::default())?;
    update(frame, DATANETS, U256::ZERO, &old, &Globals { contributions: contribution, ..old })?;
    let added = DatanetHead { contributions: head.contributions.saturating_add(1), ..head };
    update(frame, DATANETS, datanet_slot, &head, &added)?;
    let priority = committed.priority;
    let record = ContributionRecord {
        owner,
        datanet,
        rows,
        uses: terms.uses,
        expiry: terms.expiry,
        priority,
        flags: (u8::from(terms.shareAlike) * SHARE_ALIKE) | (u8::from(terms.revocable) * REVOCABLE),
        sets: 1,
        root,
        purposes: terms.purposes,
        regions: terms.regions,
        fee: terms.fee,
        ..ContributionRecord::default()
    };
    let slot = entry(frame, CONTRIBUTIONS_SLOT, U256::from(contribution))?;
    update(frame, DATANETS, slot, &ContributionRecord::default(), &record)?;
    store_set(frame, contribution, 0, 0, &owners)?;
    let earner = Earner {
        datanet: U40::saturating_from(datanet),
        rows: U24::saturating_from(rows),
        ..Earner::default()
    };
    store(frame, DATANETS, earner_slot(contribution)?, &earner)?;
    add_balance(frame, CONTRIBUTION_BALANCES_SLOT, owner, 1)?;
    let (licence, expiry) = (terms.uses, terms.expiry);
    frame
        .emit(DATANETS, &Revealed { contribution, datanet, owner, root, rows, licence, expiry, priority })?;
    Ok((contribution, owners, committed.deposit))
}

fn check_window(frame: &Frame<'_>, committed: &CommitmentRecord, window: u64) -> Result<()> {
    let (block, last) = (frame.block_number(), committed.block.saturating_add(window));
    if block <= committed.block {
        revert!(RevealTooEarly { firstBlock: committed.block.saturating_add(1) });
    }
    if block > last {
        revert!(RevealTooLate { lastBlock: last });
    }
    Ok(())
}

fn check_shown(frame: &Frame<'_>, shown: &Shown<'_>, contribution: u64, head: &DatanetHead) -> Result<()> {
    let &Shown { datanet, rows, terms, .. } = shown;
    if head.rule_flags & CLOSED != 0 {
        revert!(DatanetClosed { datanet });
    }
    if rows == 0 {
        revert!(NoRows {});
    }
    let maximum = if head.max_rows == 0 { MAX_ROWS } else { head.max_rows };
    if rows > maximum {
        revert!(TooManyRows { maximum, given: rows });
    }
    known_uses(terms.uses)?;
    if terms.expiry != 0 && frame.now() > terms.expiry {
        revert!(LicenceExpired { contribution, expiry: terms.expiry });
    }
    let required = head.required_uses;
    if required & !terms.uses != 0 || (required != 0 && terms.fee != 0) {
        revert!(UsesRequired { required, given: terms.uses });
    }
    if terms.revocable && head.rule_flags & REVOCABLE_ALLOWED == 0 {
        revert!(RevocableNotAllowed { datanet });
    }
    Ok(())
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
