//! Near-duplicate rows: recorded with evidence, challengeable; the earliest committed row earns for all.

use super::contributions::row_of;
use super::earnings;
use super::judging::check_deposit;
use super::layout::*;
use super::registry::datanet_head;
use super::roles::{only_curator, only_moderator};
use crate::frame::{
    Frame, Result, entry, entry2, load, load_elements, revert, store, store_elements, update,
};
use crate::payouts;
use alloy_primitives::aliases::U96;
use alloy_primitives::{Address, B256, U256};
use openledger_abi::DATANETS;
use openledger_abi::IDatanets::{self, *};

pub(super) fn count(frame: &mut Frame<'_>) -> Result<u64> {
    Ok(frame.sload(DATANETS, CLUSTER_COUNT_SLOT)?.wrapping_to())
}

fn find_copy(frame: &mut Frame<'_>, contribution: u64, row: u32) -> Result<(U256, CopyRecord)> {
    let slot = entry2(frame, COPY_OF_SLOT, U256::from(contribution), U256::from(row))?;
    Ok((slot, load(frame, DATANETS, slot)?))
}

/// The cluster that holds a row as a copy; 0 for none.
pub(crate) fn copied_in(frame: &mut Frame<'_>, contribution: u64, row: u32) -> Result<u64> {
    Ok(find_copy(frame, contribution, row)?.1.cluster)
}

fn not_merged(frame: &mut Frame<'_>, at: &RowRef) -> Result<U256> {
    let &RowRef { contribution, row } = at;
    let (slot, copy) = find_copy(frame, contribution, row)?;
    if copy.cluster != 0 {
        revert!(AlreadyMerged { contribution, row, cluster: copy.cluster });
    }
    Ok(slot)
}

fn pack(at: &RowRef) -> U96 {
    U96::saturating_from(at.contribution) | (U96::saturating_from(at.row) << 64)
}

fn unpack(word: U96) -> RowRef {
    RowRef { contribution: word.wrapping_to(), row: (word >> 64u32).wrapping_to() }
}

pub(super) fn record(frame: &mut Frame<'_>, call: recordClusterCall) -> Result<u64> {
    let recordClusterCall { datanet, canonical, copies, evidence } = call;
    datanet_head(frame, datanet)?;
    only_curator(frame, datanet)?;
    if copies.is_empty() {
        revert!(NoCopies {});
    }
    if copies.len() > MAX_COPIES {
        revert!(TooManyCopies { maximum: U256::from(MAX_COPIES), given: U256::from(copies.len()) });
    }
    let first = row_of(frame, &canonical)?;
    not_merged(frame, &canonical)?;
    let cluster = count(frame)?.saturating_add(1);
    let mut slots = Vec::with_capacity(copies.len());
    for (index, copy) in copies.iter().enumerate() {
        let &RowRef { contribution, row } = copy;
        let record = row_of_datanet(frame, datanet, copy)?;
        if (record.priority, row) <= (first.priority, canonical.row) {
            revert!(NotLater { contribution, row });
        }
        slots.push(not_merged(frame, copy)?);
        if copies.iter().take(index).any(|earlier| earlier == copy) {
            revert!(AlreadyMerged { contribution, row, cluster });
        }
    }
    frame.sstore(DATANETS, CLUSTER_COUNT_SLOT, U256::from(cluster))?;
    let slot = entry(frame, CLUSTERS_SLOT, U256::from(cluster))?;
    let record = ClusterRecord {
        datanet,
        contribution: canonical.contribution,
        row: canonical.row,
        copies: copies.len() as u32,
        status: ClusterStatus::Recorded as u8,
        evidence,
        ..ClusterRecord::default()
    };
    update(frame, DATANETS, slot, &ClusterRecord::default(), &record)?;
    let list = entry(frame, COPIES_SLOT, U256::from(cluster))?;
    store_elements(frame, DATANETS, list, 0, &copies.iter().map(pack).collect::<Vec<_>>())?;
    let copy_record = CopyRecord { cluster, contribution: canonical.contribution, row: canonical.row };
    for (copy, slot) in copies.iter().zip(slots) {
        store(frame, DATANETS, slot, &copy_record)?;
        let mark = |earner: Earner| Earner { flags: earner.flags | HAS_COPIES, ..earner };
        earnings::change(frame, copy.contribution, mark)?;
    }
    frame.emit(DATANETS, &ClusterRecorded { cluster, datanet, canonical, copies, evidence })?;
    Ok(cluster)
}

