//! The Llama-style transformer: weights, layers, and the differentiable loss of a batch.

use std::path::Path;

use alloy_primitives::{B256, keccak256};
use tch::{Device, Kind, Reduction, Tensor};

use crate::{
    config::ModelConfig, error::ModelError, gguf::Gguf, lora::Lora, prefix::PrefixCache, seeded::Seeded,
    sequence::Batch, sequence::Sequence, tokenizer::Tokenizer,
};

/// The longest prompt plus answer, tokens: rotary tables are made up to here.
pub const MAX_CONTEXT_TOKENS: usize = 2048;

/// A frozen base model. Its tensors may move between threads but not be shared by them: keep a
/// model on one thread, or behind a mutex.
#[derive(Debug)]
pub struct BaseModel {
    config: ModelConfig,
    device: Device,
    hash: B256,
    embedding: Tensor,
    layers: Vec<Layer>,
    output_norm: Tensor,
    /// `[positions, head_width]`
    rope_cos: Tensor,
    rope_sin: Tensor,
}

/// One layer's weights, matrices as `[out, in]`.
#[derive(Debug)]
pub(crate) struct Layer {
    pub(crate) attention_norm: Tensor,
    pub(crate) q: Tensor,
    pub(crate) k: Tensor,
    pub(crate) v: Tensor,
    pub(crate) o: Tensor,
    pub(crate) ffn_norm: Tensor,
    /// The gate's rows above the other half's: one product for both.
    pub(crate) gate_up: Tensor,
    pub(crate) down: Tensor,
}

/// Keys and values of the tokens seen so far, a pair a layer, `[N, kv_heads, tokens, head_width]`.
#[derive(Debug, Default)]
pub(crate) struct KvCache {
    layers: Vec<Option<(Tensor, Tensor)>>,
}

impl BaseModel {
    /// Loads a GGUF file and the tokenizer in it. The model is dequantised to f32.
    pub fn load(path: &Path, device: Device) -> Result<(Self, Tokenizer), ModelError> {
        let gguf = Gguf::open(path)?;
        Ok((Self::from_gguf(&gguf, device)?, Tokenizer::from_gguf(&gguf)?))
    }

    /// Builds the model that a GGUF file holds.
    pub fn from_gguf(gguf: &Gguf, device: Device) -> Result<Self, ModelError> {
        let config = ModelConfig::from_gguf(gguf)?;
        let (d, kv, ff) = (config.d_model, config.kv_width(), config.d_ff);
        let matrix = |name: &str, rows: usize, columns: usize| -> Result<Tensor, ModelError> {
            let values = gguf.tensor_f32(name, &[rows as u64, columns as u64])?;
            Ok(Tensor::f_from_slice(&values)?
                .f_reshape([rows as i64, columns as i64])?
                .f_to_device(device)?)
        };
        let vector = |name: &str, size: usize| -> Result<Tensor, ModelError> {
            let values = gguf.tensor_f32(name, &[size as u64])?;
            Ok(Tensor::f_from_slice(&values)?.f_to_device(device)?)
        };
        let mut layers = Vec::with_capacity(config.n_layers);
        for i in 0..config.n_layers {
            let name = |part: &str| format!("blk.{i}.{part}.weight");
            layers.push(Layer {
                attention_norm: vector(&name("attn_norm"), d)?,
                q: unpermute(&matrix(&name("attn_q"), d, d)?, config.n_heads)?,
                k: unpermute(&matrix(&name("attn_k"), kv, d)?, config.n_kv_heads)?,
                v: matrix(&name("attn_v"), kv, d)?,
                o: matrix(&name("attn_output"), d, d)?,
                ffn_norm: vector(&name("ffn_norm"), d)?,
                gate_up: Tensor::f_cat(
                    &[matrix(&name("ffn_gate"), ff, d)?, matrix(&name("ffn_up"), ff, d)?],
                    0,
                )?,
                down: matrix(&name("ffn_down"), d, ff)?,
            });
        }
        let embedding = matrix("token_embd.weight", config.vocab_size, d)?;
        let output_norm = vector("output_norm.weight", d)?;
        let hash = keccak256(gguf.bytes());
        Self::assemble(config, device, hash, embedding, layers, output_norm)
    }

