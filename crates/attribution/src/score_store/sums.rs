//! Sums of clusters' rows, in f64, each added in the order of rows: the same bits on every machine.

use arrow_buffer::ScalarBuffer;
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::{
    error::AttributionError,
    score_store::{
        folder::ShardName,
        planes::decode,
        shard::{RowShard, SumShard},
    },
};

/// Clusters a shard of sums.
pub(crate) const CLUSTERS_PER_SHARD: usize = 4096;
/// The most clusters of a store.
pub(crate) const MAX_CLUSTERS: usize = 1 << 26;

/// What sums are of: the rows' shards, which name their own content, and the number of clusters.
pub(crate) fn fingerprint(rows: &[ShardName], clusters: usize) -> String {
    let mut hasher = Sha256::new();
    for name in rows {
        hasher.update(name.file.as_bytes());
        hasher.update([0]);
    }
    hasher.update((clusters as u64).to_be_bytes());
    alloy_primitives::hex::encode(hasher.finalize())
}

/// The rows of each cluster, as shard and place, in order.
#[derive(Debug)]
pub(crate) struct Membership {
    starts: Vec<usize>,
    members: Vec<(u32, u32)>,
}

impl Membership {
    pub(crate) fn new(shards: &[RowShard], clusters: usize) -> Result<Self, AttributionError> {
        if clusters > MAX_CLUSTERS {
            return Err(AttributionError::Invalid(format!("{clusters} clusters, at most {MAX_CLUSTERS}")));
        }
        let mut starts = vec![0usize; clusters + 1];
        for shard in shards {
            for (i, &cluster) in shard.clusters.iter().enumerate() {
                let count = starts.get_mut(cluster as usize + 1).ok_or_else(|| {
                    let row = shard.first_row + i as u64;
                    AttributionError::Invalid(format!("row {row} is of cluster {cluster}, of {clusters}"))
                })?;
                *count += 1;
            }
        }
        for cluster in 0..clusters {
            starts[cluster + 1] += starts[cluster];
        }
        let mut next = starts.clone();
        let mut members = vec![(0, 0); starts[clusters]];
        for (s, shard) in shards.iter().enumerate() {
            for (i, &cluster) in shard.clusters.iter().enumerate() {
                members[next[cluster as usize]] = (s as u32, i as u32);
                next[cluster as usize] += 1;
            }
        }
        Ok(Self { starts, members })
    }

    fn of(&self, cluster: usize) -> &[(u32, u32)] {
        &self.members[self.starts[cluster]..self.starts[cluster + 1]]
    }

    /// The sums of clusters `first..first + count`; those of clusters without rows are zero.
    pub(crate) fn sum(
        &self,
        shards: &[RowShard],
        dimension: usize,
        first: usize,
        count: usize,
        of: &str,
    ) -> SumShard {
        let mut sums = vec![0.0; count * dimension];
        sums.par_chunks_mut(dimension).enumerate().for_each(|(i, sum)| {
            for &(shard, place) in self.of(first + i) {
                let (shard, place) = (&shards[shard as usize], place as usize);
                let numbers = place * dimension..(place + 1) * dimension;
                let row = decode(shard.scales[place], &shard.coarse[numbers.clone()], &shard.fine[numbers]);
                for (total, v) in sum.iter_mut().zip(row) {
                    *total += v;
                }
            }
        });
        let rows: Vec<u64> = (first..first + count).map(|c| self.of(c).len() as u64).collect();
        SumShard {
            first_cluster: first as u64,
            of: of.to_owned(),
            rows: ScalarBuffer::from(rows),
            sums: ScalarBuffer::from(sums),
        }
    }
}
