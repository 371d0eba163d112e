//! NumPy archives (`.npz`): a zip file of arrays, read with every size bounded before it is believed.

use std::{
    fs::File,
    io::{Read, Write},
    path::{Path, PathBuf},
};

use zip::{CompressionMethod, ZipArchive, ZipWriter, write::FileOptions};

use crate::error::AttributionError;

/// The most bytes that one array may take.
const MAX_ARRAY_BYTES: usize = 1 << 30;
/// The most arrays of an archive.
const MAX_ARRAYS: usize = 256;
/// NumPy's headers are near 120 bytes.
const MAX_HEADER_BYTES: usize = 4096;
const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// An array in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub struct Array<T> {
    /// Length of each dimension.
    pub shape: Vec<usize>,
    /// The values.
    pub values: Vec<T>,
}

/// An open archive.
#[derive(Debug)]
pub struct Npz {
    path: PathBuf,
    zip: ZipArchive<File>,
}

impl Npz {
    /// Opens an archive; arrays are read when asked for.
    pub fn open(path: &Path) -> Result<Self, AttributionError> {
        let file =
            File::open(path).map_err(|source| AttributionError::Io { path: path.to_path_buf(), source })?;
        let zip = ZipArchive::new(file).map_err(|e| archive(path, &e))?;
        if zip.len() > MAX_ARRAYS {
            return Err(archive(path, &format!("{} arrays exceed {MAX_ARRAYS}", zip.len())));
        }
        Ok(Self { path: path.to_path_buf(), zip })
    }

    /// Whether there is an array of that name.
    pub fn contains(&self, name: &str) -> bool {
        let file = format!("{name}.npy");
        self.zip.file_names().any(|n| n == file)
    }

    /// An array of finite floats (f32 or f64 in the file).
    pub fn floats(&mut self, name: &str) -> Result<Array<f32>, AttributionError> {
        let (header, bytes) = self.raw(name)?;
        let values: Vec<f32> = match header.kind.as_str() {
            "f4" => bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect(),
            "f8" => bytes.chunks_exact(8).map(|b| f64::from_le_bytes(word(b)) as f32).collect(),
            other => return Err(self.error(&format!("{name} is {other}, not f4 or f8"))),
        };
        if let Some(at) = values.iter().position(|v| !v.is_finite()) {
            let width = header.shape.last().copied().unwrap_or(1).max(1);
            return Err(self.error(&format!("{name} is not finite in row {}", at / width)));
        }
        Ok(Array { shape: header.shape, values })
    }

    /// An array of whole numbers, none negative.
    pub fn indices(&mut self, name: &str) -> Result<Array<usize>, AttributionError> {
        let (header, bytes) = self.raw(name)?;
        let numbers: Vec<i64> = match header.kind.as_str() {
            "i8" => bytes.chunks_exact(8).map(|b| i64::from_le_bytes(word(b))).collect(),
            "i4" => bytes
                .chunks_exact(4)
                .map(|b| i64::from(i32::from_le_bytes([b[0], b[1], b[2], b[3]])))
                .collect(),
            "u1" | "b1" => bytes.iter().map(|&b| i64::from(b)).collect(),
            other => return Err(self.error(&format!("{name} is {other}, not i8, i4 or u1"))),
        };
        let values: Option<Vec<usize>> = numbers.iter().map(|&v| usize::try_from(v).ok()).collect();
        match values {
            Some(values) => Ok(Array { shape: header.shape, values }),
            None => Err(self.error(&format!("{name} holds a negative number"))),
        }
    }

