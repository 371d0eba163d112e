//! Opening a store: every shard is checked against its name, and all against each other.

use std::ops::Range;

use rayon::prelude::*;

use crate::{
    error::AttributionError,
    score_store::{
        folder::{ShardName, StoreFolder},
        identity::{Kind, StoreIdentity},
        shard::{RowShard, SumShard},
        sums::fingerprint,
    },
};

/// A store, or some of its shards, mapped into memory.
#[derive(Debug)]
pub struct ScoreStore {
    pub(crate) identity: StoreIdentity,
    pub(crate) shards: Vec<RowShard>,
    pub(crate) sums: Vec<SumShard>,
    content: String,
    bytes: u64,
}

impl ScoreStore {
    /// Opens and checks all of a store; `expected` is refused where it differs.
    pub fn open(folder: &StoreFolder, expected: Option<&StoreIdentity>) -> Result<Self, AttributionError> {
        let names = folder.list(Kind::Rows)?;
        let mut store = Self::open_named(folder, &names, 0, expected)?;
        let sums = folder.list(Kind::Sums)?;
        let read: Vec<(ShardName, u64, StoreIdentity, SumShard)> = sums
            .into_par_iter()
            .map(|name| {
                let bytes = folder.get(&name)?;
                let (identity, shard) = SumShard::read(&name, &bytes)?;
                Ok((name, bytes.len() as u64, identity, shard))
            })
            .collect::<Result<_, AttributionError>>()?;
        let clusters: usize = read.iter().map(|(_, _, _, shard)| shard.rows.len()).sum();
        let of = fingerprint(&names, clusters);
        let mut next = 0;
        for (name, bytes, identity, shard) in read {
            if let Some(difference) = identity.difference(&store.identity) {
                return Err(name.error(difference));
            }
            if shard.of != of || shard.first_cluster != next {
                return Err(
                    name.error("holds sums of other rows: the store was not finished; write it again")
                );
            }
            next += shard.rows.len() as u64;
            store.bytes += bytes;
            store.sums.push(shard);
        }
        store.content = of;
        Ok(store)
    }

    /// Opens the rows of some shards alone, for a worker. The shards must be there.
    pub fn open_shards(
        folder: &StoreFolder,
        range: Range<usize>,
        expected: Option<&StoreIdentity>,
    ) -> Result<Self, AttributionError> {
        let names = folder.list(Kind::Rows)?;
        let some = names.get(range.clone()).ok_or_else(|| {
            AttributionError::Invalid(format!("shards {range:?} of a store of {}", names.len()))
        })?;
        Self::open_named(folder, some, range.start as u32, expected)
    }

    /// How many shards of rows a folder holds.
    pub fn count_shards(folder: &StoreFolder) -> Result<usize, AttributionError> {
        Ok(folder.list(Kind::Rows)?.len())
    }

    fn open_named(
        folder: &StoreFolder,
        names: &[ShardName],
        first: u32,
        expected: Option<&StoreIdentity>,
    ) -> Result<Self, AttributionError> {
        let (bytes, shards) = read_rows(folder, names, first, expected)?;
        let Some((identity, _)) = bytes else {
            return Err(AttributionError::Store("there are no shards".into()));
        };
        let bytes = bytes.map_or(0, |(_, bytes)| bytes);
        Ok(Self { identity, shards, sums: vec![], content: String::new(), bytes })
    }

    /// What the shards say of themselves.
    pub const fn identity(&self) -> &StoreIdentity {
        &self.identity
    }

    /// Rows of the shards that are open.
    pub fn len(&self) -> usize {
        self.shards.iter().map(RowShard::len).sum()
    }

    /// Whether there are none; a store never is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Shards of rows that are open.
    pub fn shards(&self) -> usize {
        self.shards.len()
    }

    /// Clusters whose sums are there; zero before the store is finished.
    pub fn clusters(&self) -> usize {
        self.sums.iter().map(|shard| shard.rows.len()).sum()
    }

    /// Bytes of all open shards, sums included.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Names all rows and the number of clusters of a whole store; empty for some of its shards.
    pub(crate) fn content(&self) -> &str {
        &self.content
    }

    /// The numbers of all open rows as they were rounded, at most so many rows at a time.
    pub(crate) fn rows_in_parts(&self, rows: usize) -> impl Iterator<Item = Vec<f64>> + '_ {
        let dimension = self.identity.dimension;
        self.shards.iter().flat_map(move |shard| {
            let planes = shard.coarse.chunks(rows * dimension).zip(shard.fine.chunks(rows * dimension));
            shard.scales.chunks(rows).zip(planes).map(move |(scales, (coarse, fine))| {
                let rows = coarse.chunks_exact(dimension).zip(fine.chunks_exact(dimension));
                let rows = scales.iter().zip(rows);
                rows.flat_map(|(&scale, (c, f))| super::planes::decode(scale, c, f)).collect()
            })
        })
    }

    /// The numbers of a row, as they were rounded.
    pub fn row(&self, row: u64) -> Option<Vec<f64>> {
        let shard =
            self.shards.iter().find(|s| (s.first_row..s.first_row + s.len() as u64).contains(&row))?;
        let place = (row - shard.first_row) as usize;
        let numbers = place * self.identity.dimension..(place + 1) * self.identity.dimension;
        let (coarse, fine) = (&shard.coarse[numbers.clone()], &shard.fine[numbers]);
        Some(super::planes::decode(shard.scales[place], coarse, fine).collect())
    }
}

/// What the shards have in common with the bytes they take (nothing where there are none), and the shards.
type Rows = (Option<(StoreIdentity, u64)>, Vec<RowShard>);

/// Reads and checks shards of rows that follow each other from number `first` on.
pub(crate) fn read_rows(
    folder: &StoreFolder,
    names: &[ShardName],
    first: u32,
    expected: Option<&StoreIdentity>,
) -> Result<Rows, AttributionError> {
    for (index, name) in (first..).zip(names) {
        if name.index != index {
            let what = format!("shard {index} is missing before it, or there are two of this number");
            return Err(name.error(what));
        }
    }
    let read: Vec<(u64, StoreIdentity, RowShard)> = names
        .par_iter()
        .map(|name| {
            let bytes = folder.get(name)?;
            let (identity, shard) = RowShard::read(name, &bytes)?;
            Ok((bytes.len() as u64, identity, shard))
        })
        .collect::<Result<_, AttributionError>>()?;
    let mut common: Option<(StoreIdentity, u64)> = None;
    let mut shards: Vec<RowShard> = Vec::with_capacity(read.len());
    for (name, (bytes, identity, shard)) in names.iter().zip(read) {
        let wanted = common.as_ref().map(|(identity, _)| identity).or(expected);
        if let Some(difference) = wanted.and_then(|wanted| identity.difference(wanted)) {
            return Err(name.error(difference));
        }
        let before = match shards.last() {
            Some(last) => last.first_row + last.len() as u64,
            None if first == 0 => 0,
            None => shard.first_row,
        };
        if shard.first_row != before {
            return Err(name.error(format!("begins with row {}, not {before}", shard.first_row)));
        }
        common = Some((identity, common.map_or(0, |(_, sum)| sum) + bytes));
        shards.push(shard);
    }
    Ok((common, shards))
}
