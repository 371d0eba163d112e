//! The state of a training after some steps: what the steps after it follow from.

use std::{collections::HashMap, path::Path};

use alloy_primitives::{B256, Keccak256};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use tch::{Device, Kind, Tensor};

use crate::{
    error::ModelError,
    lora::{Adapter, LoraConfig},
    transformer::BaseModel,
};

const FORMAT: &str = "openledger-checkpoint-v1";
const MAX_FILE_BYTES: u64 = 4 << 30;

/// An adapter in training with its optimiser's moments.
#[derive(Debug)]
pub struct Checkpoint {
    /// Steps taken.
    pub step: usize,
    /// The adapter.
    pub adapter: Adapter,
    pub(crate) first: Vec<Tensor>,
    pub(crate) second: Vec<Tensor>,
}

impl Checkpoint {
    fn values(&self) -> Result<Vec<Vec<f32>>, ModelError> {
        let mut values = self.adapter.values()?;
        for tensor in self.first.iter().chain(&self.second) {
            let flat = tensor.f_to_device(Device::Cpu)?.f_to_kind(Kind::Float)?.f_contiguous()?;
            values.push(Vec::<f32>::try_from(&flat.f_reshape([-1])?)?);
        }
        Ok(values)
    }

    /// keccak256 over format, step, the adapter's hash and the moments' numbers.
    pub fn hash(&self) -> Result<B256, ModelError> {
        let mut hasher = Keccak256::new();
        hasher.update(FORMAT);
        hasher.update((self.step as u64).to_be_bytes());
        hasher.update(self.adapter.hash()?);
        for values in self.values()?.iter().skip(self.adapter.tensors().len()) {
            hasher.update(le_bytes(values));
        }
        Ok(hasher.finalize())
    }

    /// How far the adapter lies from another's, as a part of that one's length.
    pub fn distance(&self, other: &Self) -> Result<f64, ModelError> {
        let (mine, theirs) = (self.adapter.values()?, other.adapter.values()?);
        let (mut apart, mut length) = (0.0, 0.0);
        for (a, b) in mine.iter().flatten().zip(theirs.iter().flatten()) {
            let (a, b) = (f64::from(*a), f64::from(*b));
            apart += (a - b) * (a - b);
            length += b * b;
        }
        Ok((apart / length.max(f64::MIN_POSITIVE)).sqrt())
    }

    /// Writes it; the file replaces an older one in a single step.
    pub fn save(&self, path: &Path) -> Result<(), ModelError> {
        let io = |source| ModelError::Io { path: path.to_path_buf(), source };
        let buffers: Vec<Vec<u8>> = self.values()?.iter().map(|v| le_bytes(v)).collect();
        let tensors = self.adapter.tensors();
        let mut views = Vec::new();
        for (i, buffer) in buffers.iter().enumerate() {
            let shape = tensors[i % tensors.len()].size().iter().map(|&s| s as usize).collect();
            views.push((i.to_string(), TensorView::new(Dtype::F32, shape, buffer).map_err(refused)?));
        }
        let metadata = HashMap::from([
            ("format".to_owned(), FORMAT.to_owned()),
            ("step".to_owned(), self.step.to_string()),
            ("hash".to_owned(), self.hash()?.to_string()),
        ]);
        let bytes = safetensors::serialize(views, Some(metadata)).map_err(refused)?;
        let partial = path.with_extension("partial");
        std::fs::write(&partial, bytes).map_err(io)?;
        std::fs::rename(&partial, path).map_err(io)
    }

    /// Reads one of a training with this adapter, and checks it against its own hash.
    pub fn load(model: &BaseModel, config: LoraConfig, path: &Path) -> Result<Self, ModelError> {
        let io = |source| ModelError::Io { path: path.to_path_buf(), source };
        if std::fs::metadata(path).map_err(io)?.len() > MAX_FILE_BYTES {
            return Err(ModelError::Adapter(format!("checkpoint exceeds {MAX_FILE_BYTES} bytes")));
        }
        let bytes = std::fs::read(path).map_err(io)?;
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(refused)?;
        let file = SafeTensors::deserialize(&bytes).map_err(refused)?;
        let metadata = header.metadata().clone().unwrap_or_default();
        let field = |name: &str| {
            let value = metadata.get(name).map(String::as_str);
            value.ok_or_else(|| ModelError::Adapter(format!("checkpoint metadata {name} is missing")))
        };
        let step = field("step")?.parse();
        let step = step.map_err(|_| ModelError::Adapter("the checkpoint's step is no number".into()))?;
        config.validate(model.config())?;
        let shapes = config.shapes(model.config());
        let mut tensors = Vec::with_capacity(shapes.len() * 3);
        for i in 0..shapes.len() * 3 {
            let shape = shapes[i % shapes.len()];
            let view = file.tensor(&i.to_string()).map_err(refused)?;
            if view.dtype() != Dtype::F32 || view.shape() != shape {
                return Err(ModelError::Adapter(format!("checkpoint tensor {i} is not F32 of {shape:?}")));
            }
            let words = view.data().chunks_exact(4);
            let values: Vec<f32> = words.map(|w| f32::from_le_bytes([w[0], w[1], w[2], w[3]])).collect();
            let size = [shape[0] as i64, shape[1] as i64];
            tensors.push(Tensor::f_from_slice(&values)?.f_reshape(size)?.f_to_device(model.device())?);
        }
        let second = tensors.split_off(shapes.len() * 2);
        let first = tensors.split_off(shapes.len());
        let adapter = Adapter::new(model, config, 0)?.with_tensors(tensors)?;
        let checkpoint = Self { step, adapter, first, second };
        if field("format")? != FORMAT || checkpoint.hash()?.to_string() != field("hash")? {
            return Err(ModelError::Adapter("the checkpoint does not match its own hash".into()));
        }
        Ok(checkpoint)
    }
}

fn le_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn refused(error: safetensors::SafeTensorError) -> ModelError {
    ModelError::Adapter(error.to_string())
}
