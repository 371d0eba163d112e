//! Writing a store, row by row; a writer that was stopped goes on where its last complete shard ends.

use arrow_buffer::ScalarBuffer;

use crate::{
    error::AttributionError,
    score_store::{
        folder::StoreFolder,
        identity::{Kind, StoreIdentity},
        planes::encode,
        reader::{ScoreStore, read_rows},
        shard::RowShard,
        sums::{CLUSTERS_PER_SHARD, Membership, fingerprint},
    },
};

/// The most rows of a shard, which is put together in memory.
pub const MAX_ROWS_PER_SHARD: usize = 1 << 16;

/// Appends rows to a store.
#[derive(Debug)]
pub struct ShardWriter {
    folder: StoreFolder,
    identity: StoreIdentity,
    rows_per_shard: usize,
    shards: u32,
    stored: u64,
    partial_files: usize,
    clusters: Vec<u32>,
    scales: Vec<f32>,
    coarse: Vec<i8>,
    fine: Vec<i8>,
}

impl ShardWriter {
    /// Starts a store, or goes on with one: all its shards are checked, and what a killed writer left half
    /// written is removed. The first row to push is [`Self::next_row`].
    pub fn open(
        folder: StoreFolder,
        identity: StoreIdentity,
        rows_per_shard: usize,
    ) -> Result<Self, AttributionError> {
        identity.validate()?;
        if !(1..=MAX_ROWS_PER_SHARD).contains(&rows_per_shard) {
            let what = format!("{rows_per_shard} rows a shard, must be 1 to {MAX_ROWS_PER_SHARD}");
            return Err(AttributionError::Invalid(what));
        }
        let partial_files = folder.remove_partial()?;
        let names = folder.list(Kind::Rows)?;
        let (mut shards, mut stored) = (0, 0);
        if !names.is_empty() {
            let (_, found) = read_rows(&folder, &names, 0, Some(&identity))?;
            shards = found.len() as u32;
            stored = found.last().map_or(0, |shard| shard.first_row + shard.len() as u64);
        }
        let (clusters, scales, coarse, fine) = (vec![], vec![], vec![], vec![]);
        Ok(Self {
            folder,
            identity,
            rows_per_shard,
            shards,
            stored,
            partial_files,
            clusters,
            scales,
            coarse,
            fine,
        })
    }

    /// The number of the row that is pushed next.
    pub const fn next_row(&self) -> u64 {
        self.stored + self.clusters.len() as u64
    }

    /// Half-written files that were found and removed.
    pub const fn partial_files(&self) -> usize {
        self.partial_files
    }

    /// Appends a row; a shard that is full is stored. A row that is refused changes nothing.
    pub fn push(&mut self, row: &[f32], cluster: u32) -> Result<(), AttributionError> {
        let (at, dimension) = (self.next_row(), self.identity.dimension);
        if row.len() != dimension {
            let what = format!("row {at} has {} numbers, the store's have {dimension}", row.len());
            return Err(AttributionError::Invalid(what));
        }
        if let Some(place) = row.iter().position(|v| !v.is_finite()) {
            let what = format!("row {at} is not finite: number {place} is {}", row[place]);
            return Err(AttributionError::Invalid(what));
        }
        self.scales.push(encode(row, &mut self.coarse, &mut self.fine));
        self.clusters.push(cluster);
        if self.clusters.len() == self.rows_per_shard {
            self.flush()?;
        }
        Ok(())
    }

    /// Stores the rows that are not yet, as a shard of their own. After an error (a full disk) the rows are
    /// still held, and the shards before stand.
    pub fn flush(&mut self) -> Result<(), AttributionError> {
        if self.clusters.is_empty() {
            return Ok(());
        }
        let shard = RowShard {
            first_row: self.stored,
            clusters: ScalarBuffer::from(self.clusters.clone()),
            scales: ScalarBuffer::from(self.scales.clone()),
            coarse: ScalarBuffer::from(self.coarse.clone()),
            fine: ScalarBuffer::from(self.fine.clone()),
        };
        self.folder.put(Kind::Rows, self.shards, shard.to_bytes(&self.identity)?)?;
        self.stored = self.next_row();
        self.shards += 1;
        self.clusters.clear();
        self.scales.clear();
        self.coarse.clear();
        self.fine.clear();
        Ok(())
    }

    /// Stores what is left and the sums of `clusters` clusters, and opens the store.
    pub fn finish(mut self, clusters: usize) -> Result<ScoreStore, AttributionError> {
        self.flush()?;
        let names = self.folder.list(Kind::Rows)?;
        let (_, shards) = read_rows(&self.folder, &names, 0, Some(&self.identity))?;
        let membership = Membership::new(&shards, clusters)?;
        let of = fingerprint(&names, clusters);
        let mut kept = Vec::new();
        for (index, first) in (0..clusters).step_by(CLUSTERS_PER_SHARD).enumerate() {
            let count = CLUSTERS_PER_SHARD.min(clusters - first);
            let part = membership.sum(&shards, self.identity.dimension, first, count, &of);
            kept.push(self.folder.put(Kind::Sums, index as u32, part.to_bytes(&self.identity)?)?);
        }
        for name in self.folder.list(Kind::Sums)? {
            if !kept.contains(&name) {
                self.folder.remove(&name)?;
            }
        }
        ScoreStore::open(&self.folder, Some(&self.identity))
    }
}
