//! What can go wrong with a model, and what to do about it.

use std::path::PathBuf;

use openledger_tensor_file::TensorFileError;

/// An error of the model crate.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file could not be read or written.
    #[error(
        "cannot access {path}: {source}; check that it is there and readable, and that the disk has room"
    )]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The model file is not a sound GGUF file.
    #[error("model file: {0}; fetch the file again")]
    Gguf(#[from] GgufError),
    /// The tokenizer could not be built or used.
    #[error("tokenizer: {0}")]
    Tokenizer(String),
    /// An adapter or a checkpoint is not sound, or belongs to another base model.
    #[error("adapter: {0}")]
    Adapter(String),
    /// The request is outside what the model takes.
    #[error("invalid request: {0}")]
    Invalid(String),
    /// Training met a loss or gradient that is not a finite number.
    #[error("training diverged at step {step}; lower the learning rate")]
    Diverged {
        /// The optimiser step, from 1.
        step: usize,
    },
    /// The caller's progress callback asked to stop.
    #[error("cancelled by the caller")]
    Cancelled,
    /// libtorch refused an operation (shape, memory, device).
    #[error("libtorch: {0}")]
    Torch(#[from] tch::TchError),
}

impl From<TensorFileError> for ModelError {
    fn from(error: TensorFileError) -> Self {
        match error {
            TensorFileError::Io { path, source } => Self::Io { path, source },
            TensorFileError::Unsound { what, .. } => Self::Adapter(what),
        }
    }
}

/// Why a GGUF file was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GgufError {
    /// The first four bytes are not `GGUF`.
    #[error("not a GGUF file (wrong magic bytes)")]
    Magic,
    /// Only version 3 is read.
    #[error("GGUF version {0} is not supported, only 3 is")]
    Version(u32),
    /// The file ends before what its header promises.
    #[error("truncated: {what} needs {needed} bytes at offset {offset}")]
    Truncated {
        /// What was being read.
        what: &'static str,
        /// Where.
        offset: usize,
        /// How many bytes it needed.
        needed: u64,
    },
    /// A count or size beyond any real model.
    #[error("{what} of {count} exceeds the limit of {limit}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// How large it claims to be.
        count: u64,
        /// The limit.
        limit: u64,
    },
    /// Text that is not UTF-8.
    #[error("text at offset {0} is not UTF-8")]
    Text(usize),
    /// A metadata value type outside the format.
    #[error("unknown metadata value type {0}")]
    ValueType(u32),
    /// A tensor stored in an encoding that is not read here.
    #[error("tensor {name}: encoding {encoding} is not supported (F32, F16, Q4_1 and Q8_0 are)")]
    TensorType {
        /// The tensor.
        name: String,
        /// The encoding's number in the format.
        encoding: u32,
    },
    /// A tensor's shape is not the one the architecture needs.
    #[error("tensor {name} has shape {found:?}, expected {expected:?}")]
    Shape {
        /// The tensor.
        name: String,
        /// The shape in the file, fastest dimension first.
        found: Vec<u64>,
        /// The shape needed, fastest dimension first.
        expected: Vec<u64>,
    },
    /// Something the architecture needs is not in the file.
    #[error("{0} is missing or of the wrong kind")]
    Missing(String),
    /// The same name twice.
    #[error("{0} occurs twice")]
    Duplicate(String),
    /// Weights that are not finite numbers.
    #[error("tensor {0} holds values that are not finite")]
    NotFinite(String),
}
