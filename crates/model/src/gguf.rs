//! A bounded reader of GGUF version 3: metadata, tensor directory, dequantised tensors.
//!
//! Every count is checked against a limit and against the bytes that are left before anything is
//! allocated, so a hostile file costs no more than its own size.

use std::{collections::BTreeMap, path::Path};

use crate::{
    dequantise::{self, Encoding},
    error::{GgufError, ModelError},
};

const MAX_FILE_BYTES: u64 = 4 << 30;
const MAX_METADATA: u64 = 4096;
const MAX_TENSORS: u64 = 16_384;
const MAX_TEXT_BYTES: u64 = 1 << 20;
const MAX_ARRAY: u64 = 1 << 20;
const MAX_TENSOR_ELEMENTS: u64 = 1 << 31;
const MAX_DIMENSIONS: u32 = 4;
const DEFAULT_ALIGNMENT: u64 = 32;

/// A metadata value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Any integer type of the format.
    Integer(i128),
    /// A 32- or 64-bit float.
    Float(f64),
    /// A boolean.
    Bool(bool),
    /// UTF-8 text.
    Text(String),
    /// A flat array (the format's nested arrays are refused).
    Array(Vec<Self>),
}

/// Where a tensor lies and how it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Dimensions, fastest first.
    pub shape: Vec<u64>,
    /// How its elements are stored.
    pub encoding: Encoding,
    offset: usize,
    bytes: usize,
}

/// A parsed GGUF file, held in memory.
#[derive(Debug)]
pub struct Gguf {
    metadata: BTreeMap<String, Value>,
    tensors: BTreeMap<String, TensorInfo>,
    data: Vec<u8>,
}

impl Gguf {
    /// Reads and checks a file.
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        let io = |source| ModelError::Io { path: path.to_path_buf(), source };
        let length = std::fs::metadata(path).map_err(io)?.len();
        within("file size", length, MAX_FILE_BYTES)?;
        Ok(Self::parse(std::fs::read(path).map_err(io)?)?)
    }

    /// Parses a file's bytes.
    pub fn parse(data: Vec<u8>) -> Result<Self, GgufError> {
        let mut cursor = Cursor { data: &data, at: 0 };
        if cursor.take("magic", 4)? != b"GGUF" {
            return Err(GgufError::Magic);
        }
        let version = cursor.u32("version")?;
        if version != 3 {
            return Err(GgufError::Version(version));
        }
        let n_tensors = cursor.u64("tensor count")?;
        let n_metadata = cursor.u64("metadata count")?;
        within("tensor count", n_tensors, MAX_TENSORS)?;
        within("metadata count", n_metadata, MAX_METADATA)?;

        let mut metadata = BTreeMap::new();
        for _ in 0..n_metadata {
            let key = cursor.text()?;
            let kind = cursor.u32("value type")?;
            let value = cursor.value(kind, true)?;
            if metadata.insert(key.clone(), value).is_some() {
                return Err(GgufError::Duplicate(key));
            }
        }
        let mut directory = Vec::new();
        for _ in 0..n_tensors {
            directory.push(cursor.tensor_entry()?);
        }

        let alignment = match metadata.get("general.alignment") {
            None => DEFAULT_ALIGNMENT,
            Some(Value::Integer(a)) if (1..=4096).contains(a) => *a as u64,
            Some(_) => return Err(GgufError::Missing("general.alignment".into())),
        };
        let start = (cursor.at as u64).next_multiple_of(alignment);
        let mut tensors = BTreeMap::new();
        for (name, shape, encoding, offset) in directory {
            let elements = shape.iter().product::<u64>();
            let bytes = encoding.bytes(elements).ok_or_else(|| GgufError::Shape {
                name: name.clone(),
                found: shape.clone(),
                expected: vec![encoding.block_elements()],
            })?;
            let truncated = GgufError::Truncated { what: "tensor data", offset: cursor.at, needed: bytes };
            let begin = start.checked_add(offset).ok_or_else(|| truncated.clone())?;
            let end = begin.checked_add(bytes).ok_or_else(|| truncated.clone())?;
            if end > data.len() as u64 {
                return Err(truncated);
            }
            let info = TensorInfo { shape, encoding, offset: begin as usize, bytes: bytes as usize };
            if tensors.insert(name.clone(), info).is_some() {
                return Err(GgufError::Duplicate(name));
            }
        }
        Ok(Self { metadata, tensors, data })
    }

    /// The file's bytes, for hashing.
    pub fn bytes(&self) -> &[u8] {
        &self.data
    }

    /// A tensor's directory entry.
    pub fn tensor(&self, name: &str) -> Option<&TensorInfo> {
        self.tensors.get(name)
    }

    /// A tensor dequantised to f32 in row-major order; `shape` is slowest dimension first.
    pub fn tensor_f32(&self, name: &str, shape: &[u64]) -> Result<Vec<f32>, GgufError> {
        let info = self.tensors.get(name).ok_or_else(|| GgufError::Missing(format!("tensor {name}")))?;
        let expected: Vec<u64> = shape.iter().rev().copied().collect();
        if info.shape != expected {
            return Err(GgufError::Shape { name: name.into(), found: info.shape.clone(), expected });
        }
        let values = dequantise::to_f32(info.encoding, &self.data[info.offset..info.offset + info.bytes]);
        if !values.iter().all(|v| v.is_finite()) {
            return Err(GgufError::NotFinite(name.into()));
        }
        Ok(values)
    }

    /// A whole number from the metadata.
    pub fn integer(&self, key: &str) -> Result<u64, GgufError> {
        match self.metadata.get(key) {
            Some(Value::Integer(v)) => u64::try_from(*v).map_err(|_| GgufError::Missing(key.into())),
            _ => Err(GgufError::Missing(key.into())),
        }
    }

    /// A float from the metadata.
    pub fn float(&self, key: &str) -> Result<f64, GgufError> {
        match self.metadata.get(key) {
            Some(Value::Float(v)) if v.is_finite() => Ok(*v),
            _ => Err(GgufError::Missing(key.into())),
        }
    }

    /// Text from the metadata.
    pub fn text(&self, key: &str) -> Result<&str, GgufError> {
        match self.metadata.get(key) {
            Some(Value::Text(v)) => Ok(v),
            _ => Err(GgufError::Missing(key.into())),
        }
    }

    /// An array from the metadata.
    pub fn array(&self, key: &str) -> Result<&[Value], GgufError> {
        match self.metadata.get(key) {
            Some(Value::Array(v)) => Ok(v),
            _ => Err(GgufError::Missing(key.into())),
        }
    }
}