fn row_of_datanet(frame: &mut Frame<'_>, datanet: u64, at: &RowRef) -> Result<ContributionRecord> {
    let &RowRef { contribution, row } = at;
    let (_, record) = super::contributions::contribution_of(frame, contribution)?;
    if record.datanet != datanet {
        revert!(WrongDatanet { contribution, datanet });
    }
    if row >= record.rows {
        revert!(RowOutOfRange { contribution, row });
    }
    Ok(record)
}

fn find(frame: &mut Frame<'_>, cluster: u64) -> Result<(U256, ClusterRecord)> {
    let slot = entry(frame, CLUSTERS_SLOT, U256::from(cluster))?;
    let record: ClusterRecord = load(frame, DATANETS, slot)?;
    if record.status == ClusterStatus::None as u8 {
        revert!(UnknownCluster { cluster });
    }
    Ok((slot, record))
}

const fn status(raw: u8) -> ClusterStatus {
    match raw {
        1 => ClusterStatus::Recorded,
        2 => ClusterStatus::Challenged,
        3 => ClusterStatus::Dissolved,
        _ => ClusterStatus::None,
    }
}

fn expect(cluster: u64, record: &ClusterRecord, wanted: ClusterStatus) -> Result<()> {
    let status = status(record.status);
    if status != wanted {
        revert!(WrongClusterStatus { cluster, status });
    }
    Ok(())
}

pub(super) fn challenge(frame: &mut Frame<'_>, cluster: u64, evidence: B256) -> Result<()> {
    let (slot, old) = find(frame, cluster)?;
    let deposit = check_deposit(frame)?;
    expect(cluster, &old, ClusterStatus::Recorded)?;
    let challenger = frame.caller();
    let new = ClusterRecord { status: ClusterStatus::Challenged as u8, challenger, deposit, ..old };
    update(frame, DATANETS, slot, &old, &new)?;
    frame.emit(DATANETS, &ClusterChallenged { cluster, challenger, deposit, evidence })
}

pub(super) fn resolve(frame: &mut Frame<'_>, cluster: u64, upheld: bool) -> Result<()> {
    let (slot, old) = find(frame, cluster)?;
    only_moderator(frame, old.datanet)?;
    expect(cluster, &old, ClusterStatus::Challenged)?;
    let to = if upheld { ClusterStatus::Dissolved } else { ClusterStatus::Recorded };
    let new = ClusterRecord { status: to as u8, challenger: Address::ZERO, deposit: U256::ZERO, ..old };
    update(frame, DATANETS, slot, &old, &new)?;
    if upheld {
        let list = entry(frame, COPIES_SLOT, U256::from(cluster))?;
        let count = u64::from(old.copies).min(MAX_COPIES as u64);
        let copies: Vec<U96> = load_elements(frame, DATANETS, list, 0, count)?;
        for copy in copies.into_iter().map(unpack) {
            let (slot, _) = find_copy(frame, copy.contribution, copy.row)?;
            store(frame, DATANETS, slot, &CopyRecord::default())?;
        }
    }
    let receiver = if upheld { old.challenger } else { payouts::platform(frame)? };
    let event = ClusterResolved { cluster, upheld, depositTo: receiver, deposit: old.deposit };
    frame.emit(DATANETS, &event)?;
    frame.pay(DATANETS, receiver, old.deposit)
}

pub(super) fn cluster_of(frame: &mut Frame<'_>, cluster: u64) -> Result<IDatanets::Cluster> {
    let (_, record) = find(frame, cluster)?;
    Ok(IDatanets::Cluster {
        datanet: record.datanet,
        contribution: record.contribution,
        row: record.row,
        copies: record.copies,
        status: status(record.status),
        challenger: record.challenger,
        deposit: record.deposit,
        evidence: record.evidence,
    })
}

/// The row that earns for this one, and the first cluster on the way there.
pub(super) fn canonical_of(frame: &mut Frame<'_>, at: RowRef) -> Result<canonicalOfReturn> {
    row_of(frame, &at)?;
    let (mut at, mut cluster) = (at, 0);
    for _ in 0..MAX_HOPS {
        let (_, copy) = find_copy(frame, at.contribution, at.row)?;
        if copy.cluster == 0 {
            break;
        }
        if cluster == 0 {
            cluster = copy.cluster;
        }
        at = RowRef { contribution: copy.contribution, row: copy.row };
    }
    Ok(canonicalOfReturn { _0: at, cluster })
}
