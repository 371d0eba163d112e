//! From contributions on chain and rows in the store to what a model may be trained on.

use crate::{AttributorError, DatasetVersion, chain::Chain, records::RowRef};
use alloy_primitives::{B256, Keccak256, U256};
use openledger_abi::{IDatanets, licence};
use openledger_attribution::{ClusterConfig, ClusterRow, Clusters};
use openledger_content_store::ContentStore;
use openledger_shares::MerkleTree;
use std::collections::BTreeMap;
use tracing::info;

/// Contributions that one version may add.
const CONTRIBUTIONS_A_VERSION: usize = 256;
/// What a paid model needs of every row.
const NEEDED: u16 = licence::TRAIN | licence::SERVE;

/// A row that may be trained on.
#[derive(Debug, Clone)]
pub(crate) struct DatasetRow {
    pub(crate) place: RowRef,
    pub(crate) datanet: u64,
    /// Place of its commitment in the chain's order.
    pub(crate) priority: u64,
    pub(crate) text: String,
}

/// A contribution as far as training goes.
pub(crate) struct Contribution {
    pub(crate) number: u64,
    pub(crate) info: IDatanets::Contribution,
}

/// Makes sure that the latest version of `datanet` holds every contribution that is permitted and stored here.
pub(crate) async fn publish(
    chain: &Chain,
    store: &ContentStore,
    datanet: u64,
) -> Result<DatasetVersion, AttributorError> {
    let all = contributions(chain, datanet).await?;
    let now = chain.now().await?;
    let mut added = Vec::new();
    for contribution in &all {
        if contribution.info.sinceVersion == 0
            && permits(&contribution.info, now)
            && is_stored(store, &contribution.info).await?
        {
            added.push(contribution.number);
        }
    }
    for chunk in added.chunks(CONTRIBUTIONS_A_VERSION) {
        let held: Vec<&Contribution> =
            all.iter().filter(|c| c.info.sinceVersion > 0 || added.contains(&c.number)).collect();
        let (rows, clusters) = clustered(rows_of(store, &held).await?).await?;
        let call = IDatanets::publishVersionCall {
            datanet,
            contributions: chunk.to_vec(),
            clusterRoot: cluster_root(&rows, &clusters)?,
            clusters: u32::try_from(clusters.len()).unwrap_or(u32::MAX),
        };
        chain.send(call, U256::ZERO).await?;
        info!(
            datanet,
            contributions = chunk.len(),
            rows = rows.len(),
            clusters = clusters.len(),
            "published a version"
        );
    }
    let version = chain.call(IDatanets::datanetOfCall { datanet }).await?.versions;
    if version == 0 {
        let reason = format!(
            "Datanet {datanet} has no contribution that may be trained on and served, with its rows here"
        );
        return Err(AttributorError::Invalid(reason));
    }
    Ok(DatasetVersion { datanet, version })
}

/// All rows of these versions in the order of their commitments. Erased rows are left out.
pub(crate) async fn load(
    chain: &Chain,
    store: &ContentStore,
    versions: &[DatasetVersion],
) -> Result<Vec<DatasetRow>, AttributorError> {
    let mut rows = Vec::new();
    for version in versions {
        let all = contributions(chain, version.datanet).await?;
        let held: Vec<&Contribution> =
            all.iter().filter(|c| (1..=version.version).contains(&c.info.sinceVersion)).collect();
        rows.extend(rows_of(store, &held).await?);
    }
    rows.sort_by_key(|row| (row.priority, row.place.row));
    Ok(rows)
}

/// Rows with their near-duplicate clusters, found beside all other work: many rows take seconds.
pub(crate) async fn clustered(rows: Vec<DatasetRow>) -> Result<(Vec<DatasetRow>, Clusters), AttributorError> {
    let work = tokio::task::spawn_blocking(move || clusters(&rows).map(|clusters| (rows, clusters)));
    // Without what the panic says, which may quote a row.
    work.await.map_err(|_| AttributorError::Panicked)?
}

/// Near-duplicate clusters of rows.
pub(crate) fn clusters(rows: &[DatasetRow]) -> Result<Clusters, AttributorError> {
    let views: Vec<ClusterRow<'_>> = rows
        .iter()
        .map(|row| ClusterRow { text: &row.text, priority: (row.priority, row.place.row.into()) })
        .collect();
    Ok(Clusters::find(&views, ClusterConfig::default(), &[])?)
}

/// Merkle root whose leaf for a cluster is keccak256 of its members' (contribution, row), big-endian, the canonical
/// row first and the others ascending.
fn cluster_root(rows: &[DatasetRow], clusters: &Clusters) -> Result<B256, AttributorError> {
    let mut members: BTreeMap<usize, Vec<RowRef>> = BTreeMap::new();
    for (row, &cluster) in rows.iter().zip(clusters.cluster_of()) {
        members.entry(cluster).or_default().push(row.place);
    }
    let mut leaves = Vec::with_capacity(members.len());
    for (cluster, mut places) in members {
        let canonical = rows[clusters.canonical()[cluster]].place;
        places.retain(|place| *place != canonical);
        places.sort_unstable();
        let mut hasher = Keccak256::new();
        for place in std::iter::once(canonical).chain(places) {
            hasher.update(place.contribution.to_be_bytes());
            hasher.update(place.row.to_be_bytes());
        }
        leaves.push(hasher.finalize());
    }
    let tree = MerkleTree::new(leaves).map_err(|error| AttributorError::Invalid(error.to_string()))?;
    Ok(tree.root())
}

fn permits(contribution: &IDatanets::Contribution, now: u64) -> bool {
    contribution.licence & NEEDED == NEEDED && (contribution.expiry == 0 || contribution.expiry > now)
}

/// Whether the rows are here, as many as were revealed.
async fn is_stored(store: &ContentStore, info: &IDatanets::Contribution) -> Result<bool, AttributorError> {
    Ok(store.contains(info.root).await? && store.rows(info.root).await?.len() == info.rows as usize)
}

/// All contributions to a Datanet, in the order of their numbers.
pub(crate) async fn contributions(chain: &Chain, datanet: u64) -> Result<Vec<Contribution>, AttributorError> {
    let count = chain.call(IDatanets::contributionCountCall {}).await?;
    let calls: Vec<_> =
        (1..=count).map(|contribution| IDatanets::contributionOfCall { contribution }).collect();
    let mut found = Vec::new();
    for (call, info) in calls.iter().zip(chain.call_many(&calls).await?) {
        let info = info?;
        if info.datanet == datanet {
            found.push(Contribution { number: call.contribution, info });
        }
    }
    Ok(found)
}

async fn rows_of(
    store: &ContentStore,
    contributions: &[&Contribution],
) -> Result<Vec<DatasetRow>, AttributorError> {
    let mut rows = Vec::new();
    for Contribution { number, info } in contributions {
        for (index, row) in (0..).zip(store.rows(info.root).await?) {
            let Some(row) = row else { continue };
            rows.push(DatasetRow {
                place: RowRef { contribution: *number, row: index },
                datanet: info.datanet,
                priority: info.priority,
                text: row.text,
            });
        }
    }
    Ok(rows)
}
