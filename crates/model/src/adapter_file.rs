//! Adapters on disk (safetensors, tensor names as PEFT has them) and the hash that names them.

use std::path::Path;

use alloy_primitives::{B256, Keccak256};
use openledger_tensor_file::{Numbers, TensorFile};
use tch::{Device, Tensor};

use crate::{
    error::ModelError,
    lora::{Adapter, LoraConfig},
    transformer::BaseModel,
};

const FORMAT: &str = "openledger-adapter-v1";
const MAX_FILE_BYTES: u64 = 1 << 30;

impl Adapter {
    /// keccak256 over format, base model, sizes and every number in order: the adapter hash of
    /// receipts. It does not depend on how a file orders or pads things.
    pub fn hash(&self) -> Result<B256, ModelError> {
        let mut hasher = Keccak256::new();
        hasher.update(FORMAT);
        hasher.update(self.base);
        for size in [self.config.rank, self.config.n_layers, self.first_layer] {
            hasher.update((size as u64).to_be_bytes());
        }
        hasher.update(self.config.alpha.to_be_bytes());
        for values in self.values()? {
            hasher.update(Numbers::F32(&values).le_bytes());
        }
        Ok(hasher.finalize())
    }

    /// Writes the adapter; the file replaces an older one in a single step.
    pub fn save(&self, path: &Path) -> Result<(), ModelError> {
        let values = self.values()?;
        let shape = |i: usize| self.tensors[i].size().iter().map(|&s| s as usize).collect();
        let named: Vec<_> = values
            .iter()
            .enumerate()
            .map(|(i, v)| (tensor_name(self.first_layer, i), shape(i), Numbers::F32(v)))
            .collect();
        let fields = [
            ("base", self.base.to_string()),
            ("rank", self.config.rank.to_string()),
            ("alpha", self.config.alpha.to_string()),
            ("n_layers", self.config.n_layers.to_string()),
            ("hash", self.hash()?.to_string()),
        ];
        Ok(TensorFile::write(path, FORMAT, &named, fields)?)
    }

    /// Reads an adapter of this base model and checks it against its own hash.
    pub fn load(model: &BaseModel, path: &Path) -> Result<Self, ModelError> {
        let file = TensorFile::open(path, FORMAT, MAX_FILE_BYTES)?;
        if file.field("base")? != model.hash().to_string() {
            return Err(file.error("trained on another base model").into());
        }
        let config = LoraConfig {
            rank: file.parsed("rank")?,
            alpha: file.parsed("alpha")?,
            n_layers: file.parsed("n_layers")?,
        };
        config.validate(model.config())?;

        let first_layer = config.first_layer(model.config());
        let shapes = config.shapes(model.config());
        let wanted = shapes.iter().enumerate().map(|(i, shape)| (tensor_name(first_layer, i), shape));
        let tensors = matrices(&file, wanted, model.device())?;
        let adapter = Self { config, base: model.hash(), first_layer, tensors };
        if adapter.hash()?.to_string() != file.field("hash")? {
            return Err(file.error("does not match its own hash").into());
        }
        Ok(adapter)
    }
}

/// Matrices of these names and shapes, all of finite numbers.
pub(crate) fn matrices<'a>(
    file: &TensorFile,
    wanted: impl IntoIterator<Item = (String, &'a [usize; 2])>,
    device: Device,
) -> Result<Vec<Tensor>, ModelError> {
    let matrix = |(name, shape): (String, &[usize; 2])| {
        let size = shape.map(|size| size as i64);
        Ok(Tensor::f_from_slice(&file.f32s(&name, shape)?)?.f_reshape(size)?.f_to_device(device)?)
    };
    wanted.into_iter().map(matrix).collect()
}

fn tensor_name(first_layer: usize, index: usize) -> String {
    let layer = first_layer + index / 4;
    let projection = if index % 4 < 2 { "q_proj" } else { "v_proj" };
    let side = if index.is_multiple_of(2) { "A" } else { "B" };
    format!("base_model.model.model.layers.{layer}.self_attn.{projection}.lora_{side}.weight")
}
