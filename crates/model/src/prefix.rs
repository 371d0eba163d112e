//! The output of the frozen lower layers, computed once a sequence.
//!
//! An adapter changes only the upper layers, so what lies below is the same in every epoch, for every
//! adapter on the same layers, and for gradients.

use std::collections::HashMap;

use tch::Tensor;

use crate::{
    error::ModelError,
    sequence::{Batch, Sequence},
    transformer::BaseModel,
};

/// Hidden states by tokens, up to a byte budget; what does not fit is computed again each time.
#[derive(Debug)]
pub struct PrefixCache {
    first_layer: usize,
    max_bytes: usize,
    bytes: usize,
    hidden: HashMap<Vec<u32>, Tensor>,
}

impl PrefixCache {
    /// A cache below `first_layer` (see [`crate::LoraConfig::first_layer`]) of at most `max_bytes`.
    pub fn new(first_layer: usize, max_bytes: usize) -> Self {
        Self { first_layer, max_bytes, bytes: 0, hidden: HashMap::new() }
    }

    /// The layer whose input is cached.
    pub const fn first_layer(&self) -> usize {
        self.first_layer
    }

    /// Bytes held.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Forgets everything, such as rows whose owner erased them.
    pub fn clear(&mut self) {
        self.hidden.clear();
        self.bytes = 0;
    }

    /// `[N, T, d]` inputs of `first_layer`, zero where padded.
    pub(crate) fn hidden(
        &mut self,
        model: &BaseModel,
        sequences: &[&Sequence],
        t: usize,
    ) -> Result<Tensor, ModelError> {
        let missing: Vec<&Sequence> =
            sequences.iter().copied().filter(|s| !self.hidden.contains_key(s.tokens())).collect();
        let mut fresh: HashMap<&[u32], Tensor> = HashMap::new();
        if !missing.is_empty() {
            let _guard = tch::no_grad_guard();
            let batch = Batch::new(&missing, model.config().vocab_size, model.device())?;
            let hidden = model.embed(&batch.tokens)?;
            let hidden = model.run_layers(0..self.first_layer, hidden, None, None)?;
            for (i, sequence) in missing.iter().enumerate() {
                let length = sequence.tokens().len() as i64;
                // A view would keep the whole batch alive.
                let row = hidden.f_get(i as i64)?.f_narrow(0, 0, length)?.f_detach_copy()?;
                fresh.insert(sequence.tokens(), row);
            }
        }
        let width = model.config().d_model;
        let mut rows = Vec::with_capacity(sequences.len());
        for sequence in sequences {
            let tokens = sequence.tokens();
            let row = match self.hidden.get(tokens).or_else(|| fresh.get(tokens)) {
                Some(row) => row,
                None => return Err(ModelError::Invalid("sequence missing from its own batch".into())),
            };
            let padding = (t - tokens.len()) as i64;
            rows.push(row.f_constant_pad_nd([0, 0, 0, padding])?);
        }
        for (tokens, row) in fresh {
            let bytes = tokens.len() * width * 4;
            if self.bytes + bytes <= self.max_bytes {
                self.bytes += bytes;
                self.hidden.insert(tokens.to_vec(), row);
            }
        }
        Ok(Tensor::f_stack(&rows, 0)?)
    }
}
