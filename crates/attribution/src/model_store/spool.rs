//! Gradients of the rows that a projection is fitted on, in a file: they are read twice for that and once more to be stored,
//! and are too many for memory.
//!
//! | bytes | content |
//! |---|---|
//! | 8 | `OLSPOOL\x01` (name and version) |
//! | 32 | what the gradients are of |
//! | 8 | numbers a row (little-endian u64) |
//! | each row: 32, 4·numbers | keccak256 of the above, the row's place and its numbers; the numbers, f32 little-endian |
//!
//! A file that ends within a row, or whose last rows are damaged, is used up to there.

use std::{
    fs::{self, File},
    io,
    ops::Range,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use alloy_primitives::{B256, Keccak256};

use crate::{error::AttributionError, tensor_file::Numbers};

const MAGIC: &[u8; 8] = b"OLSPOOL\x01";
const HEADER_BYTES: u64 = 48;
const DIGEST_BYTES: usize = 32;

/// The rows that are in the file, always whole ones.
#[derive(Debug)]
pub(super) struct Spool {
    path: PathBuf,
    file: File,
    of: B256,
    parameters: usize,
    rows: usize,
}

impl Spool {
    /// Goes on with a file of the same gradients, else begins one.
    pub(super) fn open(path: &Path, of: B256, parameters: usize) -> Result<Self, AttributionError> {
        let open = || -> io::Result<Self> {
            let file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
            let mut spool = Self { path: path.to_path_buf(), file, of, parameters, rows: 0 };
            let mut header = [0; HEADER_BYTES as usize];
            let length = spool.file.metadata()?.len();
            if length < HEADER_BYTES
                || spool.file.read_exact_at(&mut header, 0).is_err()
                || header != spool.header()
            {
                spool.file.set_len(0)?;
                spool.file.write_all_at(&spool.header(), 0)?;
                return Ok(spool);
            }
            let whole = (length - HEADER_BYTES) / spool.record_bytes() as u64;
            while (spool.rows as u64) < whole && spool.read_row(spool.rows)?.is_some() {
                spool.rows += 1;
            }
            Ok(spool)
        };
        let mut spool = open().map_err(|source| AttributionError::Io { path: path.to_path_buf(), source })?;
        spool.cut(spool.rows)?;
        Ok(spool)
    }

    /// Rows.
    pub(super) const fn len(&self) -> usize {
        self.rows
    }

    /// Keeps the first so many rows.
    pub(super) fn cut(&mut self, rows: usize) -> Result<(), AttributionError> {
        self.rows = self.rows.min(rows);
        self.file.set_len(self.start(self.rows)).map_err(|source| self.io(source))
    }

    /// Appends rows, one after the other; on an error none.
    pub(super) fn push(&mut self, gradients: &[f32]) -> Result<(), AttributionError> {
        let before = self.rows;
        for row in gradients.chunks_exact(self.parameters) {
            let numbers = Numbers::F32(row).le_bytes();
            let record = [self.digest(self.rows, &numbers).as_slice(), &numbers].concat();
            if let Err(source) = self.file.write_all_at(&record, self.start(self.rows)) {
                // What there is of it only takes space that may be what is lacking.
                let _ = self.cut(before);
                return Err(self.io(source));
            }
            self.rows += 1;
        }
        Ok(())
    }

    /// Rows' gradients, one after the other.
    pub(super) fn read(&self, rows: Range<usize>) -> Result<Vec<f32>, AttributionError> {
        let mut values = Vec::with_capacity(rows.len() * self.parameters);
        for row in rows {
            let numbers = if row < self.rows { self.read_row(row).map_err(|e| self.io(e))? } else { None };
            let numbers = numbers.ok_or_else(|| AttributionError::StoreFile {
                path: self.path.clone(),
                what: format!("row {row} is damaged; remove the file and fill the store again"),
            })?;
            values.extend(numbers.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)));
        }
        Ok(values)
    }

    /// Removes the file.
    pub(super) fn remove(self) -> Result<(), AttributionError> {
        fs::remove_file(&self.path).map_err(|source| self.io(source))
    }

    /// A row's bytes; nothing where they do not match their digest.
    fn read_row(&self, row: usize) -> io::Result<Option<Vec<u8>>> {
        let mut record = vec![0; self.record_bytes()];
        self.file.read_exact_at(&mut record, self.start(row))?;
        let numbers = record.split_off(DIGEST_BYTES);
        Ok((self.digest(row, &numbers).as_slice() == record).then_some(numbers))
    }

    fn digest(&self, row: usize, numbers: &[u8]) -> B256 {
        let mut hasher = Keccak256::new();
        hasher.update(self.header());
        hasher.update((row as u64).to_be_bytes());
        hasher.update(numbers);
        hasher.finalize()
    }

    fn header(&self) -> [u8; HEADER_BYTES as usize] {
        let mut header = [0; HEADER_BYTES as usize];
        header[..8].copy_from_slice(MAGIC);
        header[8..40].copy_from_slice(self.of.as_slice());
        header[40..].copy_from_slice(&(self.parameters as u64).to_le_bytes());
        header
    }

    const fn record_bytes(&self) -> usize {
        DIGEST_BYTES + 4 * self.parameters
    }

    const fn start(&self, row: usize) -> u64 {
        HEADER_BYTES + row as u64 * self.record_bytes() as u64
    }

    fn io(&self, source: io::Error) -> AttributionError {
        AttributionError::Io { path: self.path.clone(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_and_damaged_files_are_used_up_to_there_and_others_begin_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spool");
        let of = B256::repeat_byte(1);
        let rows: Vec<f32> = (0..30u8).map(f32::from).collect();
        let mut spool = Spool::open(&path, of, 6).unwrap();
        spool.push(&rows[..12]).unwrap();
        spool.push(&rows[12..]).unwrap();
        assert_eq!((spool.len(), spool.read(1..4).unwrap()), (5, rows[6..24].to_vec()));
        assert!(spool.read(4..6).unwrap_err().to_string().contains("row 5"));
        drop(spool);
        let whole = fs::read(&path).unwrap();
        let open = || Spool::open(&path, of, 6).unwrap();
        assert_eq!(open().len(), 5);
        for (length, left) in [(whole.len() - 1, 4), (48 + 56, 1), (50, 0), (20, 0), (0, 0)] {
            fs::write(&path, &whole[..length]).unwrap();
            assert_eq!(open().len(), left, "{length} bytes");
        }
        let mut damaged = whole.clone();
        damaged[48 + 2 * 56 + 40] ^= 1;
        fs::write(&path, &damaged).unwrap();
        let mut spool = open();
        assert_eq!(spool.len(), 2);
        spool.push(&rows[12..]).unwrap();
        drop(spool);
        assert_eq!(fs::read(&path).unwrap(), whole);
        let mut spool = open();
        spool.cut(3).unwrap();
        assert_eq!(open().len(), 3);
        assert_eq!(Spool::open(&path, B256::ZERO, 6).unwrap().len(), 0);
        assert_eq!(open().len(), 0, "begun anew for others");
        open().remove().unwrap();
        assert!(!path.exists());
    }
}
