//! Datanets: created, ruled, owned.

use super::layout::*;
use super::parents;
use super::roles::write_curator;
use crate::frame::{Frame, Result, entry, load, load_text, revert, store_text, update};
use alloy_primitives::{Address, U256};
use openledger_abi::IDatanets::{self, *};
use openledger_abi::{CONTRIBUTION_TOKEN, DATANET_TOKEN, DATANETS, licence};

pub(super) fn globals(frame: &mut Frame<'_>) -> Result<Globals> {
    load(frame, DATANETS, U256::ZERO)
}

/// Slot and head of a Datanet that exists.
pub(crate) fn datanet_head(frame: &mut Frame<'_>, datanet: u64) -> Result<(U256, DatanetHead)> {
    let slot = entry(frame, DATANETS_SLOT, U256::from(datanet))?;
    let head: DatanetHead = load(frame, DATANETS, slot)?;
    if head.owner.is_zero() {
        revert!(UnknownDatanet { datanet });
    }
    Ok((slot, head))
}

/// The same, of the caller's own.
pub(super) fn owned_datanet(frame: &mut Frame<'_>, datanet: u64) -> Result<(U256, DatanetHead)> {
    let (slot, head) = datanet_head(frame, datanet)?;
    let (owner, account) = (head.owner, frame.caller());
    if owner != account {
        revert!(NotOwner { owner, account });
    }
    Ok((slot, head))
}

pub(super) fn bound(maximum: usize, given: usize) -> Result<()> {
    if given > maximum {
        revert!(TooLong { maximum: U256::from(maximum), given: U256::from(given) });
    }
    Ok(())
}

/// Whether a bit set has only uses that there are.
pub(super) fn known_uses(uses: u16) -> Result<()> {
    if uses & !licence::ALL != 0 {
        revert!(UnknownLicence { licence: uses });
    }
    Ok(())
}

fn check_rules(rules: &Rules) -> Result<()> {
    known_uses(rules.requiredUses)?;
    if rules.maxRows > MAX_ROWS {
        revert!(TooManyRows { maximum: MAX_ROWS, given: rules.maxRows });
    }
    Ok(())
}

const fn with_rules(head: DatanetHead, rules: &Rules) -> DatanetHead {
    let flags = (rules.closed as u8 * CLOSED)
        | (rules.approvalRequired as u8 * APPROVAL_REQUIRED)
        | (rules.revocableAllowed as u8 * REVOCABLE_ALLOWED);
    DatanetHead { rule_flags: flags, required_uses: rules.requiredUses, max_rows: rules.maxRows, ..head }
}

pub(super) fn create(frame: &mut Frame<'_>, call: &createDatanetCall) -> Result<u64> {
    create_datanet(frame, call, &Rules::default(), &[])
}

pub(super) fn create_with(frame: &mut Frame<'_>, call: createDatanetWithCall) -> Result<u64> {
    let createDatanetWithCall { schemaHash, domain, metadataURI, rules, parents } = call;
    let plain = createDatanetCall { schemaHash, domain, metadataURI };
    let datanet = create_datanet(frame, &plain, &rules, &parents)?;
    frame.emit(DATANETS, &RulesSet { datanet, rules })?;
    for DatanetVersion { datanet: parent, version } in parents {
        frame.emit(DATANETS, &ParentAdded { datanet, parent, version })?;
    }
    Ok(datanet)
}

fn create_datanet(
    frame: &mut Frame<'_>,
    call: &createDatanetCall,
    rules: &Rules,
    parents: &[DatanetVersion],
) -> Result<u64> {
    bound(MAX_DOMAIN, call.domain.len())?;
    bound(MAX_URI, call.metadataURI.len())?;
    check_rules(rules)?;
    let old = globals(frame)?;
    let datanet = old.datanets.saturating_add(1);
    let (depth, ancestors) = parents::derive(frame, datanet, parents)?;
    let owner = frame.caller();
    update(frame, DATANETS, U256::ZERO, &old, &Globals { datanets: datanet, ..old })?;
    let slot = entry(frame, DATANETS_SLOT, U256::from(datanet))?;
    let head = DatanetHead {
        owner,
        created_at: frame.now(),
        depth,
        ancestors: ancestors.len() as u8,
        ..DatanetHead::default()
    };
    update(frame, DATANETS, slot, &DatanetHead::default(), &with_rules(head, rules))?;
    frame.sstore(DATANETS, slot.wrapping_add(SCHEMA_HASH), call.schemaHash.into())?;
    store_text(frame, DATANETS, slot.wrapping_add(DOMAIN), &call.domain)?;
    store_text(frame, DATANETS, slot.wrapping_add(METADATA_URI), &call.metadataURI)?;
    parents::keep(frame, datanet, &ancestors)?;
    add_balance(frame, DATANET_BALANCES_SLOT, owner, 1)?;
    write_curator(frame, datanet, owner, true)?;
    let event = DatanetCreated {
        datanet,
        owner,
        schemaHash: call.schemaHash,
        domain: call.domain.clone(),
        metadataURI: call.metadataURI.clone(),
    };
    frame.emit(DATANETS, &event)?;
    frame.emit(DATANETS, &CuratorSet { datanet, curator: owner, allowed: true })?;
    Ok(datanet)
}

