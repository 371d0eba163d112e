//! Near-duplicate rows as clusters, each named by its earliest row.
//!
//! Only that canonical row is trained on and scored, so copying a row, in any number, by anyone,
//! changes neither the model nor what the cluster earns. Copies are found by exact hash, by MinHash of
//! word runs, and by the cosine of vectors (embeddings or gradients), see [`ClusterIndex`].

mod bands;
mod index;
mod shingles;
mod vectors;

use crate::error::AttributionError;
use index::MAX_ROWS;
pub use index::{ClusterIndex, Match, Placement};

/// How near-duplicates are found; part of the method that a receipt names.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClusterConfig {
    /// Words a shingle.
    pub shingle_words: usize,
    /// Rows whose shingle sets have at least this Jaccard similarity are near-duplicates.
    pub threshold: f64,
    /// Rows whose vectors have at least this cosine are near-duplicates.
    pub cosine: f64,
    /// Seeds the hashes. Where it is drawn after the rows are committed (a later block's hash, say),
    /// nobody can shape a copy that the hashes miss.
    pub salt: u64,
}

impl Default for ClusterConfig {
    fn default() -> Self {
        Self { shingle_words: 3, threshold: 0.5, cosine: 0.95, salt: 0 }
    }
}

/// A row to cluster.
#[derive(Debug, Clone, Copy)]
pub struct ClusterRow<'a> {
    /// Its text.
    pub text: &'a str,
    /// When it was committed, earlier first: block, then index in the block.
    pub priority: (u64, u64),
}

/// Which rows are near-duplicates of which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clusters {
    cluster_of: Vec<usize>,
    canonical: Vec<usize>,
}

impl Clusters {
    /// Finds the clusters. `also` names further pairs of near-duplicate rows, such as those with
    /// parallel gradients.
    pub fn find(
        rows: &[ClusterRow<'_>],
        config: ClusterConfig,
        also: &[(usize, usize)],
    ) -> Result<Self, AttributionError> {
        Self::find_with_vectors(rows, &[], config, also)
    }

    /// The same, where each row has a vector too: `vectors` is row-major, of any one width.
    pub fn find_with_vectors(
        rows: &[ClusterRow<'_>],
        vectors: &[f32],
        config: ClusterConfig,
        also: &[(usize, usize)],
    ) -> Result<Self, AttributionError> {
        let invalid = |what: String| Err(AttributionError::Invalid(what));
        let mut index = ClusterIndex::new(config)?;
        if rows.len() > MAX_ROWS {
            return invalid(format!("{} rows exceed {MAX_ROWS}", rows.len()));
        }
        if let Some(pair) = also.iter().find(|(a, b)| *a.max(b) >= rows.len()) {
            return invalid(format!("pair {pair:?} names no row"));
        }
        if !vectors.len().is_multiple_of(rows.len().max(1)) || (rows.is_empty() && !vectors.is_empty()) {
            return invalid(format!("{} numbers for the vectors of {} rows", vectors.len(), rows.len()));
        }
        let width = vectors.len() / rows.len().max(1);
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_unstable_by_key(|&i| (rows[i].priority, i));
        let mut partners: Vec<(usize, usize)> = also.iter().flat_map(|&(a, b)| [(a, b), (b, a)]).collect();
        partners.sort_unstable();

        let mut cluster_of = vec![usize::MAX; rows.len()];
        let mut leaders = Vec::new();
        for row in order {
            let from = partners.partition_point(|pair| pair.0 < row);
            let of_row = partners[from..].iter().take_while(|pair| pair.0 == row);
            let given: Vec<usize> = of_row
                .map(|&(_, partner)| (partner, cluster_of[partner]))
                .filter(|&(partner, cluster)| leaders.get(cluster) == Some(&partner))
                .map(|(_, cluster)| cluster)
                .collect();
            let placed = index.push(rows[row].text, &vectors[row * width..][..width], &given)?;
            cluster_of[row] = placed.cluster;
            if placed.copied.is_none() {
                leaders.push(row);
            }
        }
        Ok(Self::numbered_by_row(cluster_of, leaders))
    }

    /// Renumbers clusters by the index of their canonical rows.
    fn numbered_by_row(mut cluster_of: Vec<usize>, leaders: Vec<usize>) -> Self {
        let mut by_row: Vec<usize> = (0..leaders.len()).collect();
        by_row.sort_unstable_by_key(|&cluster| leaders[cluster]);
        let mut number = vec![0; leaders.len()];
        for (new, &old) in by_row.iter().enumerate() {
            number[old] = new;
        }
        cluster_of.iter_mut().for_each(|cluster| *cluster = number[*cluster]);
        let canonical = by_row.iter().map(|&old| leaders[old]).collect();
        Self { cluster_of, canonical }
    }

    /// How many clusters there are.
    pub fn len(&self) -> usize {
        self.canonical.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.canonical.is_empty()
    }

    /// The canonical row of each cluster, ascending: the rows to train on and score.
    pub fn canonical(&self) -> &[usize] {
        &self.canonical
    }

    /// The cluster of each row.
    pub fn cluster_of(&self) -> &[usize] {
        &self.cluster_of
    }

    /// The rows of a cluster, ascending.
    pub fn members(&self, cluster: usize) -> impl Iterator<Item = usize> + '_ {
        self.cluster_of.iter().enumerate().filter(move |(_, c)| **c == cluster).map(|(row, _)| row)
    }
}

#[cfg(test)]
mod tests;
