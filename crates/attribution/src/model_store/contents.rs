//! Which rows a store is of, and which of them are in it.

use std::{fmt, path::Path};

use alloy_primitives::{B256, Keccak256};
use openledger_model::Sequence;
use openledger_tensor_file::{Numbers, TensorFile};

use super::StoreOf;
use crate::{
    clusters::{ClusterConfig, ClusterRow, Clusters},
    draw::Draw,
    error::AttributionError,
};

/// The file's name in a store's folder.
pub(super) const FILE: &str = "contents.safetensors";
const FORMAT: &str = "openledger-store-contents-v1";
/// Eight bytes a row of as many as are clustered, and the fields.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// Texts and how the model reads them.
#[derive(Clone, Copy)]
pub struct ModelRows<'a> {
    /// The rows, in the order of their commitment; a row's number is its place here.
    pub texts: &'a [&'a str],
    /// A text as the model is trained on it; nothing where the model cannot take it.
    pub sequence: &'a dyn Fn(&str) -> Result<Option<Sequence>, AttributionError>,
}

impl ModelRows<'_> {
    /// Names the texts: keccak256 over their number, and the length and bytes of each.
    pub fn hash(&self) -> B256 {
        let mut hasher = Keccak256::new();
        hasher.update("openledger-rows-v1");
        hasher.update((self.texts.len() as u64).to_be_bytes());
        for text in self.texts {
            hasher.update((text.len() as u64).to_be_bytes());
            hasher.update(text);
        }
        hasher.finalize()
    }

    /// The sequence of a row that was found to fit before.
    pub fn sequence_of(&self, row: usize) -> Result<Sequence, AttributionError> {
        let found = self.texts.get(row).map(|text| (self.sequence)(text)).transpose()?.flatten();
        found.ok_or_else(|| AttributionError::Invalid(format!("the model no longer takes row {row}")))
    }
}

impl fmt::Debug for ModelRows<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModelRows").field("texts", &self.texts.len()).finish_non_exhaustive()
    }
}

/// What a store is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    of: StoreOf,
    /// How many stored rows the projection is fitted on.
    fitted_rows: usize,
    /// The projection's hash, once it is fitted.
    projection: Option<B256>,
    /// The cluster of each row.
    cluster_of: Vec<u32>,
    clusters: usize,
    /// The rows that are stored, ascending.
    stored: Vec<u32>,
}

impl Contents {
    /// Clusters the rows and leaves out copies and what the model cannot take.
    pub(super) fn choose(
        of: StoreOf,
        rows: &ModelRows<'_>,
        fitted_rows: usize,
    ) -> Result<Self, AttributionError> {
        let listed: Vec<ClusterRow<'_>> =
            (0..).zip(rows.texts).map(|(at, &text)| ClusterRow { text, priority: (at, 0) }).collect();
        let found = Clusters::find(&listed, ClusterConfig::default(), &[])?;
        let mut stored = Vec::new();
        for &row in found.canonical() {
            if (rows.sequence)(rows.texts[row])?.is_some() {
                stored.push(row as u32);
            }
        }
        if stored.is_empty() {
            let what = format!("of {} rows the model can take none: too long or empty", rows.texts.len());
            return Err(AttributionError::Invalid(what));
        }
        Ok(Self {
            of,
            fitted_rows: fitted_rows.min(stored.len()),
            projection: None,
            cluster_of: found.cluster_of().iter().map(|&cluster| cluster as u32).collect(),
            clusters: found.len(),
            stored,
        })
    }

    /// Rows that were given.
    pub fn rows(&self) -> usize {
        self.cluster_of.len()
    }

    /// Clusters of all rows, those without a stored row included.
    pub const fn clusters(&self) -> usize {
        self.clusters
    }

    /// The rows that are stored, ascending: the store's row `i` is the row `stored()[i]`.
    pub fn stored(&self) -> &[u32] {
        &self.stored
    }

    /// Rows that are near-duplicates of an earlier one.
    pub fn copies(&self) -> usize {
        self.rows() - self.clusters
    }

    /// Clusters left out because the model cannot take their canonical row.
    pub fn misfits(&self) -> usize {
        self.clusters - self.stored.len()
    }

    /// The cluster of a row.
    pub fn cluster_of(&self, row: usize) -> Option<usize> {
        self.cluster_of.get(row).map(|&cluster| cluster as usize)
    }

    /// How many rows each cluster has.
    pub(super) fn sizes(&self) -> Vec<usize> {
        let mut sizes = vec![0; self.clusters];
        self.cluster_of.iter().for_each(|&cluster| sizes[cluster as usize] += 1);
        sizes
    }