    fn raw(&mut self, name: &str) -> Result<(Header, Vec<u8>), AttributionError> {
        let path = self.path.clone();
        let mut entry = self
            .zip
            .by_name(&format!("{name}.npy"))
            .map_err(|e| archive(&path, &format!("array `{name}`: {e}")))?;
        let fail = |what: &dyn std::fmt::Display| archive(&path, &format!("array `{name}`: {what}"));
        let mut start = [0; 10];
        entry.read_exact(&mut start).map_err(|e| fail(&e))?;
        if start[..6] != *MAGIC {
            return Err(fail(&"no NumPy array"));
        }
        let header_bytes = match start[6] {
            1 => usize::from(u16::from_le_bytes([start[8], start[9]])),
            2 | 3 => {
                let mut high = [0; 2];
                entry.read_exact(&mut high).map_err(|e| fail(&e))?;
                u32::from_le_bytes([start[8], start[9], high[0], high[1]]) as usize
            }
            version => return Err(fail(&format!("NumPy format {version} is unknown"))),
        };
        if header_bytes > MAX_HEADER_BYTES {
            return Err(fail(&format!("header of {header_bytes} bytes")));
        }
        let mut text = vec![0; header_bytes];
        entry.read_exact(&mut text).map_err(|e| fail(&e))?;
        let header = Header::parse(&String::from_utf8_lossy(&text)).map_err(|e| fail(&e))?;
        let size = header
            .shape
            .iter()
            .try_fold(header.item_bytes, |product, &n| product.checked_mul(n))
            .filter(|&bytes| bytes <= MAX_ARRAY_BYTES)
            .ok_or_else(|| fail(&format!("shape {:?} exceeds {MAX_ARRAY_BYTES} bytes", header.shape)))?;
        // Memory grows with what is there, not with what the header claims.
        let mut bytes = Vec::new();
        (&mut entry).take(size as u64 + 1).read_to_end(&mut bytes).map_err(|e| fail(&e))?;
        if bytes.len() != size {
            return Err(fail(&format!("shape {:?} needs {size} bytes of data", header.shape)));
        }
        Ok((header, bytes))
    }

    fn error(&self, what: &str) -> AttributionError {
        archive(&self.path, &what)
    }
}

/// Writes one array of floats as an archive, under its name only when it is complete.
pub fn write_floats(path: &Path, name: &str, array: &Array<f32>) -> Result<(), AttributionError> {
    let io = |source| AttributionError::Io { path: path.to_path_buf(), source };
    let partial = path.with_extension("npz.partial");
    let mut zip = ZipWriter::new(File::create(&partial).map_err(io)?);
    let stored = FileOptions::default().compression_method(CompressionMethod::Stored);
    zip.start_file(format!("{name}.npy"), stored).map_err(|e| archive(path, &e))?;
    let dimensions: String = array.shape.iter().map(|n| format!("{n}, ")).collect();
    let mut header =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}), }}", dimensions.trim_end());
    let padding = 64 - (MAGIC.len() + 4 + header.len() + 1) % 64;
    header.extend(std::iter::repeat_n(' ', padding % 64));
    header.push('\n');
    let length = u16::try_from(header.len()).map_err(|_| archive(path, &"too many dimensions"))?;
    let mut bytes = Vec::with_capacity(array.values.len() * 4 + 128);
    bytes.extend(MAGIC);
    bytes.extend([1, 0]);
    bytes.extend(length.to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(array.values.iter().flat_map(|v| v.to_le_bytes()));
    zip.write_all(&bytes).map_err(io)?;
    zip.finish().map_err(|e| archive(path, &e))?.sync_all().map_err(io)?;
    std::fs::rename(&partial, path).map_err(io)
}

fn archive(path: &Path, what: &dyn std::fmt::Display) -> AttributionError {
    AttributionError::Archive { path: path.to_path_buf(), what: what.to_string() }
}

fn word(bytes: &[u8]) -> [u8; 8] {
    let mut word = [0; 8];
    word.copy_from_slice(bytes);
    word
}

#[derive(Debug)]
struct Header {
    /// Type and bytes a number, such as `f4`.
    kind: String,
    item_bytes: usize,
    shape: Vec<usize>,
}

