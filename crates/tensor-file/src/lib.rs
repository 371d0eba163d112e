#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    str::FromStr,
};

use safetensors::{
    Dtype, SafeTensorError,
    tensor::{Metadata, TensorView},
};

/// The longest header that is read or written.
const MAX_HEADER_BYTES: u64 = 1 << 20;

/// A file that was read.
#[derive(Debug)]
pub struct TensorFile {
    path: PathBuf,
    /// Names, types, shapes and places of tensors, and the text fields.
    header: Metadata,
    /// The tensors' numbers.
    data: Vec<u8>,
}

/// Why a file was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum TensorFileError {
    /// The system refused.
    #[error("cannot access {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// It is damaged, or not what is expected.
    #[error("{path}: {what}")]
    Unsound {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
}

/// Numbers to write.
#[derive(Debug, Clone, Copy)]
pub enum Numbers<'a> {
    /// 32-bit floats.
    F32(&'a [f32]),
    /// 64-bit floats.
    F64(&'a [f64]),
    /// 32-bit integers.
    U32(&'a [u32]),
}

impl TensorFile {
    /// Reads a file of a format, of at most `max_bytes`.
    pub fn open(path: &Path, format: &str, max_bytes: u64) -> Result<Self, TensorFileError> {
        let unsound = |what: String| TensorFileError::Unsound { path: path.to_path_buf(), what };
        let bytes = read_bounded(path, max_bytes.saturating_add(1));
        let mut bytes = bytes.map_err(|source| TensorFileError::Io { path: path.to_path_buf(), source })?;
        if bytes.len() as u64 > max_bytes {
            return Err(unsound(format!("exceeds {max_bytes} bytes")));
        }
        let (length, rest) = bytes.split_first_chunk().ok_or_else(|| unsound("too short: damaged".into()))?;
        let length = u64::from_le_bytes(*length);
        if length > MAX_HEADER_BYTES {
            return Err(unsound(format!("its header exceeds {MAX_HEADER_BYTES} bytes: damaged")));
        }
        let header =
            rest.get(..length as usize).ok_or_else(|| unsound("ends in its header: damaged".into()))?;
        let header: Metadata =
            serde_json::from_slice(header).map_err(|e| unsound(format!("damaged: {e}")))?;
        let data = bytes.split_off(size_of::<u64>() + length as usize);
        if header.data_len() != data.len() {
            let what = format!(
                "has {} bytes of numbers, its header says {}: damaged",
                data.len(),
                header.data_len()
            );
            return Err(unsound(what));
        }
        let file = Self { path: path.to_path_buf(), header, data };
        let found = file.field("format")?;
        if found != format {
            return Err(file.error(format!("is of format {found:?}, this program reads {format}")));
        }
        Ok(file)
    }

    /// An error that names the file.
    pub fn error(&self, what: impl Into<String>) -> TensorFileError {
        TensorFileError::Unsound { path: self.path.clone(), what: what.into() }
    }

    /// A text field.
    pub fn field(&self, name: &str) -> Result<&str, TensorFileError> {
        let fields = self.header.metadata().as_ref();
        let value = fields.and_then(|fields| fields.get(name)).map(String::as_str);
        value.ok_or_else(|| self.error(format!("says no {name}: damaged, or another kind of file")))
    }

    /// What a text field says.
    pub fn parsed<T: FromStr>(&self, name: &str) -> Result<T, TensorFileError> {
        let text = self.field(name)?;
        text.parse().map_err(|_| self.error(format!("its {name} {text:?} makes no sense: damaged")))
    }

    /// A tensor of finite numbers.
    pub fn f32s(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, TensorFileError> {
        let values: Vec<f32> = self.read(name, Dtype::F32, shape, f32::from_le_bytes)?;
        self.finite(name, values.iter().position(|v| !v.is_finite()))?;
        Ok(values)
    }

    /// A tensor of finite numbers.
    pub fn f64s(&self, name: &str, shape: &[usize]) -> Result<Vec<f64>, TensorFileError> {
        let values: Vec<f64> = self.read(name, Dtype::F64, shape, f64::from_le_bytes)?;
        self.finite(name, values.iter().position(|v| !v.is_finite()))?;
        Ok(values)
    }

    /// A tensor of whole numbers.
    pub fn u32s(&self, name: &str, shape: &[usize]) -> Result<Vec<u32>, TensorFileError> {
        self.read(name, Dtype::U32, shape, u32::from_le_bytes)
    }

    fn finite(&self, name: &str, place: Option<usize>) -> Result<(), TensorFileError> {
        match place {
            Some(place) => Err(self.error(format!("number {place} of its {name} is not finite"))),
            None => Ok(()),
        }
    }

    /// The shape is compared before a number is read, and the file holds as many numbers as its shape says.
    fn read<T, const N: usize>(
        &self,
        name: &str,
        dtype: Dtype,
        shape: &[usize],
        number: fn([u8; N]) -> T,
    ) -> Result<Vec<T>, TensorFileError> {
        let info = self.header.info(name).ok_or_else(|| self.error(format!("has no {name}: damaged")))?;
        if info.dtype != dtype || info.shape != shape {
            let (found, of) = (&info.shape, info.dtype);
            return Err(self.error(format!("its {name} is {of:?} {found:?}, expected {dtype:?} {shape:?}")));
        }
        let (from, to) = info.data_offsets;
        let numbers = self.data.get(from..to).unwrap_or_default();
        Ok(numbers.as_chunks::<N>().0.iter().map(|bytes| number(*bytes)).collect())
    }

    /// Writes tensors (name, shape, and numbers in order) and fields; the file replaces an older one in a single step, or
    /// nothing is left of it.
    pub fn write<N: AsRef<str>>(
        path: &Path,
        format: &str,
        tensors: &[(N, Vec<usize>, Numbers<'_>)],
        fields: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Result<(), TensorFileError> {
        let unsound = |what: String| TensorFileError::Unsound { path: path.to_path_buf(), what };
        let unfit = |e: SafeTensorError| unsound(format!("cannot be written: {e}"));
        let fields = fields.into_iter().chain([("format", format.to_owned())]);
        let fields = fields.map(|(name, value)| (name.to_owned(), value)).collect();
        let buffers: Vec<Vec<u8>> = tensors.iter().map(|(_, _, numbers)| numbers.le_bytes()).collect();
        let mut views = Vec::with_capacity(tensors.len());
        for ((name, shape, numbers), buffer) in tensors.iter().zip(&buffers) {
            let view = TensorView::new(numbers.dtype(), shape.clone(), buffer).map_err(unfit)?;
            views.push((name.as_ref(), view));
        }
        let bytes = safetensors::serialize(views, Some(fields)).map_err(unfit)?;
        let header = bytes.first_chunk().copied().map(u64::from_le_bytes);
        if header.is_none_or(|length| length > MAX_HEADER_BYTES) {
            return Err(unsound(format!(
                "cannot be written: its header would exceed {MAX_HEADER_BYTES} bytes"
            )));
        }
        let partial = path.with_extension("partial");
        let written = File::create(&partial)
            .and_then(|mut file| file.write_all(&bytes).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&partial, path));
        written.map_err(|source| {
            // Half a file only takes space that may be what is lacking.
            let _ = fs::remove_file(&partial);
            TensorFileError::Io { path: path.to_path_buf(), source }
        })
    }
}

/// A file's bytes, the first `most` of them.
fn read_bounded(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let length = usize::try_from(file.metadata()?.len().min(most)).map_err(io::Error::other)?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(length)?;
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

impl Numbers<'_> {
    const fn dtype(&self) -> Dtype {
        match self {
            Self::F32(_) => Dtype::F32,
            Self::F64(_) => Dtype::F64,
            Self::U32(_) => Dtype::U32,
        }
    }

    /// Numbers as they are stored and hashed.
    pub fn le_bytes(&self) -> Vec<u8> {
        match self {
            Self::F32(values) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Self::F64(values) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Self::U32(values) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;

    const FORMAT: &str = "test-v1";

    fn written(path: &Path, values: &[f32]) {
        let tensors =
            [("some", vec![values.len()], Numbers::F32(values)), ("few", vec![2, 1], Numbers::U32(&[7, 9]))];
        TensorFile::write(path, FORMAT, &tensors, [("count", values.len().to_string())]).unwrap();
    }

    fn refusal<T: std::fmt::Debug>(outcome: Result<T, TensorFileError>) -> String {
        outcome.unwrap_err().to_string()
    }

    #[test]
    fn what_is_written_is_read_and_nothing_else_is_believed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("numbers.safetensors");
        assert!(matches!(TensorFile::open(&path, FORMAT, 1 << 20), Err(TensorFileError::Io { .. })));
        written(&path, &[1.5, -2.0, f32::NAN]);
        let file = TensorFile::open(&path, FORMAT, 1 << 20).unwrap();
        assert_eq!(file.u32s("few", &[2, 1]).unwrap(), [7, 9]);
        assert_eq!(file.parsed::<usize>("count").unwrap(), 3);
        assert!(refusal(file.f32s("some", &[3])).ends_with("number 2 of its some is not finite"));
        assert!(refusal(file.f32s("few", &[2, 1])).contains("its few is U32 [2, 1], expected F32 [2, 1]"));
        assert!(refusal(file.u32s("few", &[1, 2])).contains("expected U32 [1, 2]"));
        assert!(refusal(file.u32s("none", &[1])).contains("damaged"));
        assert!(refusal(file.field("hash")).contains("says no hash"));
        assert!(refusal(file.parsed::<u8>("format")).contains("makes no sense"));
        assert!(refusal(TensorFile::open(&path, "test-v2", 1 << 20)).contains("this program reads test-v2"));
        assert!(refusal(TensorFile::open(&path, FORMAT, 16)).contains("exceeds 16 bytes"));
        assert!(!path.with_extension("partial").exists());
        let long = [("note", "a".repeat(MAX_HEADER_BYTES as usize))];
        let tensors = [("few", vec![1], Numbers::U32(&[1]))];
        assert!(
            refusal(TensorFile::write(&path, FORMAT, &tensors, long)).contains("its header would exceed")
        );
        assert!(TensorFile::open(&path, FORMAT, 1 << 20).is_ok(), "it is still the one that was there");
    }

    #[test]
    fn sizes_that_no_file_has_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("numbers.safetensors");
        // Nine tensors that end where numbers do.
        let ends = (0..=9_u8).map(|at| u64::from(at).saturating_mul(1 << 61)).collect::<Vec<_>>();
        let tensors: Vec<String> = (ends.windows(2).enumerate())
            .map(|(at, ends)| {
                let (from, to) = (ends[0], ends[1]);
                let size = to - from;
                format!(r#""{at}":{{"dtype":"U8","shape":[{size}],"data_offsets":[{from},{to}]}}"#)
            })
            .collect();
        let header = format!(r#"{{"__metadata__":{{"format":"{FORMAT}"}},{}}}"#, tensors.join(","));
        fs::write(&path, [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat()).unwrap();
        assert!(refusal(TensorFile::open(&path, FORMAT, 1 << 20)).contains("damaged"));
        fs::write(&path, [&u64::MAX.to_le_bytes()[..], header.as_bytes()].concat()).unwrap();
        assert!(refusal(TensorFile::open(&path, FORMAT, 1 << 20)).contains("its header exceeds"));
    }

    #[test]
    fn what_cannot_be_written_leaves_the_file_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("numbers.safetensors");
        written(&path, &[1.0]);
        let before = fs::read(&path).unwrap();
        let misfit = [("some", vec![3], Numbers::F64(&[1.0]))];
        assert!(refusal(TensorFile::write(&path, FORMAT, &misfit, [])).contains("cannot be written"));
        fs::create_dir(path.with_extension("partial")).unwrap();
        let fit = [("some", vec![1], Numbers::F64(&[1.0]))];
        assert!(TensorFile::write(&path, FORMAT, &fit, []).is_err());
        assert_eq!(fs::read(&path).unwrap(), before);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]
        /// Whatever is changed or cut off, there is an answer.
        #[test]
        fn damage_is_never_a_panic(at in 0..400_usize, byte: u8, cut in 0..400_usize) {
            static SOUND: LazyLock<Vec<u8>> = LazyLock::new(|| {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("numbers.safetensors");
                written(&path, &[1.0; 20]);
                fs::read(&path).unwrap()
            });
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("numbers.safetensors");
            let mut bytes = SOUND.clone();
            let (at, cut) = (at % bytes.len(), cut % bytes.len());
            bytes[at] = byte;
            for damaged in [&bytes[..], &bytes[..cut]] {
                fs::write(&path, damaged).unwrap();
                if let Ok(file) = TensorFile::open(&path, FORMAT, 1 << 20) {
                    let _ = (file.f32s("some", &[20]), file.u32s("few", &[2, 1]), file.field("count").is_ok());
                }
            }
        }
    }
}
