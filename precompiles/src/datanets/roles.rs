//! Who curates and who moderates.

use super::layout::*;
use super::registry::{datanet_head, owned_datanet};
use crate::frame::{Frame, Result, entry2, revert};
use alloy_primitives::{Address, U256};
use openledger_abi::DATANETS;
use openledger_abi::IDatanets::*;

pub(super) fn set_curator(
    frame: &mut Frame<'_>,
    datanet: u64,
    curator: Address,
    allowed: bool,
) -> Result<()> {
    check_set(frame, datanet, curator)?;
    write_curator(frame, datanet, curator, allowed)?;
    frame.emit(DATANETS, &CuratorSet { datanet, curator, allowed })
}

pub(super) fn set_moderator(
    frame: &mut Frame<'_>,
    datanet: u64,
    moderator: Address,
    allowed: bool,
) -> Result<()> {
    check_set(frame, datanet, moderator)?;
    write(frame, MODERATORS_SLOT, datanet, moderator, allowed)?;
    frame.emit(DATANETS, &ModeratorSet { datanet, moderator, allowed })
}

fn check_set(frame: &mut Frame<'_>, datanet: u64, account: Address) -> Result<()> {
    owned_datanet(frame, datanet)?;
    if account.is_zero() {
        revert!(ZeroAddress {});
    }
    Ok(())
}

pub(super) fn write_curator(
    frame: &mut Frame<'_>,
    datanet: u64,
    curator: Address,
    allowed: bool,
) -> Result<()> {
    write(frame, CURATORS_SLOT, datanet, curator, allowed)
}

fn write(frame: &mut Frame<'_>, role: U256, datanet: u64, account: Address, allowed: bool) -> Result<()> {
    let slot = entry2(frame, role, U256::from(datanet), account.into_word())?;
    frame.sstore(DATANETS, slot, U256::from(allowed))
}

fn has(frame: &mut Frame<'_>, role: U256, datanet: u64, account: Address) -> Result<bool> {
    let slot = entry2(frame, role, U256::from(datanet), account.into_word())?;
    Ok(!frame.sload(DATANETS, slot)?.is_zero())
}

pub(super) fn is_curator(frame: &mut Frame<'_>, datanet: u64, account: Address) -> Result<bool> {
    has(frame, CURATORS_SLOT, datanet, account)
}

/// The owner always moderates.
pub(super) fn is_moderator(frame: &mut Frame<'_>, datanet: u64, account: Address) -> Result<bool> {
    match datanet_head(frame, datanet) {
        Ok((_, head)) if head.owner == account => Ok(true),
        Ok(_) => has(frame, MODERATORS_SLOT, datanet, account),
        Err(crate::frame::Failure::Revert(_)) => Ok(false),
        Err(failure) => Err(failure),
    }
}

pub(super) fn only_curator(frame: &mut Frame<'_>, datanet: u64) -> Result<()> {
    let account = frame.caller();
    if !is_curator(frame, datanet, account)? {
        revert!(NotCurator { datanet, account });
    }
    Ok(())
}

pub(super) fn only_moderator(frame: &mut Frame<'_>, datanet: u64) -> Result<()> {
    let account = frame.caller();
    if !is_moderator(frame, datanet, account)? {
        revert!(NotModerator { datanet, account });
    }
    Ok(())
}