fn within(what: &'static str, count: u64, limit: u64) -> Result<(), GgufError> {
    if count > limit { Err(GgufError::TooLarge { what, count, limit }) } else { Ok(()) }
}

struct Cursor<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, what: &'static str, bytes: u64) -> Result<&'a [u8], GgufError> {
        let left = (self.data.len() - self.at) as u64;
        if bytes > left {
            return Err(GgufError::Truncated { what, offset: self.at, needed: bytes });
        }
        let slice = &self.data[self.at..self.at + bytes as usize];
        self.at += bytes as usize;
        Ok(slice)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], GgufError> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(what, N as u64)?);
        Ok(out)
    }

    fn u32(&mut self, what: &'static str) -> Result<u32, GgufError> {
        Ok(u32::from_le_bytes(self.array(what)?))
    }

    fn u64(&mut self, what: &'static str) -> Result<u64, GgufError> {
        Ok(u64::from_le_bytes(self.array(what)?))
    }

    fn text(&mut self) -> Result<String, GgufError> {
        let at = self.at;
        let length = self.u64("text length")?;
        within("text length", length, MAX_TEXT_BYTES)?;
        let bytes = self.take("text", length)?;
        String::from_utf8(bytes.to_vec()).map_err(|_| GgufError::Text(at))
    }

    fn value(&mut self, kind: u32, arrays: bool) -> Result<Value, GgufError> {
        const WHAT: &str = "metadata value";
        Ok(match kind {
            0 => Value::Integer(self.array::<1>(WHAT)?[0].into()),
            1 => Value::Integer(i8::from_le_bytes(self.array(WHAT)?).into()),
            2 => Value::Integer(u16::from_le_bytes(self.array(WHAT)?).into()),
            3 => Value::Integer(i16::from_le_bytes(self.array(WHAT)?).into()),
            4 => Value::Integer(self.u32(WHAT)?.into()),
            5 => Value::Integer(i32::from_le_bytes(self.array(WHAT)?).into()),
            6 => Value::Float(f32::from_le_bytes(self.array(WHAT)?).into()),
            7 => Value::Bool(self.array::<1>(WHAT)?[0] != 0),
            8 => Value::Text(self.text()?),
            9 if arrays => {
                let kind = self.u32("array type")?;
                let count = self.u64("array length")?;
                within("array length", count, MAX_ARRAY)?;
                // Every element takes at least a byte, so this bounds the allocation by the file.
                if count > (self.data.len() - self.at) as u64 {
                    return Err(GgufError::Truncated { what: "array", offset: self.at, needed: count });
                }
                let mut items = Vec::with_capacity(count as usize);
                for _ in 0..count {
                    items.push(self.value(kind, false)?);
                }
                Value::Array(items)
            }
            10 => Value::Integer(self.u64(WHAT)?.into()),
            11 => Value::Integer(i64::from_le_bytes(self.array(WHAT)?).into()),
            12 => Value::Float(f64::from_le_bytes(self.array(WHAT)?)),
            other => return Err(GgufError::ValueType(other)),
        })
    }

    fn tensor_entry(&mut self) -> Result<(String, Vec<u64>, Encoding, u64), GgufError> {
        let name = self.text()?;
        let n_dimensions = self.u32("dimension count")?;
        within("dimension count", n_dimensions.into(), MAX_DIMENSIONS.into())?;
        let mut shape = Vec::with_capacity(n_dimensions as usize);
        let mut elements = 1u64;
        for _ in 0..n_dimensions {
            let size = self.u64("dimension")?;
            elements = elements.saturating_mul(size);
            within("tensor elements", elements.max(size), MAX_TENSOR_ELEMENTS)?;
            shape.push(size);
        }
        let number = self.u32("tensor encoding")?;
        let encoding = Encoding::from_number(number)
            .ok_or_else(|| GgufError::TensorType { name: name.clone(), encoding: number })?;
        let offset = self.u64("tensor offset")?;
        Ok((name, shape, encoding, offset))
    }
}
