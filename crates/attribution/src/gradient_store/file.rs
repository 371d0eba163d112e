//! Rows' gradients in a file, which can be gone on with where a process ended.
//!
//! | bytes | content |
//! |---|---|
//! | 8 | `OLGRAD\0\x02` (name and version) |
//! | 32 | adapter hash |
//! | 32 | which rows |
//! | 8, 8 | rows once all are there, numbers a row (little-endian u64) |
//! | each row: 32, 4·numbers | keccak256 of the above, the row's place and its numbers; the numbers, f32 little-endian |
//!
//! A file that ends within a row, or whose last rows are damaged, can be gone on with from there.

use std::{
    fs::{self, File},
    io,
    ops::Range,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use alloy_primitives::{B256, Keccak256};
use openledger_tensor_file::Numbers;

use crate::error::AttributionError;

const MAGIC: &[u8; 8] = b"OLGRAD\0\x02";
const HEADER_BYTES: usize = 88;
const DIGEST_BYTES: usize = 32;

/// What gradients are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GradientsOf {
    pub(crate) adapter: B256,
    /// Names the rows.
    pub(crate) rows: B256,
    /// How many rows there are once the file is whole.
    pub(crate) count: usize,
    /// Numbers a row.
    pub(crate) parameters: usize,
}

/// The rows that are in the file, always whole ones.
#[derive(Debug)]
pub(crate) struct GradientFile {
    path: PathBuf,
    file: File,
    of: GradientsOf,
    header: [u8; HEADER_BYTES],
    rows: usize,
}

impl GradientFile {
    /// Goes on with a file of the same gradients, else begins one.
    pub(crate) fn resume(path: &Path, of: GradientsOf) -> Result<Self, AttributionError> {
        of.check()?;
        let io = |source| AttributionError::Io { path: path.to_path_buf(), source };
        let open = File::options().read(true).write(true).create(true).truncate(false).open(path);
        let mut found = Self::new(path, open.map_err(io)?, of);
        let length = found.file.metadata().map_err(io)?.len();
        let mut header = [0; HEADER_BYTES];
        if found.file.read_exact_at(&mut header, 0).is_err() || header != found.header {
            // An empty file is not cut: on a device without room that fails first, and for another reason.
            let emptied = if length > 0 { found.file.set_len(0) } else { Ok(()) };
            emptied.and_then(|()| found.file.write_all_at(&found.header, 0)).map_err(io)?;
            return Ok(found);
        }
        let whole = length.saturating_sub(HEADER_BYTES as u64) / of.record_bytes() as u64;
        let most = (of.count as u64).min(whole) as usize;
        while found.rows < most && found.read_row(found.rows).map_err(io)?.is_some() {
            found.rows += 1;
        }
        found.cut(found.rows)?;
        Ok(found)
    }