    /// The stored row of a cluster. Clusters are numbered in the order of their canonical rows.
    pub(super) fn stored_of(&self, cluster: usize) -> Option<usize> {
        let of = |row: &u32| self.cluster_of[*row as usize] as usize;
        self.stored.binary_search_by_key(&cluster, of).ok().map(|place| self.stored[place] as usize)
    }

    /// How many stored rows the projection is fitted on.
    pub const fn fitted_rows(&self) -> usize {
        self.fitted_rows
    }

    /// The places among stored rows that the projection is fitted on, ascending: one drawn from each of as many stretches of
    /// equal length, so that neither the first rows nor any rhythm of theirs is preferred.
    pub(super) fn fitted(&self) -> Vec<usize> {
        let (n, count) = (self.stored.len(), self.fitted_rows);
        let mut draw = Draw::new(0);
        let stretch = |i: usize| (i * n / count, (i + 1) * n / count);
        (0..count).map(stretch).map(|(from, to)| from + draw.below(to - from)).collect()
    }

    pub(super) const fn projection(&self) -> Option<B256> {
        self.projection
    }

    pub(super) const fn set_projection(&mut self, hash: B256) {
        self.projection = Some(hash);
    }

    /// Names what gradients of fitted rows are of.
    pub(super) fn fitting_hash(&self) -> B256 {
        let mut hasher = Keccak256::new();
        let StoreOf { base, adapter, rows } = self.of;
        [base, adapter, rows].iter().for_each(|hash| hasher.update(hash));
        hasher.update((self.fitted_rows as u64).to_be_bytes());
        hasher.finalize()
    }

    /// Refuses a store of something else.
    pub(super) fn check(&self, folder: &Path, wanted: &StoreOf) -> Result<(), AttributionError> {
        let parts = [
            ("another base model", self.of.base, wanted.base),
            ("another adapter", self.of.adapter, wanted.adapter),
            ("other rows", self.of.rows, wanted.rows),
        ];
        match parts.iter().find(|(_, found, wanted)| found != wanted) {
            Some((what, found, wanted)) => Err(AttributionError::StoreFile {
                path: folder.join(FILE),
                what: format!("the store is of {what}: {found}, expected {wanted}; name another folder"),
            }),
            None => Ok(()),
        }
    }

    pub(super) fn save(&self, folder: &Path) -> Result<(), AttributionError> {
        let tensors = [
            ("cluster_of", vec![self.cluster_of.len()], Numbers::U32(&self.cluster_of)),
            ("stored", vec![self.stored.len()], Numbers::U32(&self.stored)),
        ];
        let fields = [
            ("base", self.of.base.to_string()),
            ("adapter", self.of.adapter.to_string()),
            ("rows", self.of.rows.to_string()),
            ("projection", self.projection.unwrap_or_default().to_string()),
            ("fitted_rows", self.fitted_rows.to_string()),
            ("row_count", self.cluster_of.len().to_string()),
            ("stored_count", self.stored.len().to_string()),
            ("clusters", self.clusters.to_string()),
            ("hash", self.hash().to_string()),
        ];
        Ok(TensorFile::write(&folder.join(FILE), FORMAT, &tensors, fields)?)
    }

    /// Nothing where a folder has none.
    pub(super) fn load(folder: &Path) -> Result<Option<Self>, AttributionError> {
        let path = folder.join(FILE);
        if !path.exists() {
            return Ok(None);
        }
        let file = TensorFile::open(&path, FORMAT, MAX_FILE_BYTES)?;
        let of = StoreOf {
            base: file.parsed("base")?,
            adapter: file.parsed("adapter")?,
            rows: file.parsed("rows")?,
        };
        let projection: B256 = file.parsed("projection")?;
        let contents = Self {
            of,
            fitted_rows: file.parsed("fitted_rows")?,
            projection: Some(projection).filter(|hash| !hash.is_zero()),
            cluster_of: file.u32s("cluster_of", &[file.parsed("row_count")?])?,
            clusters: file.parsed("clusters")?,
            stored: file.u32s("stored", &[file.parsed("stored_count")?])?,
        };
        if contents.hash() != file.parsed::<B256>("hash")? {
            return Err(file.error("does not match its own hash: damaged; fill another folder").into());
        }
        // What wrote a hash may still have been another program.
        let rows = contents.cluster_of.len();
        let in_order = contents.stored.windows(2).all(|pair| pair[0] < pair[1])
            && contents.stored.last().is_some_and(|&last| (last as usize) < rows);
        let numbered = contents.cluster_of.iter().all(|&cluster| (cluster as usize) < contents.clusters);
        let bounded = (contents.stored.len()..=rows).contains(&contents.clusters)
            && (1..=contents.stored.len()).contains(&contents.fitted_rows);
        if !(in_order && numbered && bounded) {
            return Err(file.error("its rows and clusters do not fit together; fill another folder").into());
        }
        Ok(Some(contents))
    }

