//! Adapters on disk (safetensors, tensor names as PEFT has them) and the hash that names them.

use std::{collections::HashMap, path::Path};

use alloy_primitives::{B256, Keccak256};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use tch::Tensor;

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
            hasher.update(le_bytes(&values));
        }
        Ok(hasher.finalize())
    }

    /// Writes the adapter; the file replaces an older one in a single step.
    pub fn save(&self, path: &Path) -> Result<(), ModelError> {
        let io = |source| ModelError::Io { path: path.to_path_buf(), source };
        let buffers: Vec<Vec<u8>> = self.values()?.iter().map(|v| le_bytes(v)).collect();
        let mut views = Vec::new();
        for (i, (buffer, tensor)) in buffers.iter().zip(&self.tensors).enumerate() {
            let shape = tensor.size().iter().map(|&s| s as usize).collect();
            let view = TensorView::new(Dtype::F32, shape, buffer).map_err(refused)?;
            views.push((tensor_name(self.first_layer, i), view));
        }
        let metadata = HashMap::from([
            ("format".to_owned(), FORMAT.to_owned()),
            ("base".to_owned(), self.base.to_string()),
            ("rank".to_owned(), self.config.rank.to_string()),
            ("alpha".to_owned(), self.config.alpha.to_string()),
            ("n_layers".to_owned(), self.config.n_layers.to_string()),
            ("hash".to_owned(), self.hash()?.to_string()),
        ]);
        let bytes = safetensors::serialize(views, Some(metadata)).map_err(refused)?;
        let partial = path.with_extension("partial");
        std::fs::write(&partial, bytes).map_err(io)?;
        std::fs::rename(&partial, path).map_err(io)
    }

    /// Reads an adapter of this base model and checks it against its own hash.
    pub fn load(model: &BaseModel, path: &Path) -> Result<Self, ModelError> {
        let io = |source| ModelError::Io { path: path.to_path_buf(), source };
        if std::fs::metadata(path).map_err(io)?.len() > MAX_FILE_BYTES {
            return Err(ModelError::Adapter(format!("file exceeds {MAX_FILE_BYTES} bytes")));
        }
        let bytes = std::fs::read(path).map_err(io)?;
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(refused)?;
        let file = SafeTensors::deserialize(&bytes).map_err(refused)?;
        let metadata = header.metadata().clone().unwrap_or_default();
        let field = |name: &str| {
            let value = metadata.get(name).map(String::as_str);
            value.ok_or_else(|| ModelError::Adapter(format!("metadata {name} is missing")))
        };
        if field("format")? != FORMAT {
            return Err(ModelError::Adapter(format!("format is not {FORMAT}")));
        }
        if field("base")? != model.hash().to_string() {
            return Err(ModelError::Adapter("trained on another base model".into()));
        }
        let config = LoraConfig {
            rank: number(field("rank")?)?,
            alpha: number(field("alpha")?)?,
            n_layers: number(field("n_layers")?)?,
        };
        config.validate(model.config())?;

        let first_layer = config.first_layer(model.config());
        let mut tensors = Vec::new();
        for (i, shape) in config.shapes(model.config()).iter().enumerate() {
            let name = tensor_name(first_layer, i);
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
            tensors.push(Tensor::f_from_slice(&values)?.f_reshape(size)?.f_to_device(model.device())?);
        }
        let adapter = Self { config, base: model.hash(), first_layer, tensors };
        if adapter.hash()?.to_string() != field("hash")? {
            return Err(ModelError::Adapter("the file does not match its own hash".into()));
        }
        Ok(adapter)
    }
}

fn tensor_name(first_layer: usize, index: usize) -> String {
    let layer = first_layer + index / 4;
    let projection = if index % 4 < 2 { "q_proj" } else { "v_proj" };
    let side = if index.is_multiple_of(2) { "A" } else { "B" };
    format!("base_model.model.model.layers.{layer}.self_attn.{projection}.lora_{side}.weight")
}

fn le_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, ModelError> {
    text.parse().map_err(|_| ModelError::Adapter(format!("{text:?} is no number")))
}

fn refused(error: safetensors::SafeTensorError) -> ModelError {
    ModelError::Adapter(error.to_string())
}