    /// Opens a whole file and checks all of it.
    pub(crate) fn open(path: &Path) -> Result<Self, AttributionError> {
        let io = |source| AttributionError::Io { path: path.to_path_buf(), source };
        let damaged = |what: String| AttributionError::Store(what);
        let file = File::open(path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        let mut header = [0; HEADER_BYTES];
        if length < HEADER_BYTES as u64 {
            return Err(damaged("too short".into()));
        }
        file.read_exact_at(&mut header, 0).map_err(io)?;
        let of = GradientsOf::read(&header).ok_or_else(|| damaged("unknown format or version".into()))?;
        if of.check().is_err() || of.bytes() != Some(length) {
            return Err(damaged("size does not match the header".into()));
        }
        let mut found = Self::new(path, file, of);
        for row in 0..of.count {
            if found.read_row(row).map_err(io)?.is_none() {
                return Err(damaged(format!("row {row} does not match its checksum")));
            }
        }
        found.rows = of.count;
        Ok(found)
    }

    fn new(path: &Path, file: File, of: GradientsOf) -> Self {
        Self { path: path.to_path_buf(), file, of, header: of.header(), rows: 0 }
    }

    /// What it is of.
    pub(crate) const fn of(&self) -> &GradientsOf {
        &self.of
    }

    /// Rows that are there.
    pub(crate) const fn len(&self) -> usize {
        self.rows
    }

    /// Keeps the first so many rows.
    pub(crate) fn cut(&mut self, rows: usize) -> Result<(), AttributionError> {
        self.rows = self.rows.min(rows);
        self.file.set_len(self.start(self.rows)).map_err(|source| self.io(source))
    }

    /// Appends rows, one after the other; on an error none.
    pub(crate) fn push(&mut self, gradients: &[f32]) -> Result<(), AttributionError> {
        let (before, parameters) = (self.rows, self.of.parameters);
        let (given, left) = (gradients.len(), self.of.count - before);
        if !given.is_multiple_of(parameters) || given / parameters > left {
            let what = format!("{given} numbers are not up to {left} rows of {parameters}");
            return Err(AttributionError::Invalid(what));
        }
        for row in gradients.chunks_exact(parameters) {
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

    /// Rows' gradients, one after the other, checked again.
    pub(crate) fn read(&self, rows: Range<usize>) -> Result<Vec<f32>, AttributionError> {
        let mut values = Vec::with_capacity(rows.len() * self.of.parameters);
        for row in rows {
            let numbers = if row < self.rows { self.read_row(row).map_err(|e| self.io(e))? } else { None };
            let numbers = numbers.ok_or_else(|| AttributionError::StoreFile {
                path: self.path.clone(),
                what: format!(
                    "row {row} is damaged or missing; remove the file and take the gradients again"
                ),
            })?;
            values.extend(floats(&numbers));
        }
        Ok(values)
    }

    /// Some numbers of a row, which is not checked again.
    pub(crate) fn part(&self, row: usize, numbers: Range<usize>) -> Result<Vec<f32>, AttributionError> {
        if row >= self.rows || numbers.end > self.of.parameters {
            let what = format!("row {row} to number {} of {} rows", numbers.end, self.rows);
            return Err(AttributionError::Invalid(what));
        }
        let mut bytes = vec![0; numbers.len() * 4];
        let at = self.start(row) + (DIGEST_BYTES + 4 * numbers.start) as u64;
        self.file.read_exact_at(&mut bytes, at).map_err(|source| self.io(source))?;
        Ok(floats(&bytes).collect())
    }

    /// Gives a whole file its name, and checks all of it.
    pub(crate) fn finish(self, path: &Path) -> Result<Self, AttributionError> {
        let Self { rows, of: GradientsOf { count, .. }, .. } = self;
        if rows < count {
            return Err(AttributionError::Store(format!("{rows} of {count} rows are there")));
        }
        let named = self.file.sync_all().and_then(|()| fs::rename(&self.path, path));
        named.map_err(|source| self.io(source))?;
        Self::open(path)
    }

    /// Removes the file.
    pub(crate) fn remove(self) -> Result<(), AttributionError> {
        fs::remove_file(&self.path).map_err(|source| self.io(source))
    }

    /// A row's bytes; nothing where they do not match their digest.
    fn read_row(&self, row: usize) -> io::Result<Option<Vec<u8>>> {
        let mut record = vec![0; self.of.record_bytes()];
        self.file.read_exact_at(&mut record, self.start(row))?;
        let numbers = record.split_off(DIGEST_BYTES);
        Ok((self.digest(row, &numbers).as_slice() == record).then_some(numbers))
    }

    fn digest(&self, row: usize, numbers: &[u8]) -> B256 {
        let mut hasher = Keccak256::new();
        hasher.update(self.header);
        hasher.update((row as u64).to_be_bytes());
        hasher.update(numbers);
        hasher.finalize()
    }

    const fn start(&self, row: usize) -> u64 {
        HEADER_BYTES as u64 + row as u64 * self.of.record_bytes() as u64
    }

    fn io(&self, source: io::Error) -> AttributionError {
        AttributionError::Io { path: self.path.clone(), source }
    }
}

fn floats(bytes: &[u8]) -> impl Iterator<Item = f32> {
    bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes))
}

impl GradientsOf {
    /// Refuses what no file holds.
    fn check(&self) -> Result<(), AttributionError> {
        let Self { count, parameters, .. } = self;
        let fits = *count > 0 && *parameters > 0 && self.bytes().is_some_and(|b| i64::try_from(b).is_ok());
        let refused = || format!("no file holds {count} gradients of {parameters} numbers");
        fits.then_some(()).ok_or_else(|| AttributionError::Invalid(refused()))
    }

    /// Of a whole file; `None` if there is no such number.
    fn bytes(&self) -> Option<u64> {
        let numbers = (self.parameters as u64).checked_mul(4)?.checked_add(DIGEST_BYTES as u64)?;
        (self.count as u64).checked_mul(numbers)?.checked_add(HEADER_BYTES as u64)
    }

    const fn record_bytes(&self) -> usize {
        DIGEST_BYTES + 4 * self.parameters
    }

    fn header(&self) -> [u8; HEADER_BYTES] {
        let mut header = [0; HEADER_BYTES];
        header[..8].copy_from_slice(MAGIC);
        header[8..40].copy_from_slice(self.adapter.as_slice());
        header[40..72].copy_from_slice(self.rows.as_slice());
        header[72..80].copy_from_slice(&(self.count as u64).to_le_bytes());
        header[80..].copy_from_slice(&(self.parameters as u64).to_le_bytes());
        header
    }

