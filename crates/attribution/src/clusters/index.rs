//! The clusters of rows that come in the order of their commitment.
//!
//! A row joins the earliest cluster whose **canonical** row it resembles; else it becomes the canonical
//! row of a new one. So a later row never changes what an earlier one belongs to, and nobody can merge
//! two rows of others by a third that lies between them, as single linkage would.

use std::collections::HashMap;

use alloy_primitives::B256;

use super::{
    ClusterConfig,
    bands::Bands,
    shingles::{Text, jaccard},
    vectors::{cosine, sign_bands},
};
use crate::{error::AttributionError, splitmix::mix};

/// The most rows clustered at a time.
pub(super) const MAX_ROWS: usize = 1 << 20;
/// The most numbers of all canonical rows' vectors together (1 GiB).
const MAX_VECTOR_NUMBERS: usize = 1 << 28;
/// Up to so many clusters a vector is compared with each of them.
const SCANNED_CLUSTERS: usize = 2048;

/// Hash functions of a signature: `BANDS` bands of `BAND_ROWS`. A pair of similarity s shares a band
/// with probability 1 − (1 − s³)²⁴: 0.96 at 0.5, 0.9998 at 0.7.
pub(super) const BANDS: usize = 24;
const BAND_ROWS: usize = 3;

/// Why a row was taken for a copy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Match {
    /// The same words.
    Exact,
    /// Word runs in common; the Jaccard similarity.
    Text(f64),
    /// A vector of the same direction; the cosine.
    Vector(f64),
    /// The caller said so.
    Given,
}

/// Where a row was put.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placement {
    /// Its cluster, numbered by the order of their canonical rows.
    pub cluster: usize,
    /// What it has in common with the cluster's canonical row; `None` for that row itself.
    pub copied: Option<Match>,
}

/// Clusters so far. Only canonical rows take memory, at most 1.8 kB each plus their vector: the
/// shingles (1 kB), the signature's bands (up to 0.6 kB), the exact hash.
#[derive(Debug)]
pub struct ClusterIndex {
    config: ClusterConfig,
    rows: usize,
    clusters: usize,
    exact: HashMap<B256, u32>,
    shingles: Vec<u32>,
    shingles_end: Vec<usize>,
    text_bands: Bands,
    width: Option<usize>,
    vectors: Vec<f32>,
    vector_bands: Bands,
}

impl ClusterIndex {
    /// An index without rows.
    pub fn new(config: ClusterConfig) -> Result<Self, AttributionError> {
        let unit = |v: f64| v > 0.0 && v <= 1.0;
        if !(1..=16).contains(&config.shingle_words) || !unit(config.threshold) || !unit(config.cosine) {
            let what = "shingles take 1 to 16 words, threshold and cosine lie in (0, 1]";
            return Err(AttributionError::Invalid(what.into()));
        }
        Ok(Self {
            config,
            rows: 0,
            clusters: 0,
            exact: HashMap::new(),
            shingles: vec![],
            shingles_end: vec![],
            text_bands: Bands::new(),
            width: None,
            vectors: vec![],
            vector_bands: Bands::new(),
        })
    }

    /// Places the next row. All vectors have one width, zero for none; a row without words and one with
    /// a zero vector resemble nothing in that respect. `given` names clusters that the caller knows it
    /// to be a copy of.
    pub fn push(
        &mut self,
        text: &str,
        vector: &[f32],
        given: &[usize],
    ) -> Result<Placement, AttributionError> {
        let width = self.width.unwrap_or(vector.len());
        let invalid = |what: String| Err(AttributionError::Invalid(what));
        if self.rows >= MAX_ROWS || self.vectors.len() + width > MAX_VECTOR_NUMBERS {
            return invalid(format!("row {} exceeds what is clustered at a time", self.rows));
        }
        if vector.len() != width || !vector.iter().all(|v| v.is_finite()) {
            return invalid(format!("the vector of row {} is not {width} finite numbers", self.rows));
        }
        let text = Text::new(text, self.config.shingle_words, self.config.salt);
        let signature = signature(&text.shingles, self.config.salt);
        let signs = if vector.is_empty() { [0; BANDS] } else { sign_bands(vector, self.config.salt) };
        let found = self.find(&text, &signature, vector, &signs, given);
        self.rows += 1;
        self.width = Some(width);
        if let Some((cluster, copied)) = found {
            return Ok(Placement { cluster, copied: Some(copied) });
        }
        let cluster = self.clusters as u32;
        self.clusters += 1;
        if let Some(exact) = text.exact {
            self.exact.insert(exact, cluster);
        }
        if !text.shingles.is_empty() {
            signature.iter().for_each(|&key| self.text_bands.insert(key, cluster));
        }
        self.shingles.extend(&text.shingles);
        self.shingles_end.push(self.shingles.len());
        if !vector.is_empty() {
            signs.iter().for_each(|&key| self.vector_bands.insert(key, cluster));
            self.vectors.extend(vector);
        }
        Ok(Placement { cluster: cluster as usize, copied: None })
    }

