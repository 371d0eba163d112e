//! The gradients of a model's rows, kept in a file so that a restart need not take them again.
//!
//! | bytes | content |
//! |---|---|
//! | 8 | `OLGRAD\0\x01` (name and version) |
//! | 8, 8 | rows, numbers a row (little-endian u64) |
//! | 32 | adapter hash |
//! | 32 | keccak256 of the matrix |
//! | 4·rows·numbers | the matrix, f32 little-endian, a row after the other |

use std::{
    fs::File,
    io::{BufReader, BufWriter, Read, Write},
    ops::ControlFlow,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use alloy_primitives::{B256, Keccak256};
use openledger_model::{Adapter, BaseModel, PrefixCache, Sequence};
use tch::{Kind, Tensor};

use crate::{error::AttributionError, gradients::gradients, influence::Gram};

const MAGIC: &[u8; 8] = b"OLGRAD\0\x01";
const HEADER_BYTES: usize = 88;
const MAX_MATRIX_BYTES: u64 = 1 << 36;
/// Numbers of every row that a pass over the matrix holds at a time.
const BLOCK_COLUMNS: usize = 8192;
const BUILD_ROWS: usize = 64;
/// Least mean square of a number, as a part of the mean over all numbers.
const SQUARE_FLOOR: f64 = 1e-6;

/// A file of gradients, one row each, of one adapter.
#[derive(Debug)]
pub struct GradientStore {
    path: PathBuf,
    file: File,
    rows: usize,
    parameters: usize,
    adapter: B256,
}

impl GradientStore {
    /// Takes the gradients of all rows and writes them; `progress` is told how many are done, and may end it.
    ///
    /// The file appears under its name only when it is complete.
    pub fn build(
        path: &Path,
        model: &BaseModel,
        adapter: &Adapter,
        cache: &mut PrefixCache,
        rows: &[Sequence],
        progress: impl FnMut(usize) -> ControlFlow<()>,
    ) -> Result<Self, AttributionError> {
        let io = |source| AttributionError::Io { path: path.to_path_buf(), source };
        if rows.is_empty() {
            return Err(AttributionError::Invalid("there are no rows".into()));
        }
        let partial = path.with_extension("partial");
        let written = Self::write(&partial, model, adapter, cache, rows, progress)
            .and_then(|()| std::fs::rename(&partial, path).map_err(io));
        if let Err(error) = written {
            // Half a file only takes space that may be what is lacking.
            let _ = std::fs::remove_file(&partial);
            return Err(error);
        }
        Self::open(path)
    }

    fn write(
        path: &Path,
        model: &BaseModel,
        adapter: &Adapter,
        cache: &mut PrefixCache,
        rows: &[Sequence],
        mut progress: impl FnMut(usize) -> ControlFlow<()>,
    ) -> Result<(), AttributionError> {
        let io = |source| AttributionError::Io { path: path.to_path_buf(), source };
        let parameters = adapter.n_parameters();
        let mut writer = BufWriter::new(File::create(path).map_err(io)?);
        writer.write_all(&[0; HEADER_BYTES]).map_err(io)?;
        let mut hasher = Keccak256::new();
        let mut done = 0;
        for part in rows.chunks(BUILD_ROWS) {
            let sequences: Vec<&Sequence> = part.iter().collect();
            let taken = gradients(model, adapter, cache, &sequences)?;
            for row in taken.values().chunks(parameters) {
                let bytes: Vec<u8> = row.iter().flat_map(|v| v.to_le_bytes()).collect();
                hasher.update(&bytes);
                writer.write_all(&bytes).map_err(io)?;
            }
            done += part.len();
            if progress(done).is_break() {
                return Err(AttributionError::Cancelled);
            }
        }
        let mut header = Vec::with_capacity(HEADER_BYTES);
        header.extend(MAGIC);
        header.extend((rows.len() as u64).to_le_bytes());
        header.extend((parameters as u64).to_le_bytes());
        header.extend(adapter.hash()?);
        header.extend(hasher.finalize());
        let file = writer.into_inner().map_err(|e| io(e.into_error()))?;
        file.write_all_at(&header, 0).map_err(io)?;
        file.sync_all().map_err(io)
    }

    /// Opens a file and checks all of it against its checksum.
    pub fn open(path: &Path) -> Result<Self, AttributionError> {
        let io = |source| AttributionError::Io { path: path.to_path_buf(), source };
        let damaged = |what: &str| AttributionError::Store(what.to_owned());
        let file = File::open(path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        let mut header = [0; HEADER_BYTES];
        if length < HEADER_BYTES as u64 {
            return Err(damaged("too short"));
        }
        file.read_exact_at(&mut header, 0).map_err(io)?;
        if header[..8] != *MAGIC {
            return Err(damaged("unknown format or version"));
        }
        let word = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&header[at..at + 8]);
            u64::from_le_bytes(bytes)
        };
        let (rows, parameters) = (word(8), word(16));
        let bytes = rows.checked_mul(parameters).and_then(|n| n.checked_mul(4));
        let bytes = bytes.filter(|b| (1..=MAX_MATRIX_BYTES).contains(b));
        if bytes.map(|b| b + HEADER_BYTES as u64) != Some(length) {
            return Err(damaged("size does not match the header"));
        }
        let adapter = B256::from_slice(&header[24..56]);
        let mut hasher = Keccak256::new();
        let mut reader = BufReader::with_capacity(1 << 20, &file);
        let mut buffer = vec![0; 1 << 20];
        reader.read_exact(&mut [0; HEADER_BYTES]).map_err(io)?;
        loop {
            let read = reader.read(&mut buffer).map_err(io)?;
            if read == 0 {
                break;
            }
            hasher.update(&buffer[..read]);
        }
        if hasher.finalize() != B256::from_slice(&header[56..88]) {
            return Err(damaged("checksum does not match"));
        }
        let (rows, parameters) = (rows as usize, parameters as usize);
        Ok(Self { path: path.to_path_buf(), file, rows, parameters, adapter })
    }

    /// Rows.
    pub const fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are no rows; a store never is empty.
    pub const fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Numbers a row.
    pub const fn n_parameters(&self) -> usize {
        self.parameters
    }

    /// Hash of the adapter whose gradients these are.
    pub const fn adapter_hash(&self) -> B256 {
        self.adapter
    }

    /// The gradient of one row.
    pub fn row(&self, index: usize) -> Result<Vec<f32>, AttributionError> {
        if index >= self.rows {
            return Err(AttributionError::Invalid(format!("row {index} of {}", self.rows)));
        }
        self.read(index, 0, self.parameters)
    }

    /// For each number of a gradient, one over its mean square over the rows: the inverse diagonal of
    /// the empirical Fisher matrix.
    pub fn inverse_mean_squares(&self) -> Result<Vec<f64>, AttributionError> {
        let mut squares = vec![0.0; self.parameters];
        for row in 0..self.rows {
            for (sum, v) in squares.iter_mut().zip(self.read(row, 0, self.parameters)?) {
                *sum += f64::from(v) * f64::from(v);
            }
        }
        let n = self.rows as f64;
        // The floor keeps an answer's value finite where no row has any.
        let floor = SQUARE_FLOOR * squares.iter().sum::<f64>() / (n * self.parameters as f64);
        Ok(squares
            .iter()
            .map(|sum| sum / n + floor)
            .map(|square| if square > 0.0 { 1.0 / square } else { 0.0 })
            .collect())
    }

    /// The inner products of all rows in f64, each number weighted.
    pub fn gram(&self, weights: &[f64]) -> Result<Gram, AttributionError> {
        self.check_length(weights.len())?;
        let n = self.rows as i64;
        let mut sum = Tensor::f_zeros([n, n], (Kind::Double, tch::Device::Cpu))?;
        for (start, weights) in (0..).step_by(BLOCK_COLUMNS).zip(weights.chunks(BLOCK_COLUMNS)) {
            let block = self.columns(start)?;
            let weighted = block.f_mul(&Tensor::f_from_slice(weights)?)?;
            sum = sum.f_add(&weighted.f_matmul(&block.f_transpose(0, 1)?)?)?;
        }
        Gram::new(self.rows, Vec::<f64>::try_from(&sum.f_reshape([-1])?)?)
    }

    /// The weighted inner product of every row with one gradient, in f64.
    pub fn products(&self, gradient: &[f32], weights: &[f64]) -> Result<Vec<f64>, AttributionError> {
        self.check_length(gradient.len())?;
        self.check_length(weights.len())?;
        let weighted: Vec<f64> = gradient.iter().zip(weights).map(|(g, w)| f64::from(*g) * w).collect();
        let mut sum = Tensor::f_zeros([self.rows as i64], (Kind::Double, tch::Device::Cpu))?;
        for (start, part) in (0..).step_by(BLOCK_COLUMNS).zip(weighted.chunks(BLOCK_COLUMNS)) {
            sum = sum.f_add(&self.columns(start)?.f_mv(&Tensor::f_from_slice(part)?)?)?;
        }
        Ok(Vec::<f64>::try_from(&sum)?)
    }

    fn check_length(&self, given: usize) -> Result<(), AttributionError> {
        if given == self.parameters {
            return Ok(());
        }
        let parameters = self.parameters;
        Err(AttributionError::Invalid(format!("{given} numbers, rows have {parameters}")))
    }

    /// `[rows, up to BLOCK_COLUMNS]` of the matrix in f64.
    fn columns(&self, start: usize) -> Result<Tensor, AttributionError> {
        let count = BLOCK_COLUMNS.min(self.parameters - start);
        let mut values = Vec::with_capacity(self.rows * count);
        for row in 0..self.rows {
            values.extend(self.read(row, start, count)?);
        }
        let shape = [self.rows as i64, count as i64];
        Ok(Tensor::f_from_slice(&values)?.f_reshape(shape)?.f_to_kind(Kind::Double)?)
    }

    fn read(&self, row: usize, start: usize, count: usize) -> Result<Vec<f32>, AttributionError> {
        let mut bytes = vec![0; count * 4];
        let at = HEADER_BYTES as u64 + 4 * (row as u64 * self.parameters as u64 + start as u64);
        self.file
            .read_exact_at(&mut bytes, at)
            .map_err(|source| AttributionError::Io { path: self.path.clone(), source })?;
        Ok(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
    }
}
