//! Tensors in a safetensors file with text fields beside them: bounded when read, whole when written.

use std::{collections::HashMap, path::Path};

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use tch::{Device, Tensor};

use crate::error::ModelError;

/// A file that was read; nothing in it is trusted before its owner has checked its hash.
#[derive(Debug)]
pub(crate) struct TensorFile {
    bytes: Vec<u8>,
    fields: HashMap<String, String>,
}

/// A tensor to write: name, shape and its numbers in order.
pub(crate) type Named<'a> = (String, Vec<usize>, &'a [f32]);

impl TensorFile {
    /// Reads a file of at most `max_bytes`.
    pub(crate) fn read(path: &Path, max_bytes: u64) -> Result<Self, ModelError> {
        let io = |source| ModelError::Io { path: path.to_path_buf(), source };
        if std::fs::metadata(path).map_err(io)?.len() > max_bytes {
            return Err(ModelError::Adapter(format!("file exceeds {max_bytes} bytes")));
        }
        let bytes = std::fs::read(path).map_err(io)?;
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(refused)?;
        Ok(Self { fields: header.metadata().clone().unwrap_or_default(), bytes })
    }

    /// A text field.
    pub(crate) fn field(&self, name: &str) -> Result<&str, ModelError> {
        let value = self.fields.get(name).map(String::as_str);
        value.ok_or_else(|| ModelError::Adapter(format!("metadata {name} is missing")))
    }

    /// A number in a text field.
    pub(crate) fn number<T: std::str::FromStr>(&self, name: &str) -> Result<T, ModelError> {
        let text = self.field(name)?;
        text.parse()
            .map_err(|_| ModelError::Adapter(format!("metadata {name} is {text:?}, which is no number")))
    }

    /// Matrices of these names and shapes, all of finite numbers.
    pub(crate) fn matrices<'a>(
        &self,
        wanted: impl IntoIterator<Item = (String, &'a [usize; 2])>,
        device: Device,
    ) -> Result<Vec<Tensor>, ModelError> {
        let file = SafeTensors::deserialize(&self.bytes).map_err(refused)?;
        let mut tensors = Vec::new();
        for (name, shape) in wanted {
            let view = file.tensor(&name).map_err(refused)?;
            if view.dtype() != Dtype::F32 || view.shape() != shape {
                return Err(ModelError::Adapter(format!("{name} is not F32 of shape {shape:?}")));
            }
            let words = view.data().chunks_exact(4);
            let values: Vec<f32> = words.map(|w| f32::from_le_bytes([w[0], w[1], w[2], w[3]])).collect();
            if !values.iter().all(|v| v.is_finite()) {
                return Err(ModelError::Adapter(format!("{name} holds values that are not finite")));
            }
            let size = [shape[0] as i64, shape[1] as i64];
            tensors.push(Tensor::f_from_slice(&values)?.f_reshape(size)?.f_to_device(device)?);
        }
        Ok(tensors)
    }

    /// Writes tensors and fields; the file replaces an older one in a single step.
    pub(crate) fn write(
        path: &Path,
        tensors: &[Named<'_>],
        fields: HashMap<String, String>,
    ) -> Result<(), ModelError> {
        let io = |source| ModelError::Io { path: path.to_path_buf(), source };
        let buffers: Vec<Vec<u8>> = tensors.iter().map(|(_, _, values)| le_bytes(values)).collect();
        let mut views = Vec::with_capacity(tensors.len());
        for ((name, shape, _), buffer) in tensors.iter().zip(&buffers) {
            views.push((name, TensorView::new(Dtype::F32, shape.clone(), buffer).map_err(refused)?));
        }
        let bytes = safetensors::serialize(views, Some(fields)).map_err(refused)?;
        let partial = path.with_extension("partial");
        let written = std::fs::write(&partial, bytes).and_then(|()| std::fs::rename(&partial, path));
        written.map_err(|source| {
            // Half a file only takes space that may be what is lacking.
            let _ = std::fs::remove_file(&partial);
            io(source)
        })
    }
}

/// Numbers as they are stored and hashed.
pub(crate) fn le_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn refused(error: safetensors::SafeTensorError) -> ModelError {
    ModelError::Adapter(error.to_string())
}
