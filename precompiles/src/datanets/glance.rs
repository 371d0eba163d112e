//! Single slots of longer records, for calls that pay for every slot they touch.

use super::layout::*;
use crate::frame::{Frame, Result, entry, entry2, load};
use alloy_primitives::{Address, B256, U256};
use openledger_abi::DATANETS;

/// The first slot of a Datanet that exists.
pub(crate) fn datanet_title(frame: &mut Frame<'_>, datanet: u64) -> Result<DatanetTitle> {
    let slot = entry(frame, DATANETS_SLOT, U256::from(datanet))?;
    load(frame, DATANETS, slot)
}

/// Root of a version that exists.
pub(crate) fn version_root(frame: &mut Frame<'_>, datanet: u64, version: u32) -> Result<B256> {
    let slot = entry2(frame, VERSIONS_SLOT, U256::from(datanet), U256::from(version))?;
    Ok(frame.sload(DATANETS, slot)?.into())
}

/// Rows of a version that exists.
pub(crate) fn version_rows(frame: &mut Frame<'_>, datanet: u64, version: u32) -> Result<u64> {
    let slot = entry2(frame, VERSIONS_SLOT, U256::from(datanet), U256::from(version))?;
    let size: VersionSize = load(frame, DATANETS, slot.wrapping_add(VERSION_SIZE))?;
    Ok(size.rows)
}

/// Title holder, Datanet and root of a contribution that exists.
pub(crate) fn origin_of(frame: &mut Frame<'_>, contribution: u64) -> Result<(Address, u64, B256)> {
    let slot = entry(frame, CONTRIBUTIONS_SLOT, U256::from(contribution))?;
    let title: ContributionTitle = load(frame, DATANETS, slot)?;
    let root = frame.sload(DATANETS, slot.wrapping_add(CONTRIBUTION_ROOT))?;
    Ok((title.owner, title.datanet, root.into()))
}
