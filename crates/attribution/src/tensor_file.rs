//! Numbers in a safetensors file with text fields beside them: bounded and checked when read, whole or not there when
//! written.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    str::FromStr,
};

use bytes::Bytes;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use crate::error::AttributionError;

/// The longest header that is read.
const MAX_HEADER_BYTES: u64 = 1 << 16;

/// A file that was opened, mapped into memory; nothing in it is trusted before its owner has checked its hash.
#[derive(Debug)]
pub(crate) struct TensorFile {
    path: PathBuf,
    bytes: Bytes,
    fields: HashMap<String, String>,
}

/// Numbers to write.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Numbers<'a> {
    F32(&'a [f32]),
    F64(&'a [f64]),
    U32(&'a [u32]),
}

/// A tensor to write: name, shape, and its numbers in order.
pub(crate) type Named<'a> = (&'static str, Vec<usize>, Numbers<'a>);

impl TensorFile {
    /// Opens a file of a format, of at most `max_bytes`.
    pub(crate) fn open(path: &Path, format: &str, max_bytes: u64) -> Result<Self, AttributionError> {
        let io = |source| AttributionError::Io { path: path.to_path_buf(), source };
        let bytes = openledger_mapped_file::map(path).map_err(io)?;
        let mut file = Self { path: path.to_path_buf(), bytes, fields: HashMap::new() };
        if file.bytes.len() as u64 > max_bytes {
            return Err(file.error(format!("exceeds {max_bytes} bytes")));
        }
        let header = file.bytes.first_chunk().copied().map(u64::from_le_bytes);
        if header.is_some_and(|length| length > MAX_HEADER_BYTES) {
            return Err(file.error(format!("its header exceeds {MAX_HEADER_BYTES} bytes: damaged")));
        }
        let (_, read) =
            SafeTensors::read_metadata(&file.bytes).map_err(|e| file.error(format!("damaged: {e}")))?;
        file.fields = read.metadata().clone().unwrap_or_default();
        let found = file.field("format")?;
        if found != format {
            return Err(file.error(format!("is of format {found:?}, this program reads {format}")));
        }
        Ok(file)
    }

    /// An error that names the file.
    pub(crate) fn error(&self, what: impl Into<String>) -> AttributionError {
        AttributionError::StoreFile { path: self.path.clone(), what: what.into() }
    }

    /// A text field.
    pub(crate) fn field(&self, name: &str) -> Result<&str, AttributionError> {
        let value = self.fields.get(name).map(String::as_str);
        value.ok_or_else(|| self.error(format!("says no {name}: damaged, or not of a store")))
    }

    /// What a text field says.
    pub(crate) fn parsed<T: FromStr>(&self, name: &str) -> Result<T, AttributionError> {
        let text = self.field(name)?;
        text.parse().map_err(|_| self.error(format!("its {name} {text:?} makes no sense: damaged")))
    }

    /// A tensor of finite numbers.
    pub(crate) fn f32s(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, AttributionError> {
        let values: Vec<f32> = self.read(name, Dtype::F32, shape, f32::from_le_bytes)?;
        self.finite(name, values.iter().position(|v| !v.is_finite()))?;
        Ok(values)
    }

    /// A tensor of finite numbers.
    pub(crate) fn f64s(&self, name: &str, shape: &[usize]) -> Result<Vec<f64>, AttributionError> {
        let values: Vec<f64> = self.read(name, Dtype::F64, shape, f64::from_le_bytes)?;
        self.finite(name, values.iter().position(|v| !v.is_finite()))?;
        Ok(values)
    }

    /// A tensor of whole numbers.
    pub(crate) fn u32s(&self, name: &str, shape: &[usize]) -> Result<Vec<u32>, AttributionError> {
        self.read(name, Dtype::U32, shape, u32::from_le_bytes)
    }

    fn finite(&self, name: &str, place: Option<usize>) -> Result<(), AttributionError> {
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
    ) -> Result<Vec<T>, AttributionError> {
        let damaged = |e: safetensors::SafeTensorError| self.error(format!("damaged: {e}"));
        let file = SafeTensors::deserialize(&self.bytes).map_err(damaged)?;
        let view = file.tensor(name).map_err(damaged)?;
        if view.dtype() != dtype || view.shape() != shape {
            let (found, of) = (view.shape(), view.dtype());
            return Err(self.error(format!("its {name} is {of:?} {found:?}, expected {dtype:?} {shape:?}")));
        }
        Ok(view.data().as_chunks::<N>().0.iter().map(|bytes| number(*bytes)).collect())
    }

    /// Writes tensors and fields; the file replaces an older one in a single step, or nothing is left of it.
    pub(crate) fn write(
        path: &Path,
        format: &str,
        tensors: &[Named<'_>],
        fields: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Result<(), AttributionError> {
        let unfit = |e: safetensors::SafeTensorError| AttributionError::StoreFile {
            path: path.to_path_buf(),
            what: format!("cannot be written: {e}"),
        };
        let fields = fields.into_iter().chain([("format", format.to_owned())]);
        let fields = fields.map(|(name, value)| (name.to_owned(), value)).collect();
        let buffers: Vec<Vec<u8>> = tensors.iter().map(|(_, _, numbers)| numbers.le_bytes()).collect();
        let mut views = Vec::with_capacity(tensors.len());
        for ((name, shape, numbers), buffer) in tensors.iter().zip(&buffers) {
            views.push((*name, TensorView::new(numbers.dtype(), shape.clone(), buffer).map_err(unfit)?));
        }
        let bytes = safetensors::serialize(views, Some(fields)).map_err(unfit)?;
        let partial = path.with_extension("partial");
        let written = File::create(&partial)
            .and_then(|mut file| file.write_all(&bytes).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&partial, path));
        written.map_err(|source| {
            // Half a file only takes space that may be what is lacking.
            let _ = fs::remove_file(&partial);
            AttributionError::Io { path: path.to_path_buf(), source }
        })
    }
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
    pub(crate) fn le_bytes(&self) -> Vec<u8> {
        match self {
            Self::F32(values) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Self::F64(values) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Self::U32(values) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        }
    }
}