    /// The earliest cluster that a row resembles.
    fn find(
        &self,
        text: &Text,
        signature: &[u64; BANDS],
        vector: &[f32],
        signs: &[u64; BANDS],
        given: &[usize],
    ) -> Option<(usize, Match)> {
        let mut best: Option<(usize, Match)> = None;
        let mut offer = |cluster: usize, copied: Match| {
            if best.is_none_or(|(earliest, _)| cluster < earliest) {
                best = Some((cluster, copied));
            }
        };
        given.iter().filter(|&&cluster| cluster < self.clusters).for_each(|&c| offer(c, Match::Given));
        if let Some(&cluster) = text.exact.as_ref().and_then(|exact| self.exact.get(exact)) {
            offer(cluster as usize, Match::Exact);
        }
        if !text.shingles.is_empty() {
            for cluster in candidates(&self.text_bands, signature) {
                let similarity = jaccard(&text.shingles, self.shingles_of(cluster));
                if similarity >= self.config.threshold {
                    offer(cluster, Match::Text(similarity));
                    break;
                }
            }
        }
        if !vector.is_empty() {
            let near = |cluster: usize| {
                let other = &self.vectors[cluster * vector.len()..][..vector.len()];
                let cosine = cosine(vector, other);
                (cosine >= self.config.cosine).then_some((cluster, Match::Vector(cosine)))
            };
            let found = if self.clusters <= SCANNED_CLUSTERS {
                (0..self.clusters).find_map(near)
            } else {
                candidates(&self.vector_bands, signs).into_iter().find_map(near)
            };
            if let Some((cluster, copied)) = found {
                offer(cluster, copied);
            }
        }
        best
    }

    fn shingles_of(&self, cluster: usize) -> &[u32] {
        let from = cluster.checked_sub(1).map_or(0, |before| self.shingles_end[before]);
        &self.shingles[from..self.shingles_end[cluster]]
    }

    /// How many clusters there are.
    pub const fn len(&self) -> usize {
        self.clusters
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.clusters == 0
    }

    /// Memory held, bytes, about.
    pub fn bytes(&self) -> usize {
        self.text_bands.bytes()
            + self.vector_bands.bytes()
            + self.shingles.capacity() * size_of::<u32>()
            + self.shingles_end.capacity() * size_of::<usize>()
            + self.vectors.capacity() * size_of::<f32>()
            + self.exact.capacity() * (size_of::<B256>() + size_of::<u32>() + 1)
    }
}

/// Clusters that share a band, the earliest first.
fn candidates(bands: &Bands, keys: &[u64; BANDS]) -> Vec<usize> {
    let mut found = vec![];
    keys.iter().for_each(|&key| bands.each(key, |cluster| found.push(cluster as usize)));
    found.sort_unstable();
    found.dedup();
    found
}

/// A key for each band of the MinHash signature.
fn signature(shingles: &[u32], salt: u64) -> [u64; BANDS] {
    std::array::from_fn(|band| {
        (0..BAND_ROWS).fold(mix(band as u64), |key, row| {
            let seed = mix(salt ^ mix((band * BAND_ROWS + row) as u64));
            mix(key ^ shingles.iter().map(|&s| mix(u64::from(s) ^ seed)).min().unwrap_or(u64::MAX))
        })
    })
}
