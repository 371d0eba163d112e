//! A base model with an adapter, from their files.

use std::path::PathBuf;

use clap::Args;
use eyre::{Context, Result};
use openledger_attribution::AttributionError;
use openledger_model::{Adapter, BaseModel, Device, ModelError, Sequence, Tokenizer};

use crate::processor::ProcessorArguments;

/// Whose gradients are taken.
#[derive(Debug, Args)]
pub(crate) struct ModelArguments {
    /// The base model, a GGUF file.
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// The adapter, a safetensors file.
    #[arg(long, value_name = "FILE")]
    adapter: PathBuf,
    #[command(flatten)]
    processor: ProcessorArguments,
}

/// Both, loaded.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) base: BaseModel,
    pub(crate) tokenizer: Tokenizer,
    pub(crate) adapter: Adapter,
    /// Threads that take gradients, each with one of libtorch.
    pub(crate) threads: usize,
}

impl ModelArguments {
    pub(crate) fn load(&self) -> Result<Model> {
        // What is left to this thread is small, and has the same bits however many take gradients.
        openledger_model::set_num_threads(1);
        let device = self.processor.device()?;
        let named = |path: &PathBuf| path.display().to_string();
        let (base, tokenizer) = BaseModel::load(&self.model, device).wrap_err_with(|| named(&self.model))?;
        let adapter = Adapter::load(&base, &self.adapter).wrap_err_with(|| named(&self.adapter))?;
        let threads = if device == Device::Cpu { self.processor.threads().clamp(1, 1024) } else { 1 };
        Ok(Model { base, tokenizer, adapter, threads: threads as usize })
    }
}

impl Model {
    /// A row as the model is trained on it; nothing where it has no token or more than the context.
    pub(crate) fn row(&self, text: &str) -> Result<Option<Sequence>, AttributionError> {
        match self.tokenizer.row(text) {
            Ok(row) if row.tokens().len() <= self.base.config().context_tokens => Ok(Some(row)),
            Ok(_) | Err(ModelError::Invalid(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
