//! The state of a training after some steps: what the steps after it follow from.

use std::path::Path;

use alloy_primitives::{B256, Keccak256};
use openledger_tensor_file::{Numbers, TensorFile};
use tch::{Device, Kind, Tensor};

use crate::{
    adapter_file::matrices,
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
            hasher.update(Numbers::F32(values).le_bytes());
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
        let (values, tensors) = (self.values()?, self.adapter.tensors());
        let shape = |i: usize| tensors[i % tensors.len()].size().iter().map(|&s| s as usize).collect();
        let named: Vec<_> =
            values.iter().enumerate().map(|(i, v)| (i.to_string(), shape(i), Numbers::F32(v))).collect();
        let fields = [("step", self.step.to_string()), ("hash", self.hash()?.to_string())];
        Ok(TensorFile::write(path, FORMAT, &named, fields)?)
    }

    /// Reads one of a training with this adapter, and checks it against its own hash.
    pub fn load(model: &BaseModel, config: LoraConfig, path: &Path) -> Result<Self, ModelError> {
        let file = TensorFile::open(path, FORMAT, MAX_FILE_BYTES)?;
        config.validate(model.config())?;
        let shapes = config.shapes(model.config());
        let wanted = (0..shapes.len() * 3).map(|i| (i.to_string(), &shapes[i % shapes.len()]));
        let mut tensors = matrices(&file, wanted, model.device())?;
        let second = tensors.split_off(shapes.len() * 2);
        let first = tensors.split_off(shapes.len());
        let adapter = Adapter::new(model, config, 0)?.with_tensors(tensors)?;
        let checkpoint = Self { step: file.parsed("step")?, adapter, first, second };
        if checkpoint.hash()?.to_string() != file.field("hash")? {
            return Err(file.error("does not match its own hash").into());
        }
        Ok(checkpoint)
    }
}
