//! LoRA adapters on the query and value projections of a model's upper layers.

use alloy_primitives::B256;
use tch::{Device, Kind, Tensor};

use crate::{config::ModelConfig, error::ModelError, seeded::Seeded, transformer::BaseModel};

/// The size of an adapter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LoraConfig {
    /// Rank of the update.
    pub rank: usize,
    /// The update is scaled by `alpha / rank`.
    pub alpha: f64,
    /// How many layers carry the adapter, counted from the top.
    pub n_layers: usize,
}

impl Default for LoraConfig {
    /// Rank 8 on the six upper layers: small enough to train in a minute on two cores, large enough
    /// that a subject's held-out loss clearly falls.
    fn default() -> Self {
        Self { rank: 8, alpha: 16.0, n_layers: 6 }
    }
}

impl LoraConfig {
    /// Refuses sizes that do not fit the model.
    pub fn validate(&self, model: &ModelConfig) -> Result<(), ModelError> {
        if self.rank == 0 || self.rank > model.d_model.min(256) {
            return Err(ModelError::Invalid(format!("LoRA rank {} is out of range", self.rank)));
        }
        if self.n_layers == 0 || self.n_layers > model.n_layers {
            return Err(ModelError::Invalid(format!(
                "LoRA on {} layers of a model of {}",
                self.n_layers, model.n_layers
            )));
        }
        if !(self.alpha.is_finite() && self.alpha > 0.0) {
            return Err(ModelError::Invalid("LoRA alpha must be positive".into()));
        }
        Ok(())
    }

    /// The lowest layer that carries the adapter.
    pub const fn first_layer(&self, model: &ModelConfig) -> usize {
        model.n_layers.saturating_sub(self.n_layers)
    }

    /// Shapes of the adapter's tensors: for each layer A and B of the query, A and B of the value.
    pub(crate) fn shapes(&self, model: &ModelConfig) -> Vec<[usize; 2]> {
        let layer = [
            [self.rank, model.d_model],
            [model.d_model, self.rank],
            [self.rank, model.d_model],
            [model.kv_width(), self.rank],
        ];
        layer.repeat(self.n_layers)
    }
}

/// An adapter's tensors as a forward pass takes them.
#[derive(Debug, Clone, Copy)]
pub struct Lora<'a> {
    /// The lowest layer that carries the adapter.
    pub first_layer: usize,
    /// `alpha / rank`.
    pub scale: f64,
    /// Four tensors a layer, in the order of [`Adapter::tensors`]: `[r, in]` and `[out, r]`, or
    /// `[N, r, in]` and `[N, out, r]` for one copy a sequence.
    pub tensors: &'a [Tensor],
}

impl<'a> Lora<'a> {
    pub(crate) fn layer(self, index: usize) -> Option<[&'a Tensor; 4]> {
        let at = index.checked_sub(self.first_layer)? * 4;
        match self.tensors.get(at..at + 4)? {
            [q_a, q_b, v_a, v_b] => Some([q_a, q_b, v_a, v_b]),
            _ => None,
        }
    }
}

/// A trained (or fresh) adapter of one base model.
#[derive(Debug)]
pub struct Adapter {
    pub(crate) config: LoraConfig,
    pub(crate) base: B256,
    pub(crate) first_layer: usize,
    pub(crate) tensors: Vec<Tensor>,
}

impl Adapter {
    /// A fresh adapter, which changes nothing until it is trained: A is random, B is zero.
    pub fn new(model: &BaseModel, config: LoraConfig, seed: u64) -> Result<Self, ModelError> {
        config.validate(model.config())?;
        let mut random = Seeded::new(seed);
        let mut tensors = Vec::new();
        for (i, shape) in config.shapes(model.config()).iter().enumerate() {
            let bound = if i % 2 == 0 { (3.0 / shape[1] as f32).sqrt() } else { 0.0 };
            tensors.push(random.uniform_tensor(shape, bound, model.device())?);
        }
        let first_layer = config.first_layer(model.config());
        Ok(Self { config, base: model.hash(), first_layer, tensors })
    }

    /// An adapter with the same sizes and other values, in the order of [`Self::tensors`].
    pub fn with_tensors(&self, tensors: Vec<Tensor>) -> Result<Self, ModelError> {
        if tensors.len() != self.tensors.len()
            || tensors.iter().zip(&self.tensors).any(|(a, b)| a.size() != b.size())
        {
            return Err(ModelError::Adapter("tensors of other shapes".into()));
        }
        Ok(Self { config: self.config, base: self.base, first_layer: self.first_layer, tensors })
    }

    /// The sizes.
    pub const fn config(&self) -> LoraConfig {
        self.config
    }

    /// Hash of the base model.
    pub const fn base_hash(&self) -> B256 {
        self.base
    }

    /// Four tensors a layer, lowest layer first: query A `[r, d]` and B `[d, r]`, value A `[r, d]`
    /// and B `[kv, r]`.
    pub fn tensors(&self) -> &[Tensor] {
        &self.tensors
    }

    /// How many numbers the adapter has: the length of a row's gradient.
    pub fn n_parameters(&self) -> usize {
        self.tensors.iter().map(Tensor::numel).sum()
    }

    /// The adapter as a forward pass takes it.
    pub fn lora(&self) -> Lora<'_> {
        self.lora_with(&self.tensors)
    }

    /// The adapter's layout with other tensors, such as copies that require gradients.
    pub const fn lora_with<'a>(&self, tensors: &'a [Tensor]) -> Lora<'a> {
        let scale = self.config.alpha / self.config.rank as f64;
        Lora { first_layer: self.first_layer, scale, tensors }
    }

    /// All numbers, in order, on the CPU.
    pub(crate) fn values(&self) -> Result<Vec<Vec<f32>>, ModelError> {
        let mut out = Vec::with_capacity(self.tensors.len());
        for tensor in &self.tensors {
            let flat = tensor.f_to_device(Device::Cpu)?.f_to_kind(Kind::Float)?.f_contiguous()?;
            out.push(Vec::<f32>::try_from(&flat.f_reshape([-1])?)?);
        }
        Ok(out)
    }
}
