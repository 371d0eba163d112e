//! The sizes of a Llama-style model, read from a GGUF file and checked.

use crate::{
    error::{GgufError, ModelError},
    gguf::Gguf,
};

/// The architecture's sizes.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelConfig {
    /// Transformer layers.
    pub n_layers: usize,
    /// Width of the residual stream.
    pub d_model: usize,
    /// Query heads.
    pub n_heads: usize,
    /// Key and value heads; divides `n_heads`.
    pub n_kv_heads: usize,
    /// Width of the feed-forward layer.
    pub d_ff: usize,
    /// Tokens in the vocabulary.
    pub vocab_size: usize,
    /// The longest sequence, tokens.
    pub context_tokens: usize,
    /// Base of the rotary frequencies.
    pub rope_theta: f64,
    /// Added to the mean square in RMS normalisation.
    pub rms_epsilon: f64,
}

impl ModelConfig {
    /// Reads the sizes of a `llama` model.
    pub fn from_gguf(gguf: &Gguf) -> Result<Self, ModelError> {
        let architecture = gguf.text("general.architecture")?;
        if architecture != "llama" {
            return Err(GgufError::Missing(format!("architecture llama (found {architecture})")).into());
        }
        let size = |key: &str| gguf.integer(&format!("llama.{key}")).map(|v| v as usize);
        let config = Self {
            n_layers: size("block_count")?,
            d_model: size("embedding_length")?,
            n_heads: size("attention.head_count")?,
            n_kv_heads: size("attention.head_count_kv")?,
            d_ff: size("feed_forward_length")?,
            vocab_size: size("vocab_size")?,
            context_tokens: size("context_length")?,
            rope_theta: gguf.float("llama.rope.freq_base")?,
            rms_epsilon: gguf.float("llama.attention.layer_norm_rms_epsilon")?,
        };
        config.validate()?;
        Ok(config)
    }

    /// Refuses sizes that do not fit together or that no supported model has.
    pub fn validate(&self) -> Result<(), ModelError> {
        let bounded = [
            ("layers", self.n_layers, 256),
            ("model width", self.d_model, 16_384),
            ("heads", self.n_heads, 256),
            ("key/value heads", self.n_kv_heads, 256),
            ("feed-forward width", self.d_ff, 65_536),
            ("vocabulary", self.vocab_size, 1 << 20),
            ("context", self.context_tokens, 1 << 20),
        ];
        for (what, value, limit) in bounded {
            if value == 0 || value > limit {
                return Err(ModelError::Invalid(format!("{what} is {value}, must be 1 to {limit}")));
            }
        }
        if !self.d_model.is_multiple_of(self.n_heads)
            || !self.n_heads.is_multiple_of(self.n_kv_heads)
            || !self.head_width().is_multiple_of(2)
        {
            return Err(ModelError::Invalid(format!(
                "width {}, {} heads and {} key/value heads do not divide evenly",
                self.d_model, self.n_heads, self.n_kv_heads
            )));
        }
        if !(self.rope_theta > 1.0 && self.rms_epsilon > 0.0 && self.rms_epsilon < 1.0) {
            return Err(ModelError::Invalid("rope theta or RMS epsilon is out of range".into()));
        }
        Ok(())
    }

    /// Width of one attention head.
    pub const fn head_width(&self) -> usize {
        self.d_model / self.n_heads
    }

    /// Width of all key (or value) heads together.
    pub const fn kv_width(&self) -> usize {
        self.head_width() * self.n_kv_heads
    }
}