    fn hash(&self) -> B256 {
        let mut hasher = Keccak256::new();
        hasher.update(FORMAT);
        let StoreOf { base, adapter, rows } = self.of;
        for hash in [base, adapter, rows, self.projection.unwrap_or_default()] {
            hasher.update(hash);
        }
        for size in [self.fitted_rows, self.clusters, self.cluster_of.len(), self.stored.len()] {
            hasher.update((size as u64).to_be_bytes());
        }
        hasher.update(Numbers::U32(&self.cluster_of).le_bytes());
        hasher.update(Numbers::U32(&self.stored).le_bytes());
        hasher.finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(texts: &[&str], fitted_rows: usize) -> Result<Contents, AttributionError> {
        let sequence = |text: &str| match text.len() {
            0 => Ok(None),
            length if length > 100 => Ok(None),
            _ => Ok(Some(Sequence::new(vec![1, 2, 3], 1)?)),
        };
        let rows = ModelRows { texts, sequence: &sequence };
        let of = StoreOf { base: B256::ZERO, adapter: B256::ZERO, rows: rows.hash() };
        Contents::choose(of, &rows, fitted_rows)
    }

    #[test]
    fn copies_belong_to_their_cluster_and_misfits_are_counted() {
        let long = "a row that is far too long for the context of the model ".repeat(3);
        let first = "the heart pumps blood through the arteries of the body";
        let texts = ["", first, &long, "courts decide what the law means for people", first, ""];
        let contents = contents(&texts, 10).unwrap();
        assert_eq!((contents.rows(), contents.stored(), contents.fitted_rows()), (6, &[1, 3][..], 2));
        assert_eq!((contents.copies(), contents.misfits(), contents.clusters()), (1, 3, 5));
        assert_eq!(contents.cluster_of(4), contents.cluster_of(1));
        let sizes = contents.sizes();
        for (row, copies) in [(1, 2), (3, 1)] {
            let cluster = contents.cluster_of(row).unwrap();
            assert_eq!((contents.stored_of(cluster), sizes[cluster]), (Some(row), copies));
        }
        assert_eq!(contents.stored_of(contents.cluster_of(2).unwrap()), None);
        assert!(self::contents(&["", &long], 3).unwrap_err().to_string().contains("can take none"));
    }

    #[test]
    fn fitted_rows_are_spread_over_all_and_follow_no_rhythm() {
        let texts: Vec<String> = (0..400u32).map(|i| format!("{} {} {}", i * 7, i * i, i + 900)).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let fitted = contents(&texts, 50).unwrap().fitted();
        assert!(
            fitted.iter().enumerate().all(|(i, place)| (i * 8..(i + 1) * 8).contains(place)),
            "{fitted:?}"
        );
        let even = fitted.iter().filter(|place| place.is_multiple_of(2)).count();
        assert!((15..=35).contains(&even), "{even} of 50 are even");
        assert_eq!(contents(&texts, 4000).unwrap().fitted(), (0..400).collect::<Vec<_>>());
    }

    #[test]
    fn contents_come_back_and_damage_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Contents::load(folder.path()).unwrap(), None);
        let mut contents = contents(&["one text", "another text", "a third one"], 2).unwrap();
        for projection in [None, Some(B256::repeat_byte(7))] {
            contents.projection = projection;
            contents.save(folder.path()).unwrap();
            assert_eq!(Contents::load(folder.path()).unwrap().as_ref(), Some(&contents));
        }
        let path = folder.path().join(FILE);
        let whole = std::fs::read(&path).unwrap();
        let header = 8 + u64::from_le_bytes(*whole.first_chunk().unwrap()) as usize;
        for at in header..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            std::fs::write(&path, damaged).unwrap();
            assert!(Contents::load(folder.path()).unwrap_err().to_string().contains("its own hash"));
        }
        let change: [fn(&mut Contents); 4] =
            [|c| c.stored[2] = 9, |c| c.stored.swap(0, 1), |c| c.cluster_of[1] = 9, |c| c.fitted_rows = 0];
        for change in change {
            let mut wrong = contents.clone();
            change(&mut wrong);
            wrong.save(folder.path()).unwrap();
            assert!(Contents::load(folder.path()).unwrap_err().to_string().contains("fit together"));
        }
    }
}