    fn read(header: &[u8; HEADER_BYTES]) -> Option<Self> {
        let (magic, header) = header.split_first_chunk::<8>()?;
        let (adapter, header) = header.split_first_chunk::<32>()?;
        let (rows, header) = header.split_first_chunk::<32>()?;
        let (count, header) = header.split_first_chunk::<8>()?;
        let number = |bytes: &[u8; 8]| usize::try_from(u64::from_le_bytes(*bytes)).ok();
        let (count, parameters) = (number(count)?, number(header.first_chunk()?)?);
        (magic == MAGIC).then_some(Self {
            adapter: B256::new(*adapter),
            rows: B256::new(*rows),
            count,
            parameters,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF: GradientsOf =
        GradientsOf { adapter: B256::repeat_byte(1), rows: B256::repeat_byte(2), count: 5, parameters: 6 };
    const RECORD: usize = DIGEST_BYTES + 24;

    #[test]
    fn cut_and_damaged_files_are_used_up_to_there_and_others_begin_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gradients");
        let rows: Vec<f32> = (0..30u8).map(f32::from).collect();
        let open = || GradientFile::resume(&path, OF).unwrap();
        let mut file = open();
        file.push(&rows[..12]).unwrap();
        file.push(&rows[12..]).unwrap();
        assert_eq!((file.len(), file.read(1..4).unwrap()), (5, rows[6..24].to_vec()));
        assert_eq!(file.part(2, 1..4).unwrap(), rows[13..16]);
        assert!(file.read(4..6).unwrap_err().to_string().contains("row 5"));
        assert!(file.part(5, 0..1).is_err() && file.part(4, 0..7).is_err());
        assert!(file.push(&rows[..6]).is_err(), "there are as many as there are to be");
        drop(file);
        let whole = fs::read(&path).unwrap();
        assert_eq!(open().len(), 5);
        let cuts = [(whole.len() - 1, 4), (HEADER_BYTES + RECORD, 1), (HEADER_BYTES + 2, 0), (20, 0), (0, 0)];
        for (length, left) in cuts {
            fs::write(&path, &whole[..length]).unwrap();
            assert!(GradientFile::open(&path).is_err(), "{length} bytes are not all");
            assert_eq!(open().len(), left, "{length} bytes");
        }
        let mut damaged = whole.clone();
        damaged[HEADER_BYTES + 2 * RECORD + 40] ^= 1;
        fs::write(&path, &damaged).unwrap();
        let refused = GradientFile::open(&path).unwrap_err().to_string();
        assert!(refused.contains("row 2 does not match"), "{refused}");
        let mut file = open();
        assert_eq!(file.len(), 2);
        file.push(&rows[12..]).unwrap();
        drop(file);
        assert_eq!(fs::read(&path).unwrap(), whole);
        fs::write(&path, [&whole[..], &whole[HEADER_BYTES..]].concat()).unwrap();
        assert_eq!(open().len(), 5, "what comes behind the last row is cut off");
        let named = folder.path().join("named");
        fs::write(&path, &whole[..whole.len() - RECORD]).unwrap();
        assert!(open().push(&rows[..5]).is_err(), "not a whole row");
        assert!(open().finish(&named).unwrap_err().to_string().contains("4 of 5 rows"));
        assert!(!named.exists());
        fs::write(&path, &whole).unwrap();
        let file = open().finish(&named).unwrap();
        assert_eq!(file.read(4..5).unwrap(), rows[24..]);
        assert_eq!((fs::read(&named).unwrap(), path.exists()), (whole.clone(), false));
        assert_eq!(GradientFile::open(&named).unwrap().of(), &OF);
        fs::write(&path, &whole).unwrap();
        let mut file = open();
        file.cut(3).unwrap();
        assert_eq!(open().len(), 3);
        let others = GradientsOf { rows: B256::ZERO, ..OF };
        assert_eq!(GradientFile::resume(&path, others).unwrap().len(), 0);
        assert_eq!(open().len(), 0, "begun anew for others");
        open().remove().unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn sizes_that_no_file_has_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gradients");
        for (count, parameters) in [(0, 6), (5, 0), (usize::MAX, 6), (5, usize::MAX), (1 << 40, 1 << 40)] {
            let of = GradientsOf { count, parameters, ..OF };
            assert!(matches!(GradientFile::resume(&path, of), Err(AttributionError::Invalid(_))));
            fs::write(&path, of.header()).unwrap();
            assert!(matches!(GradientFile::open(&path), Err(AttributionError::Store(_))));
        }
    }
}