pub(super) fn set_rules(frame: &mut Frame<'_>, datanet: u64, rules: &Rules) -> Result<()> {
    let (slot, old) = owned_datanet(frame, datanet)?;
    check_rules(rules)?;
    update(frame, DATANETS, slot, &old, &with_rules(old, rules))?;
    frame.emit(DATANETS, &RulesSet { datanet, rules: rules.clone() })
}

pub(super) fn rules_of(frame: &mut Frame<'_>, datanet: u64) -> Result<Rules> {
    let (_, head) = datanet_head(frame, datanet)?;
    Ok(Rules {
        closed: head.rule_flags & CLOSED != 0,
        approvalRequired: head.rule_flags & APPROVAL_REQUIRED != 0,
        revocableAllowed: head.rule_flags & REVOCABLE_ALLOWED != 0,
        requiredUses: head.required_uses,
        maxRows: head.max_rows,
    })
}

pub(super) fn datanet_of(frame: &mut Frame<'_>, datanet: u64) -> Result<IDatanets::Datanet> {
    let (slot, head) = datanet_head(frame, datanet)?;
    Ok(IDatanets::Datanet {
        owner: head.owner,
        createdAt: head.created_at,
        contributions: head.contributions,
        versions: head.versions,
        schemaHash: frame.sload(DATANETS, slot.wrapping_add(SCHEMA_HASH))?.into(),
        domain: load_text(frame, DATANETS, slot.wrapping_add(DOMAIN), MAX_DOMAIN)?,
        metadataURI: load_text(frame, DATANETS, slot.wrapping_add(METADATA_URI), MAX_URI)?,
    })
}

pub(super) fn balance_of(frame: &mut Frame<'_>, slot: U256, owner: Address) -> Result<U256> {
    if owner.is_zero() {
        revert!(ZeroAddress {});
    }
    let slot = entry(frame, slot, owner.into_word())?;
    frame.sload(DATANETS, slot)
}

pub(super) fn add_balance(frame: &mut Frame<'_>, slot: U256, owner: Address, change: i8) -> Result<()> {
    let slot = entry(frame, slot, owner.into_word())?;
    let balance = frame.sload(DATANETS, slot)?;
    let change =
        if change < 0 { balance.saturating_sub(U256::ONE) } else { balance.saturating_add(U256::ONE) };
    frame.sstore(DATANETS, slot, change)
}

pub(super) fn transfer_datanet(
    frame: &mut Frame<'_>,
    from: Address,
    to: Address,
    datanet: u64,
) -> Result<()> {
    only(frame, DATANET_TOKEN)?;
    let (slot, old) = datanet_head(frame, datanet)?;
    check_parties(old.owner, from, to)?;
    update(frame, DATANETS, slot, &old, &DatanetHead { owner: to, ..old })?;
    move_balance(frame, DATANET_BALANCES_SLOT, from, to)?;
    frame.emit(DATANETS, &DatanetTransferred { datanet, from, to })
}

/// What a transfer of a contribution checks before anything else.
pub(super) fn only_contribution_token(frame: &Frame<'_>) -> Result<()> {
    only(frame, CONTRIBUTION_TOKEN)
}

fn only(frame: &Frame<'_>, facade: Address) -> Result<()> {
    if frame.caller() != facade {
        revert!(NotFacade { account: frame.caller() });
    }
    Ok(())
}

pub(super) fn check_parties(owner: Address, from: Address, to: Address) -> Result<()> {
    if owner != from {
        revert!(NotOwner { owner, account: from });
    }
    if to.is_zero() {
        revert!(ZeroAddress {});
    }
    Ok(())
}

pub(super) fn move_balance(frame: &mut Frame<'_>, slot: U256, from: Address, to: Address) -> Result<()> {
    add_balance(frame, slot, from, -1)?;
    add_balance(frame, slot, to, 1)
}
