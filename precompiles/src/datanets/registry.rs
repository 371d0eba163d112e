//! Datanets, curators, and who owns what.

use super::layout::*;
use crate::frame::{Frame, Result, entry, entry2, load, load_text, revert, store, store_text, update};
use alloy_primitives::{Address, B256, U256};
use openledger_abi::IDatanets::{self, *};
use openledger_abi::{CONTRIBUTION_TOKEN, DATANET_TOKEN, DATANETS};

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

/// Slot and record of a contribution that exists.
pub(crate) fn contribution_of(
    frame: &mut Frame<'_>,
    contribution: u64,
) -> Result<(U256, ContributionRecord)> {
    let slot = entry(frame, CONTRIBUTIONS_SLOT, U256::from(contribution))?;
    let record: ContributionRecord = load(frame, DATANETS, slot)?;
    if record.owner.is_zero() {
        revert!(UnknownContribution { contribution });
    }
    Ok((slot, record))
}

pub(super) fn create(frame: &mut Frame<'_>, schema: B256, domain: &str, uri: &str) -> Result<u64> {
    bound(MAX_DOMAIN, domain.len())?;
    bound(MAX_URI, uri.len())?;
    let old = globals(frame)?;
    let datanet = old.datanets.saturating_add(1);
    let owner = frame.caller();
    update(frame, DATANETS, U256::ZERO, &old, &Globals { datanets: datanet, ..old })?;
    let slot = entry(frame, DATANETS_SLOT, U256::from(datanet))?;
    let head = DatanetHead { owner, created_at: frame.now(), ..DatanetHead::default() };
    update(frame, DATANETS, slot, &DatanetHead::default(), &head)?;
    frame.sstore(DATANETS, slot.wrapping_add(SCHEMA_HASH), schema.into())?;
    store_text(frame, DATANETS, slot.wrapping_add(DOMAIN), domain)?;
    store_text(frame, DATANETS, slot.wrapping_add(METADATA_URI), uri)?;
    add_balance(frame, DATANET_BALANCES_SLOT, owner, 1)?;
    write_curator(frame, datanet, owner, true)?;
    let (domain, uri) = (domain.to_owned(), uri.to_owned());
    frame.emit(DATANETS, &DatanetCreated { datanet, owner, schemaHash: schema, domain, metadataURI: uri })?;
    frame.emit(DATANETS, &CuratorSet { datanet, curator: owner, allowed: true })?;
    Ok(datanet)
}

pub(super) fn bound(maximum: usize, given: usize) -> Result<()> {
    if given > maximum {
        revert!(TooLong { maximum: U256::from(maximum), given: U256::from(given) });
    }
    Ok(())
}

pub(super) fn set_curator(
    frame: &mut Frame<'_>,
    datanet: u64,
    curator: Address,
    allowed: bool,
) -> Result<()> {
    let (_, head) = datanet_head(frame, datanet)?;
    let account = frame.caller();
    if head.owner != account {
        revert!(NotOwner { owner: head.owner, account });
    }
    if curator.is_zero() {
        revert!(ZeroAddress {});
    }
    write_curator(frame, datanet, curator, allowed)?;
    frame.emit(DATANETS, &CuratorSet { datanet, curator, allowed })
}

fn write_curator(frame: &mut Frame<'_>, datanet: u64, curator: Address, allowed: bool) -> Result<()> {
    let slot = entry2(frame, CURATORS_SLOT, U256::from(datanet), curator.into_word())?;
    frame.sstore(DATANETS, slot, U256::from(allowed))
}

pub(super) fn is_curator(frame: &mut Frame<'_>, datanet: u64, account: Address) -> Result<bool> {
    let slot = entry2(frame, CURATORS_SLOT, U256::from(datanet), account.into_word())?;
    Ok(!frame.sload(DATANETS, slot)?.is_zero())
}

pub(super) fn datanet_of(frame: &mut Frame<'_>, datanet: u64) -> Result<Datanet> {
    let (slot, head) = datanet_head(frame, datanet)?;
    Ok(Datanet {
        owner: head.owner,
        createdAt: head.created_at,
        contributions: head.contributions,
        versions: head.versions,
        schemaHash: frame.sload(DATANETS, slot.wrapping_add(SCHEMA_HASH))?.into(),
        domain: load_text(frame, DATANETS, slot.wrapping_add(DOMAIN), MAX_DOMAIN)?,
        metadataURI: load_text(frame, DATANETS, slot.wrapping_add(METADATA_URI), MAX_URI)?,
    })
}

pub(super) fn show(record: &ContributionRecord) -> IDatanets::Contribution {
    IDatanets::Contribution {
        owner: record.owner,
        datanet: record.datanet,
        rows: record.rows,
        licence: record.licence,
        expiry: record.expiry,
        root: record.root,
        priority: record.priority,
        sinceVersion: record.since_version,
        status: IDatanets::ContributionStatus::Pending,
    }
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

pub(super) fn transfer_contribution(
    frame: &mut Frame<'_>,
    from: Address,
    to: Address,
    contribution: u64,
) -> Result<()> {
    only(frame, CONTRIBUTION_TOKEN)?;
    let (slot, old) = contribution_of(frame, contribution)?;
    check_parties(old.owner, from, to)?;
    update(frame, DATANETS, slot, &old, &ContributionRecord { owner: to, ..old })?;
    move_balance(frame, CONTRIBUTION_BALANCES_SLOT, from, to)?;
    frame.emit(DATANETS, &ContributionTransferred { contribution, from, to })
}

fn only(frame: &Frame<'_>, facade: Address) -> Result<()> {
    if frame.caller() != facade {
        revert!(NotFacade { account: frame.caller() });
    }
    Ok(())
}

fn check_parties(owner: Address, from: Address, to: Address) -> Result<()> {
    if owner != from {
        revert!(NotOwner { owner, account: from });
    }
    if to.is_zero() {
        revert!(ZeroAddress {});
    }
    Ok(())
}

fn move_balance(frame: &mut Frame<'_>, slot: U256, from: Address, to: Address) -> Result<()> {
    add_balance(frame, slot, from, -1)?;
    add_balance(frame, slot, to, 1)
}

/// Stores a new contribution.
pub(super) fn add_contribution(
    frame: &mut Frame<'_>,
    contribution: u64,
    record: &ContributionRecord,
) -> Result<()> {
    let slot = entry(frame, CONTRIBUTIONS_SLOT, U256::from(contribution))?;
    store(frame, DATANETS, slot, record)?;
    add_balance(frame, CONTRIBUTION_BALANCES_SLOT, record.owner, 1)
}
