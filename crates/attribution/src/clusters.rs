//! Near-duplicate rows as clusters, each named by its earliest row.
//!
//! Only that canonical row is trained on and scored, so copying a row, in any number, by anyone,
//! changes neither the model nor what the cluster earns.

use std::collections::{BTreeMap, HashMap};

use alloy_primitives::{B256, keccak256};

use crate::error::AttributionError;

/// The most rows clustered at a time.
const MAX_ROWS: usize = 1 << 20;

/// Hash functions of a signature: `BANDS` bands of `BAND_ROWS`. A pair of similarity s shares a band
/// with probability 1 − (1 − s³)²⁴: 0.96 at 0.5, 0.9998 at 0.7.
const BANDS: usize = 24;
const BAND_ROWS: usize = 3;
/// Rows of a band's bucket that a new row is compared with: bounds the work that rows made to
/// collide can cause.
const MAX_COMPARISONS: usize = 64;

/// How near-duplicates are found; part of the method that a receipt names.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClusterConfig {
    /// Words a shingle.
    pub shingle_words: usize,
    /// Rows whose shingle sets have at least this Jaccard similarity are near-duplicates.
    pub threshold: f64,
}

impl Default for ClusterConfig {
    fn default() -> Self {
        Self { shingle_words: 3, threshold: 0.5 }
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
    /// Finds the clusters. `also` joins further pairs of rows, such as those with parallel gradients.
    pub fn find(
        rows: &[ClusterRow<'_>],
        config: ClusterConfig,
        also: &[(usize, usize)],
    ) -> Result<Self, AttributionError> {
        let invalid = |what: String| Err(AttributionError::Invalid(what));
        if rows.len() > MAX_ROWS {
            return invalid(format!("{} rows exceed {MAX_ROWS}", rows.len()));
        }
        if !(1..=16).contains(&config.shingle_words)
            || config.threshold.is_nan()
            || config.threshold <= 0.0
            || config.threshold > 1.0
        {
            return invalid("shingles take 1 to 16 words, the threshold lies in (0, 1]".into());
        }
        if let Some(pair) = also.iter().find(|(a, b)| *a.max(b) >= rows.len()) {
            return invalid(format!("pair {pair:?} names no row"));
        }
        let mut union = UnionFind::new(rows.len());
        let mut distinct: BTreeMap<B256, usize> = BTreeMap::new();
        let mut representatives = Vec::new();
        for (i, row) in rows.iter().enumerate() {
            let words = normalise(row.text);
            let first = *distinct.entry(keccak256(words.join(" "))).or_insert(i);
            if first == i {
                representatives.push((i, shingles(&words, config.shingle_words)));
            } else {
                union.join(first, i);
            }
        }
        join_similar(&representatives, config.threshold, &mut union);
        for &(a, b) in also {
            union.join(a, b);
        }
        Ok(Self::from_union(rows, &mut union))
    }

    fn from_union(rows: &[ClusterRow<'_>], union: &mut UnionFind) -> Self {
        let mut earliest: BTreeMap<usize, usize> = BTreeMap::new();
        for i in 0..rows.len() {
            let best = earliest.entry(union.root(i)).or_insert(i);
            if (rows[i].priority, i) < (rows[*best].priority, *best) {
                *best = i;
            }
        }
        let mut canonical: Vec<usize> = earliest.values().copied().collect();
        canonical.sort_unstable();
        let number: HashMap<usize, usize> = canonical.iter().enumerate().map(|(c, &row)| (row, c)).collect();
        let cluster_of = (0..rows.len()).map(|i| number[&earliest[&union.root(i)]]).collect();
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

/// Lower-case words of letters and digits: case, punctuation and spacing do not make a row new.
fn normalise(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// Sorted, distinct hashes of runs of words; a shorter text is one run.
fn shingles(words: &[String], size: usize) -> Vec<u64> {
    let mut hashes: Vec<u64> = words
        .windows(size.min(words.len()).max(1))
        .map(|run| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&keccak256(run.join(" "))[..8]);
            u64::from_be_bytes(bytes)
        })
        .collect();
    hashes.sort_unstable();
    hashes.dedup();
    hashes
}

/// Proposes pairs by MinHash and joins those whose exact similarity reaches the threshold.
fn join_similar(rows: &[(usize, Vec<u64>)], threshold: f64, union: &mut UnionFind) {
    let signatures: Vec<Vec<u64>> = rows.iter().map(|(_, shingles)| signature(shingles)).collect();
    for band in 0..BANDS {
        let mut buckets: HashMap<&[u64], Vec<usize>> = HashMap::new();
        for (i, signature) in signatures.iter().enumerate() {
            let key = &signature[band * BAND_ROWS..(band + 1) * BAND_ROWS];
            let bucket = buckets.entry(key).or_default();
            for &j in bucket.iter() {
                let joined = union.root(rows[i].0) == union.root(rows[j].0);
                if !joined && jaccard(&rows[i].1, &rows[j].1) >= threshold {
                    union.join(rows[i].0, rows[j].0);
                }
            }
            if bucket.len() < MAX_COMPARISONS {
                bucket.push(i);
            }
        }
    }
}

fn signature(shingles: &[u64]) -> Vec<u64> {
    (0..(BANDS * BAND_ROWS) as u64)
        .map(|k| shingles.iter().map(|&s| mix(s ^ mix(k))).min().unwrap_or(u64::MAX))
        .collect()
}

const fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Common over all, of two sorted sets.
fn jaccard(a: &[u64], b: &[u64]) -> f64 {
    let (mut i, mut j, mut common) = (0, 0, 0usize);
    while i < a.len() && j < b.len() {
        match a[i].cmp(&b[j]) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => (i, j, common) = (i + 1, j + 1, common + 1),
        }
    }
    let all = a.len() + b.len() - common;
    if all == 0 { 0.0 } else { common as f64 / all as f64 }
}

#[derive(Debug)]
struct UnionFind {
    parent: Vec<usize>,
}

impl UnionFind {
    fn new(n: usize) -> Self {
        Self { parent: (0..n).collect() }
    }

    fn root(&mut self, mut i: usize) -> usize {
        while self.parent[i] != i {
            self.parent[i] = self.parent[self.parent[i]];
            i = self.parent[i];
        }
        i
    }

    /// The smaller root stays, so that the outcome does not depend on the order of joins.
    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.parent[a.max(b)] = a.min(b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(texts: &[(&str, u64)]) -> Clusters {
        let rows: Vec<ClusterRow<'_>> =
            texts.iter().map(|&(text, block)| ClusterRow { text, priority: (block, 0) }).collect();
        Clusters::find(&rows, ClusterConfig::default(), &[]).unwrap()
    }

    const FEVER: &str = "Typhoid fever with involvement of the heart, the lungs and the joints (A01.0)";

    #[test]
    fn edited_copy_joins_the_earliest_commitment_wherever_it_stands() {
        let copy =
            "Note: typhoid fever with involvement of the heart - the lungs and the joints (a01.0) etc.";
        let other = "The Congress shall have power to lay and collect taxes, duties and imposts";
        let clusters = find(&[(copy, 9), (other, 1), (FEVER, 3)]);
        assert_eq!(clusters.canonical(), [1, 2]);
        assert_eq!(clusters.cluster_of(), [1, 0, 1]);
        assert_eq!(clusters.members(1).collect::<Vec<_>>(), [0, 2]);
    }

    #[test]
    fn case_punctuation_and_spacing_make_no_new_row() {
        let clusters = find(&[("Acute hepatitis A", 1), ("  ACUTE hepatitis, a! ", 1)]);
        assert_eq!(clusters.canonical(), [0]);
    }

    #[test]
    fn copies_in_any_number_leave_the_canonical_rows_as_they_were() {
        let before = find(&[(FEVER, 1), ("A republic, if you can keep it, needs a free press", 1)]);
        let mut texts = vec![(FEVER, 1), ("A republic, if you can keep it, needs a free press", 1)];
        let copies: Vec<String> = (0..200).map(|i| format!("{FEVER} {i}")).collect();
        texts.extend(copies.iter().map(|text| (text.as_str(), 2)));
        assert_eq!(find(&texts).canonical(), before.canonical());
    }

    #[test]
    fn rows_of_one_subject_with_other_words_stay_apart() {
        let clusters = find(&[
            ("Type 1 diabetes mellitus with ketoacidosis without coma and with hyperglycemia", 1),
            ("Type 2 diabetes mellitus with diabetic polyneuropathy and foot ulcer of the left heel", 1),
        ]);
        assert_eq!(clusters.len(), 2);
    }

    #[test]
    fn given_pairs_are_joined_and_bad_ones_refused() {
        let rows = [("one two three four", 1), ("five six seven eight", 2), ("", 3)];
        let rows = rows.map(|(text, block)| ClusterRow { text, priority: (block, 0) });
        let config = ClusterConfig::default();
        assert_eq!(Clusters::find(&rows, config, &[(1, 0)]).unwrap().canonical(), [0, 2]);
        assert!(Clusters::find(&rows, config, &[(0, 3)]).is_err());
        let wrong = ClusterConfig { threshold: 0.0, ..config };
        assert!(Clusters::find(&rows, wrong, &[]).is_err());
        assert!(Clusters::find(&[], config, &[]).unwrap().is_empty());
    }
}