    /// A model of random weights: small ones serve to check gradients against finite differences.
    pub fn random(config: ModelConfig, seed: u64, device: Device) -> Result<Self, ModelError> {
        config.validate()?;
        let mut random = Seeded::new(seed);
        let (d, kv, ff) = (config.d_model, config.kv_width(), config.d_ff);
        let mut matrix = |rows: usize, columns: usize| -> Result<Tensor, ModelError> {
            let bound = (3.0 / columns as f32).sqrt();
            random.uniform_tensor(&[rows, columns], bound, device)
        };
        let ones = || Tensor::f_ones([d as i64], (Kind::Float, device));
        let mut layers = Vec::with_capacity(config.n_layers);
        for _ in 0..config.n_layers {
            layers.push(Layer {
                attention_norm: ones()?,
                q: matrix(d, d)?,
                k: matrix(kv, d)?,
                v: matrix(kv, d)?,
                o: matrix(d, d)?,
                ffn_norm: ones()?,
                gate_up: Tensor::f_cat(&[matrix(ff, d)?, matrix(ff, d)?], 0)?,
                down: matrix(d, ff)?,
            });
        }
        let embedding = matrix(config.vocab_size, d)?;
        let hash = keccak256(format!("{config:?} {seed}"));
        let output_norm = ones()?;
        Self::assemble(config, device, hash, embedding, layers, output_norm)
    }

    fn assemble(
        config: ModelConfig,
        device: Device,
        hash: B256,
        embedding: Tensor,
        layers: Vec<Layer>,
        output_norm: Tensor,
    ) -> Result<Self, ModelError> {
        let (rope_cos, rope_sin) = rope_tables(&config, device)?;
        Ok(Self { config, device, hash, embedding, layers, output_norm, rope_cos, rope_sin })
    }

    /// The sizes.
    pub const fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// The same model for another thread; the weights are not copied.
    pub fn share(&self) -> Self {
        let layer = |layer: &Layer| Layer {
            attention_norm: layer.attention_norm.shallow_clone(),
            q: layer.q.shallow_clone(),
            k: layer.k.shallow_clone(),
            v: layer.v.shallow_clone(),
            o: layer.o.shallow_clone(),
            ffn_norm: layer.ffn_norm.shallow_clone(),
            gate_up: layer.gate_up.shallow_clone(),
            down: layer.down.shallow_clone(),
        };
        Self {
            config: self.config.clone(),
            device: self.device,
            hash: self.hash,
            embedding: self.embedding.shallow_clone(),
            layers: self.layers.iter().map(layer).collect(),
            output_norm: self.output_norm.shallow_clone(),
            rope_cos: self.rope_cos.shallow_clone(),
            rope_sin: self.rope_sin.shallow_clone(),
        }
    }

    /// A layer's weights; the index must be below the number of layers.
    pub(crate) fn layer(&self, index: usize) -> &Layer {
        &self.layers[index]
    }

    /// The embedding, `[vocab, d]`, and the weights of the norm before it.
    pub(crate) const fn output(&self) -> (&Tensor, &Tensor) {
        (&self.embedding, &self.output_norm)
    }

    /// Cosines and sines of the first positions, `[T, w]`.
    pub(crate) fn rope(&self, positions: i64) -> Result<(Tensor, Tensor), ModelError> {
        Ok((self.rope_cos.f_narrow(0, 0, positions)?, self.rope_sin.f_narrow(0, 0, positions)?))
    }

    /// Where the weights lie.
    pub const fn device(&self) -> Device {
        self.device
    }

    /// keccak256 of the model file: names the base model in adapters and receipts.
    pub const fn hash(&self) -> B256 {
        self.hash
    }

    /// `[N]` losses of sequences (see [`Sequence`]), differentiable in the adapter's tensors.
    ///
    /// Tensors with a leading `N` dimension give each sequence its own copy of the adapter, which is
    /// how per-sample gradients are taken.
    pub fn losses(
        &self,
        sequences: &[&Sequence],
        lora: Option<Lora<'_>>,
        cache: &mut PrefixCache,
    ) -> Result<Tensor, ModelError> {
        let batch = Batch::new(sequences, self.config.vocab_size, self.device)?;
        let first = cache.first_layer();
        if lora.as_ref().is_some_and(|l| l.first_layer < first) {
            return Err(ModelError::Invalid(format!(
                "the prefix cache covers layers below {first}, which this adapter changes"
            )));
        }
        let hidden = cache.hidden(self, sequences, batch.t)?;
        let hidden = self.run_layers(first..self.config.n_layers, hidden, lora, None)?;
        let flat = hidden.f_reshape([-1, self.config.d_model as i64])?;
        let logits = self.logits(&flat.f_index_select(0, &batch.positions)?)?;
        let token_losses =
            logits.f_cross_entropy_loss::<Tensor>(&batch.targets, None, Reduction::None, -100, 0.0)?;
        debug_assert_eq!(hidden.size()[0], batch.n as i64);
        batch.row_losses(&token_losses)
    }

