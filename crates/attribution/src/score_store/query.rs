//! Queries: a score a cluster from its sum, and the best rows by a scan.

use std::{cmp::Ordering, collections::BinaryHeap};

use rayon::prelude::*;

use crate::{
    error::AttributionError,
    score_store::{planes::Query, reader::ScoreStore, shard::RowShard},
};

/// The most rows that a query names.
const MAX_TOP_ROWS: usize = 100_000;
/// Clusters that a task multiplies at a time.
const CLUSTERS_PER_TASK: usize = 256;

/// A row and its score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RowScore {
    /// The row's number.
    pub row: u64,
    /// Its cluster.
    pub cluster: u32,
    /// The product of the stored row with the query.
    pub score: f64,
}

impl RowScore {
    /// Best first: by score, then by the row's number.
    fn order(&self, other: &Self) -> Ordering {
        other.score.total_cmp(&self.score).then(self.row.cmp(&other.row))
    }
}

impl ScoreStore {
    /// The sum of every cluster's row scores, from the clusters' sums: exact, whatever the number of rows. A
    /// cluster without rows scores zero.
    pub fn cluster_scores(&self, query: &[f32]) -> Result<Vec<f64>, AttributionError> {
        let query = self.query(query)?;
        let mut scores = vec![0.0; self.clusters()];
        let mut rest = scores.as_mut_slice();
        let mut tasks = Vec::new();
        for shard in &self.sums {
            let (own, others) = rest.split_at_mut(shard.rows.len());
            rest = others;
            let sums = shard.sums.chunks(CLUSTERS_PER_TASK * query.len());
            tasks.extend(own.chunks_mut(CLUSTERS_PER_TASK).zip(sums));
        }
        tasks.into_par_iter().for_each(|(scores, sums)| {
            for (score, sum) in scores.iter_mut().zip(sums.chunks_exact(query.len())) {
                *score = query.product_with(sum);
            }
        });
        Ok(scores)
    }

    /// The rows that score best, best first: exactly those that a full multiplication would name.
    pub fn top_rows(&self, query: &[f32], count: usize) -> Result<Vec<RowScore>, AttributionError> {
        if count > MAX_TOP_ROWS {
            return Err(AttributionError::Invalid(format!("{count} rows, at most {MAX_TOP_ROWS}")));
        }
        let query = self.query(query)?;
        let best = self
            .shards
            .par_iter()
            .fold(Best::default, |best, shard| best.scan(shard, &query, count))
            .map(|best| best.0.into_iter().map(|w| w.0).collect::<Vec<RowScore>>())
            .collect::<Vec<_>>();
        Ok(merge_top_rows(best.into_iter().flatten(), count))
    }

    fn query(&self, query: &[f32]) -> Result<Query, AttributionError> {
        let dimension = self.identity.dimension;
        if query.len() != dimension {
            let what = format!("a query of {} numbers, the store's rows have {dimension}", query.len());
            return Err(AttributionError::Invalid(what));
        }
        if !query.iter().all(|v| v.is_finite()) {
            return Err(AttributionError::Invalid("the query is not finite".into()));
        }
        Ok(Query::new(query))
    }
}

/// The best rows of several parts of a store, best first; the parts' order does not matter.
pub fn merge_top_rows(rows: impl IntoIterator<Item = RowScore>, count: usize) -> Vec<RowScore> {
    let mut rows: Vec<RowScore> = rows.into_iter().collect();
    rows.sort_by(RowScore::order);
    rows.truncate(count);
    rows
}

/// A row in a heap whose top is the worst.
#[derive(Debug, PartialEq)]
struct Worst(RowScore);

impl Eq for Worst {}

impl Ord for Worst {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.order(&other.0)
    }
}

impl PartialOrd for Worst {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The best rows seen so far.
#[derive(Debug, Default)]
struct Best(BinaryHeap<Worst>);

impl Best {
    fn scan(mut self, shard: &RowShard, query: &Query, count: usize) -> Self {
        if count == 0 {
            return self;
        }
        let n = query.len();
        let rows = shard.coarse.chunks_exact(n).zip(shard.scales.iter());
        for (place, (coarse, &scale)) in rows.enumerate() {
            let full = self.0.len() == count;
            let least =
                if full { self.0.peek().map_or(f64::NEG_INFINITY, |w| w.0.score) } else { f64::NEG_INFINITY };
            // A row equal to the worst may still have a lower number than it.
            if full && query.upper_bound(scale, coarse) < least {
                continue;
            }
            let score = query.product(scale, coarse, &shard.fine[place * n..(place + 1) * n]);
            let row = RowScore { row: shard.first_row + place as u64, cluster: shard.clusters[place], score };
            self.0.push(Worst(row));
            if self.0.len() > count {
                self.0.pop();
            }
        }
        self
    }
}
