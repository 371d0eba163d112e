//! Per-sample gradients of an adapter in one batched backward, written out by hand.
//!
//! The adapter's gradient of a sequence is a product of two thin factors: what went into A or B, and what
//! came back at its output. So nothing else is kept of the backward: frozen weights get no gradient, no
//! copy of the adapter is made for each sequence, and A and B are merged into the weights beforehand.
//! Residuals are added inside the matrix products, the gate and up matrices are one product and the
//! query, key and value matrices another, and the vocabulary's softmax is never held whole: a part of it at
//! a time adds to what comes back.

mod head;
mod layer;

use tch::Tensor;

use crate::{
    error::ModelError,
    lora::Adapter,
    per_sample::layer::{Kept, Merged, Pass, Scratch, Shape, Tables},
    prefix::PrefixCache,
    sequence::{Batch, Sequence},
    transformer::BaseModel,
};

/// A model with an adapter merged into it, ready for per-sample gradients.
#[derive(Debug)]
pub struct PerSample<'a> {
    model: &'a BaseModel,
    first_layer: usize,
    layers: Vec<Merged>,
    parameters: usize,
    room: Option<Room>,
}

/// What batches of a shape are computed in.
#[derive(Debug)]
struct Room {
    shape: Shape,
    tables: Tables,
    scratch: Scratch,
    /// Of each layer that the adapter changes.
    kept: Vec<Kept>,
}

/// Gradients of some sequences' losses and the losses themselves.
#[derive(Debug)]
pub struct SampleGradients {
    /// `[N, parameters]`, in the order of [`Adapter::tensors`], f32.
    pub gradients: Tensor,
    /// `[N]`: each sequence's mean loss over its predicted tokens.
    pub losses: Tensor,
}

impl<'a> PerSample<'a> {
    /// Merges an adapter of this base model into copies of the matrices that it changes.
    pub fn new(model: &'a BaseModel, adapter: &Adapter) -> Result<Self, ModelError> {
        if adapter.base_hash() != model.hash() {
            return Err(ModelError::Adapter("trained on another base model".into()));
        }
        let _guard = tch::no_grad_guard();
        let lora = adapter.lora();
        let first_layer = lora.first_layer;
        let mut layers = Vec::with_capacity(model.config().n_layers - first_layer);
        for index in first_layer..model.config().n_layers {
            let tensors = lora
                .layer(index)
                .ok_or_else(|| ModelError::Adapter(format!("no tensors for layer {index}")))?;
            layers.push(Merged::new(model.config(), model.layer(index), tensors, lora.scale)?);
        }
        Ok(Self { model, first_layer, layers, parameters: adapter.n_parameters(), room: None })
    }

    /// Numbers a gradient.
    pub const fn n_parameters(&self) -> usize {
        self.parameters
    }

    /// Gradients of every sequence's loss. Give sequences of like length: the batch is padded to the longest.
    /// What it was computed in stays, for the next batch of the same shape.
    pub fn gradients(
        &mut self,
        sequences: &[&Sequence],
        cache: &mut PrefixCache,
    ) -> Result<SampleGradients, ModelError> {
        let _guard = tch::no_grad_guard();
        let config = self.model.config();
        if cache.first_layer() > self.first_layer {
            return Err(ModelError::Invalid(format!(
                "the prefix cache covers layers below {}, which this adapter changes",
                cache.first_layer()
            )));
        }
        let batch = Batch::new(sequences, config.vocab_size, self.model.device())?;
        let hidden = cache.hidden(self.model, sequences, batch.t)?;
        let hidden = self.model.run_layers(cache.first_layer()..self.first_layer, hidden, None, None)?;
        let shape = Shape { n: batch.n as i64, t: batch.t as i64, d: config.d_model as i64 };
        // A copy: layers add to it in place, and the cache may still hold the rows.
        let mut hidden = hidden.f_reshape([shape.n * shape.t, shape.d])?.f_detach_copy()?;
        let room = self.room.take().filter(|room| room.shape == shape);
        let mut room = room.map_or_else(|| self.room(shape), Ok)?;
        let Room { tables, scratch, kept, .. } = &mut room;
        let tables = &*tables;
        let pass = |at: usize| Pass { config, layer: self.model.layer(self.first_layer + at), tables, shape };
        for (at, (merged, kept)) in self.layers.iter().zip(&mut *kept).enumerate() {
            merged.forward(pass(at), &mut hidden, kept, scratch)?;
        }
        let (losses, mut back) = head::losses_and_gradient(self.model, &batch, &hidden)?;
        let mut parts: Vec<[Tensor; 4]> = Vec::with_capacity(self.layers.len());
        for (at, (merged, kept)) in self.layers.iter().zip(kept).enumerate().rev() {
            parts.push(merged.backward(pass(at), kept, scratch, &mut back, at > 0)?);
        }
        self.room = Some(room);
        let mut flat = Vec::with_capacity(parts.len() * 4);
        for part in parts.iter().rev().flatten() {
            flat.push(part.f_reshape([shape.n, -1])?);
        }
        let gradients = Tensor::f_cat(&flat, 1)?;
        Ok(SampleGradients { gradients, losses })
    }

    fn room(&self, shape: Shape) -> Result<Room, ModelError> {
        let device = self.model.device();
        let config = self.model.config();
        let kept = self.layers.iter().map(|_| Kept::new(config, shape, device));
        Ok(Room {
            shape,
            tables: Tables::new(self.model, shape)?,
            scratch: Scratch::new(config, shape, device)?,
            kept: kept.collect::<Result<_, _>>()?,
        })
    }
}