    /// `[..., vocab]` logits of the last layer's output `[..., d]`.
    pub(crate) fn logits(&self, hidden: &Tensor) -> Result<Tensor, ModelError> {
        let normed = self.normalise(hidden, &self.output_norm)?;
        Ok(normed.f_linear::<Tensor>(&self.embedding, None)?)
    }

    /// `[N, T, d]` embeddings of `[N, T]` tokens.
    pub(crate) fn embed(&self, tokens: &Tensor) -> Result<Tensor, ModelError> {
        Ok(Tensor::f_embedding(&self.embedding, tokens, -1, false, false)?)
    }

    /// Runs some layers over `[N, T, d]`; with a cache, the T tokens follow those it holds.
    pub(crate) fn run_layers(
        &self,
        range: std::ops::Range<usize>,
        mut hidden: Tensor,
        lora: Option<Lora<'_>>,
        mut cache: Option<&mut KvCache>,
    ) -> Result<Tensor, ModelError> {
        for index in range {
            let layer = &self.layers[index];
            let normed = self.normalise(&hidden, &layer.attention_norm)?;
            let attended = self.attend(index, &normed, lora, cache.as_deref_mut())?;
            hidden = hidden.f_add(&attended)?;
            let normed = self.normalise(&hidden, &layer.ffn_norm)?;
            let both = normed.f_linear::<Tensor>(&layer.gate_up, None)?.f_chunk(2, -1)?;
            let (gate, up) = (both[0].f_silu()?, &both[1]);
            hidden = hidden.f_add(&gate.f_mul(up)?.f_linear::<Tensor>(&layer.down, None)?)?;
        }
        Ok(hidden)
    }

    fn attend(
        &self,
        index: usize,
        x: &Tensor,
        lora: Option<Lora<'_>>,
        cache: Option<&mut KvCache>,
    ) -> Result<Tensor, ModelError> {
        let layer = &self.layers[index];
        let (n, t, d) = x.size3()?;
        let heads = self.config.n_heads as i64;
        let kv_heads = self.config.n_kv_heads as i64;
        let width = self.config.head_width() as i64;

        let mut q = x.f_linear::<Tensor>(&layer.q, None)?;
        let mut v = x.f_linear::<Tensor>(&layer.v, None)?;
        let k = x.f_linear::<Tensor>(&layer.k, None)?;
        if let Some([q_a, q_b, v_a, v_b]) = lora.and_then(|l| l.layer(index)) {
            let scale = lora.map_or(0.0, |l| l.scale);
            q = q.f_add(&low_rank(x, q_a, q_b, scale)?)?;
            v = v.f_add(&low_rank(x, v_a, v_b, scale)?)?;
        }
        let split = |tensor: Tensor, heads: i64| tensor.f_view([n, t, heads, width])?.f_transpose(1, 2);
        let (q, mut k, mut v) = (split(q, heads)?, split(k, kv_heads)?, split(v, kv_heads)?);

        let past = cache.as_ref().map_or(0, |c| c.tokens());
        let (cos, sin) = (self.rope_cos.f_narrow(0, past, t)?, self.rope_sin.f_narrow(0, past, t)?);
        let q = rotate(&q, &cos, &sin)?;
        k = rotate(&k, &cos, &sin)?;
        if let Some(cache) = cache {
            (k, v) = cache.append(index, k, v)?;
        }

        // Query heads that share a key head are laid out as more rows of one matrix product.
        let total = k.size()[2];
        let group = heads / kv_heads;
        let q = q.f_reshape([n, kv_heads, group * t, width])?;
        let scores = q.f_matmul(&k.f_transpose(2, 3)?)?.f_mul_scalar((width as f64).powf(-0.5))?;
        let scores = scores.f_view([n, kv_heads, group, t, total])?.f_add(&self.causal_mask(t, total)?)?;
        let weights = scores.f_softmax(-1, Kind::Float)?.f_view([n, kv_heads, group * t, total])?;
        let mixed = weights.f_matmul(&v)?.f_reshape([n, heads, t, width])?;
        let mixed = mixed.f_transpose(1, 2)?.f_reshape([n, t, d])?;
        Ok(mixed.f_linear::<Tensor>(&layer.o, None)?)
    }

