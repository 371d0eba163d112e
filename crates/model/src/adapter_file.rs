//! Adapters on disk (safetensors, tensor names as PEFT has them) and the hash that names them.

use std::{collections::HashMap, path::Path};

use alloy_primitives::{B256, Keccak256};

use crate::{
    error::ModelError,
    lora::{Adapter, LoraConfig},
    tensor_file::{TensorFile, le_bytes},
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
        let values = self.values()?;
        let shape = |i: usize| self.tensors[i].size().iter().map(|&s| s as usize).collect();
        let named: Vec<_> = values
            .iter()
            .enumerate()
            .map(|(i, v)| (tensor_name(self.first_layer, i), shape(i), v.as_slice()))
            .collect();
        let fields = HashMap::from([
            ("format".to_owned(), FORMAT.to_owned()),
            ("base".to_owned(), self.base.to_string()),
            ("rank".to_owned(), self.config.rank.to_string()),
            ("alpha".to_owned(), self.config.alpha.to_string()),
            ("n_layers".to_owned(), self.config.n_layers.to_string()),
            ("hash".to_owned(), self.hash()?.to_string()),
        ]);
        TensorFile::write(path, &named, fields)
    }

    /// Reads an adapter of this base model and checks it against its own hash.
    pub fn load(model: &BaseModel, path: &Path) -> Result<Self, ModelError> {
        let file = TensorFile::read(path, MAX_FILE_BYTES)?;
        if file.field("format")? != FORMAT {
            return Err(ModelError::Adapter(format!("format is not {FORMAT}")));
        }
        if file.field("base")? != model.hash().to_string() {
            return Err(ModelError::Adapter("trained on another base model".into()));
        }
        let config = LoraConfig {
            rank: file.number("rank")?,
            alpha: file.number("alpha")?,
            n_layers: file.number("n_layers")?,
        };
        config.validate(model.config())?;

        let first_layer = config.first_layer(model.config());
        let shapes = config.shapes(model.config());
        let wanted = shapes.iter().enumerate().map(|(i, shape)| (tensor_name(first_layer, i), shape));
        let tensors = file.matrices(wanted, model.device())?;
        let adapter = Self { config, base: model.hash(), first_layer, tensors };
        if adapter.hash()?.to_string() != file.field("hash")? {
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
