//! The curvature of a store's own rows, which a query is damped with: summed once, and kept beside the shards.

use std::path::Path;

use alloy_primitives::{B256, Keccak256};
use openledger_tensor_file::{Numbers, TensorFile};
use tch::{Device, Kind, Tensor};

use crate::{
    error::AttributionError,
    score_store::{MAX_DIMENSION, ScoreStore},
};

const FORMAT: &str = "openledger-curvature-v1";
/// Rows of a store that are summed at a time.
const ROWS_AT_A_TIME: usize = 1024;

/// The mean square of a store's projected rows in all directions.
#[derive(Debug)]
pub struct StoredCurvature {
    rows: u64,
    /// `[rank, rank]` in f64.
    sum: Tensor,
}

impl StoredCurvature {
    /// Of no rows yet, of so many numbers each.
    pub fn new(rank: usize) -> Result<Self, AttributionError> {
        let rank = rank as i64;
        Ok(Self { rows: 0, sum: Tensor::f_zeros([rank, rank], (Kind::Double, Device::Cpu))? })
    }

    /// Of all rows of a store, as they were rounded.
    pub fn of_store(store: &ScoreStore) -> Result<Self, AttributionError> {
        let mut curvature = Self::new(store.identity().dimension)?;
        for part in store.rows_in_parts(ROWS_AT_A_TIME) {
            curvature.add_tensor(&Tensor::f_from_slice(&part)?)?;
        }
        Ok(curvature)
    }

    /// Adds projected rows, one after the other.
    pub fn add(&mut self, rows: &[f32]) -> Result<(), AttributionError> {
        let rank = self.rank();
        if rank == 0 || !rows.len().is_multiple_of(rank) || !rows.iter().all(|v| v.is_finite()) {
            return Err(AttributionError::Invalid(format!("{} numbers are no rows of {rank}", rows.len())));
        }
        self.add_tensor(&Tensor::f_from_slice(rows)?.f_to_kind(Kind::Double)?)
    }

    fn add_tensor(&mut self, rows: &Tensor) -> Result<(), AttributionError> {
        let rows = rows.f_reshape([-1, self.rank() as i64])?;
        self.sum = self.sum.f_addmm(&rows.f_transpose(0, 1)?, &rows)?;
        self.rows += rows.size()[0].unsigned_abs();
        Ok(())
    }

    /// Numbers a row.
    pub fn rank(&self) -> usize {
        self.sum.size()[0].unsigned_abs() as usize
    }

    /// Rows that were added.
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// `[rank, rank]`, over all rows.
    pub(super) fn mean(&self) -> Result<Tensor, AttributionError> {
        Ok(self.sum.f_div_scalar(self.rows as f64)?)
    }

    /// Writes the curvature of a store that is named by its content.
    pub(crate) fn save(&self, path: &Path, content: &str) -> Result<(), AttributionError> {
        let (rank, sum) = (self.rank(), self.values()?);
        let fields = [
            ("content", content.to_owned()),
            ("rows", self.rows.to_string()),
            ("rank", rank.to_string()),
            ("hash", self.hash(content, &sum).to_string()),
        ];
        let tensors = [("sum", vec![rank, rank], Numbers::F64(&sum))];
        Ok(TensorFile::write(path, FORMAT, &tensors, fields)?)
    }

    /// Reads the curvature of a store of this content.
    pub(crate) fn load(path: &Path, content: &str) -> Result<Self, AttributionError> {
        let max_bytes = 8 * (MAX_DIMENSION * MAX_DIMENSION) as u64 + (1 << 20);
        let file = TensorFile::open(path, FORMAT, max_bytes)?;
        if file.field("content")? != content {
            return Err(file.error("is of other rows than the shards: fill the store again").into());
        }
        let rank: usize = file.parsed("rank")?;
        if !(1..=MAX_DIMENSION).contains(&rank) {
            return Err(file.error(format!("{rank} numbers a row, must be 1 to {MAX_DIMENSION}")).into());
        }
        let sum = file.f64s("sum", &[rank, rank])?;
        let size = rank as i64;
        let curvature =
            Self { rows: file.parsed("rows")?, sum: Tensor::f_from_slice(&sum)?.f_reshape([size, size])? };
        if curvature.hash(content, &sum) != file.parsed::<B256>("hash")? {
            return Err(file.error("does not match its own hash: damaged; fill the store again").into());
        }
        Ok(curvature)
    }

    fn values(&self) -> Result<Vec<f64>, AttributionError> {
        Ok(Vec::<f64>::try_from(&self.sum.f_reshape([-1])?)?)
    }

    fn hash(&self, content: &str, sum: &[f64]) -> B256 {
        let mut hasher = Keccak256::new();
        for part in [FORMAT, content] {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        hasher.update(self.rows.to_be_bytes());
        hasher.update(Numbers::F64(sum).le_bytes());
        hasher.finalize()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn saved_curvature_comes_back_and_is_refused_for_other_rows_or_when_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("curvature.safetensors");
        let mut curvature = StoredCurvature::new(3).unwrap();
        curvature.add(&[1.0, 2.0, 3.0, -0.5, 0.25, 4.0]).unwrap();
        curvature.save(&path, "content").unwrap();
        let loaded = StoredCurvature::load(&path, "content").unwrap();
        assert_eq!((loaded.rows(), loaded.rank()), (2, 3));
        assert_eq!(loaded.values().unwrap(), curvature.values().unwrap());
        let refusal = |content: &str| StoredCurvature::load(&path, content).unwrap_err().to_string();
        assert!(refusal("other").contains("of other rows"));
        let mut bytes = fs::read(&path).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        fs::write(&path, &bytes).unwrap();
        assert!(refusal("content").contains("its own hash"));
        fs::write(&path, &bytes[..last]).unwrap();
        assert!(refusal("content").contains("damaged"));
    }
}