    /// `[T, total]`: zero where a token may look, minus infinity where it may not.
    pub(crate) fn causal_mask(&self, t: i64, total: i64) -> Result<Tensor, ModelError> {
        let full = Tensor::f_full([t, total], f64::NEG_INFINITY, (Kind::Float, self.device))?;
        Ok(full.f_triu(total - t + 1)?)
    }

    fn normalise(&self, x: &Tensor, weight: &Tensor) -> Result<Tensor, ModelError> {
        let width = self.config.d_model as i64;
        Ok(x.f_rms_norm([width], Some(weight), self.config.rms_epsilon)?)
    }
}

impl KvCache {
    pub(crate) fn new(n_layers: usize) -> Self {
        Self { layers: (0..n_layers).map(|_| None).collect() }
    }

    /// Tokens held by the *last* layer: during a pass the earlier ones already hold the new tokens.
    fn tokens(&self) -> i64 {
        match self.layers.last() {
            Some(Some((k, _))) => k.size()[2],
            _ => 0,
        }
    }

    fn append(&mut self, index: usize, k: Tensor, v: Tensor) -> Result<(Tensor, Tensor), ModelError> {
        let (k, v) = match self.layers[index].take() {
            None => (k, v),
            Some((old_k, old_v)) => (Tensor::f_cat(&[old_k, k], 2)?, Tensor::f_cat(&[old_v, v], 2)?),
        };
        self.layers[index] = Some((k.shallow_clone(), v.shallow_clone()));
        Ok((k, v))
    }
}

/// `x · Aᵀ · Bᵀ · scale`, with A and B shared or one a sequence.
fn low_rank(x: &Tensor, a: &Tensor, b: &Tensor, scale: f64) -> Result<Tensor, ModelError> {
    let down = x.f_matmul(&a.f_transpose(-2, -1)?)?;
    Ok(down.f_matmul(&b.f_transpose(-2, -1)?)?.f_mul_scalar(scale)?)
}

/// Rotary embedding with the two halves of a head as real and imaginary parts.
fn rotate(x: &Tensor, cos: &Tensor, sin: &Tensor) -> Result<Tensor, ModelError> {
    let halves = x.f_chunk(2, -1)?;
    let turned = Tensor::f_cat(&[halves[1].f_neg()?, halves[0].shallow_clone()], -1)?;
    Ok(x.f_mul(cos)?.f_add(&turned.f_mul(sin)?)?)
}

/// GGUF stores the rows of Q and K so that rotary pairs are neighbours; this puts a head's halves
/// back apart, as [`rotate`] and adapters in the usual layout have them.
fn unpermute(weight: &Tensor, heads: usize) -> Result<Tensor, ModelError> {
    let (rows, columns) = weight.size2()?;
    let heads = heads as i64;
    Ok(weight.f_view([heads, rows / heads / 2, 2, columns])?.f_transpose(1, 2)?.f_reshape([rows, columns])?)
}

fn rope_tables(config: &ModelConfig, device: Device) -> Result<(Tensor, Tensor), ModelError> {
    let half = config.head_width() / 2;
    let positions = config.context_tokens.min(MAX_CONTEXT_TOKENS);
    let (mut cos, mut sin) = (Vec::new(), Vec::new());
    for position in 0..positions {
        for i in 0..2 * half {
            let exponent = (i % half) as f64 / half as f64;
            let angle = position as f64 * config.rope_theta.powf(-exponent);
            cos.push(angle.cos() as f32);
            sin.push(angle.sin() as f32);
        }
    }
    let table = |values: Vec<f32>| -> Result<Tensor, ModelError> {
        let shape = [positions as i64, 2 * half as i64];
        Ok(Tensor::f_from_slice(&values)?.f_reshape(shape)?.f_to_device(device)?)
    };
    Ok((table(cos)?, table(sin)?))
}