impl Header {
    /// Reads `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`.
    fn parse(text: &str) -> Result<Self, String> {
        let value = |key: &str| {
            let start = text.find(&format!("'{key}'")).ok_or_else(|| format!("header lacks {key}"))?;
            let rest = &text[start..];
            Ok::<_, String>(rest.split_once(':').map_or("", |(_, value)| value).trim_start())
        };
        let descr = value("descr")?;
        let descr = descr.trim_start_matches('\'').split('\'').next().unwrap_or_default();
        let kind = match descr.split_at_checked(1) {
            Some(("<" | "|", kind)) => kind.to_owned(),
            _ => return Err(format!("type {descr:?} is not little-endian")),
        };
        let item_bytes = kind.get(1..).and_then(|n| n.parse().ok()).filter(|n| (1..=8).contains(n));
        let item_bytes = item_bytes.ok_or_else(|| format!("type {descr:?} is no plain number"))?;
        let dimensions = value("shape")?
            .strip_prefix('(')
            .and_then(|rest| rest.split_once(')'))
            .map(|(inside, _)| inside)
            .ok_or("header lacks a shape")?;
        let shape = dimensions
            .split(',')
            .map(str::trim)
            .filter(|n| !n.is_empty())
            .map(|n| n.parse::<usize>().map_err(|_| format!("dimension {n:?}")))
            .collect::<Result<Vec<_>, _>>()?;
        if value("fortran_order")?.starts_with("True") && shape.len() > 1 {
            return Err("column-major order; save it with numpy.ascontiguousarray".into());
        }
        Ok(Self { kind, item_bytes, shape })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npz");
        let mut zip = ZipWriter::new(File::create(&path).unwrap());
        zip.start_file(format!("{name}.npy"), FileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
        zip.finish().unwrap();
        (folder, path)
    }

    fn npy(header: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend([1, 0]);
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        bytes
    }

    fn message(header: &str, data: &[u8]) -> String {
        let (_folder, path) = file("x", &npy(header, data));
        Npz::open(&path).unwrap().floats("x").unwrap_err().to_string()
    }

    #[test]
    fn what_is_written_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.npz");
        let array = Array { shape: vec![2, 3], values: vec![1.0, -2.5, 0.0, 3.0, f32::MIN_POSITIVE, 9e9] };
        write_floats(&path, "scores", &array).unwrap();
        let mut npz = Npz::open(&path).unwrap();
        assert!(npz.contains("scores") && !npz.contains("score"));
        assert_eq!(npz.floats("scores").unwrap(), array);
    }

    #[test]
    fn claims_beyond_the_data_are_refused_without_allocating_for_them() {
        let huge = "{'descr': '<f4', 'fortran_order': False, 'shape': (1152921504606846976, 64), }";
        assert!(message(huge, &[0; 4]).contains("exceeds"));
        let large = "{'descr': '<f4', 'fortran_order': False, 'shape': (16384, 16384), }";
        assert!(message(large, &[0; 4]).contains("needs"));
    }

    #[test]
    fn nan_row_wrong_type_order_and_rubbish_are_named() {
        let data: Vec<u8> = [1.0f32, 2.0, f32::NAN, 4.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        let plain = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }";
        assert!(message(plain, &data).contains("not finite in row 1"));
        assert!(message(&plain.replace("<f4", ">f4"), &data).contains("little-endian"));
        assert!(message(&plain.replace("<f4", "|O8"), &[0; 32]).contains("O8"));
        assert!(message(&plain.replace("False", "True"), &data).contains("column-major"));
        assert!(message(&plain.replace("(2, 2)", "(-2, x)"), &data).contains("dimension"));
        assert!(message("{}", &data).contains("lacks"));
        let (_folder, path) = file("x", b"rubbish");
        let mut npz = Npz::open(&path).unwrap();
        assert!(npz.floats("x").is_err());
        assert!(npz.floats("y").unwrap_err().to_string().contains("`y`"));
    }

    #[test]
    fn truncated_archive_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.npz");
        write_floats(&path, "scores", &Array { shape: vec![64], values: vec![1.0; 64] }).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for length in [0, 10, 100, 300, whole.len() - 1] {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert!(Npz::open(&path).and_then(|mut npz| npz.floats("scores")).is_err(), "{length}");
        }
    }
}
