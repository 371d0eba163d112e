//! Derivation: which versions of other Datanets one stands on. A parent is older than its child, so there are no cycles.

use super::layout::*;
use super::registry::datanet_head;
use super::versions::version_of;
use crate::frame::{Frame, Result, entry, load_elements, revert, store_elements};
use alloy_primitives::U256;
use openledger_abi::DATANETS;
use openledger_abi::IDatanets::*;
use openledger_abi::licence::DERIVE;
use std::collections::BTreeMap;

/// Depth and ancestors of a Datanet that is about to be created.
pub(super) fn derive(
    frame: &mut Frame<'_>,
    datanet: u64,
    parents: &[DatanetVersion],
) -> Result<(u8, Vec<Ancestor>)> {
    if parents.len() > MAX_PARENTS {
        revert!(too_many(MAX_PARENTS, parents.len()));
    }
    let mut depth = 0;
    let mut all: BTreeMap<u64, (u32, bool)> = BTreeMap::new();
    for (index, parent) in parents.iter().enumerate() {
        let &DatanetVersion { datanet: id, version } = parent;
        if id >= datanet {
            revert!(ParentCycle { parent: id });
        }
        let (_, head) = datanet_head(frame, id)?;
        let record = version_of(frame, id, version)?;
        if parents.iter().take(index).any(|other| other.datanet == id) {
            revert!(ParentCycle { parent: id });
        }
        if record.licence & DERIVE == 0 {
            revert!(LicenceForbids { contribution: record.forbids_deriving, r#use: DERIVE });
        }
        if record.expiry != 0 && frame.now() > record.expiry {
            revert!(LicenceForbids { contribution: record.first_to_expire, r#use: DERIVE });
        }
        depth = depth.max(head.depth.saturating_add(1));
        add(&mut all, id, version, true);
        for ancestor in ancestors(frame, id, head.ancestors)? {
            add(&mut all, ancestor.datanet, ancestor.version, false);
        }
    }
    if depth > MAX_DEPTH {
        revert!(TooDeep { maximum: U256::from(MAX_DEPTH) });
    }
    if all.len() > MAX_ANCESTORS {
        revert!(too_many(MAX_ANCESTORS, all.len()));
    }
    let list = all.into_iter().map(|(datanet, (version, direct))| Ancestor { datanet, version, direct });
    Ok((depth, list.collect()))
}

fn too_many(maximum: usize, given: usize) -> TooManyParents {
    TooManyParents { maximum: U256::from(maximum), given: U256::from(given) }
}

/// The later version counts, and a parent stays one.
fn add(all: &mut BTreeMap<u64, (u32, bool)>, datanet: u64, version: u32, direct: bool) {
    let known = all.entry(datanet).or_insert((version, direct));
    known.0 = known.0.max(version);
    known.1 |= direct;
}

pub(super) fn keep(frame: &mut Frame<'_>, datanet: u64, ancestors: &[Ancestor]) -> Result<()> {
    if ancestors.is_empty() {
        return Ok(());
    }
    let words: Vec<u128> = ancestors
        .iter()
        .map(|a| u128::from(a.datanet) | u128::from(a.version) << 64 | u128::from(a.direct) << 96)
        .collect();
    let first = entry(frame, ANCESTORS_SLOT, U256::from(datanet))?;
    store_elements(frame, DATANETS, first, 0, &words)
}

/// The ancestors of a Datanet that has `count`, ascending.
pub(crate) fn ancestors(frame: &mut Frame<'_>, datanet: u64, count: u8) -> Result<Vec<Ancestor>> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let first = entry(frame, ANCESTORS_SLOT, U256::from(datanet))?;
    let words: Vec<u128> = load_elements(frame, DATANETS, first, 0, u64::from(count))?;
    let read = |word: u128| Ancestor {
        datanet: word as u64,
        version: (word >> 64) as u32,
        direct: word >> 96 & 1 == 1,
    };
    Ok(words.into_iter().map(read).collect())
}

pub(super) fn ancestors_of(frame: &mut Frame<'_>, datanet: u64) -> Result<ancestorsOfReturn> {
    let (_, head) = datanet_head(frame, datanet)?;
    Ok(ancestorsOfReturn { depth: head.depth, ancestors: ancestors(frame, datanet, head.ancestors)? })
}
