//! Greedy generation with a key/value cache: the same prompt and adapter give the same answer.

use crate::{
    error::ModelError,
    lora::Adapter,
    tokenizer::Tokenizer,
    transformer::{BaseModel, KvCache, MAX_CONTEXT_TOKENS},
};
use tch::Tensor;

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// The model ended its turn.
    EndOfTurn,
    /// The limit of new tokens was reached.
    Length,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    /// The answer's tokens, without the prompt and without the end token.
    pub tokens: Vec<u32>,
    /// Why it ended.
    pub finish: Finish,
}

impl BaseModel {
    /// Continues a prompt with the most likely token each time, at most `max_new_tokens` of them.
    pub fn generate(
        &self,
        tokenizer: &Tokenizer,
        adapter: Option<&Adapter>,
        prompt: &[u32],
        max_new_tokens: usize,
    ) -> Result<Generation, ModelError> {
        self.generate_until(adapter, prompt, max_new_tokens, |token| tokenizer.is_end(token))
    }

    /// As [`Self::generate`], with any end condition.
    pub fn generate_until(
        &self,
        adapter: Option<&Adapter>,
        prompt: &[u32],
        max_new_tokens: usize,
        is_end: impl Fn(u32) -> bool,
    ) -> Result<Generation, ModelError> {
        let limit = self.config().context_tokens.min(MAX_CONTEXT_TOKENS);
        if prompt.is_empty() || prompt.len().saturating_add(max_new_tokens) > limit {
            return Err(ModelError::Invalid(format!(
                "prompt of {} and answer of {max_new_tokens} tokens: together 1 to {limit} are allowed",
                prompt.len()
            )));
        }
        if let Some(token) = prompt.iter().find(|&&t| t as usize >= self.config().vocab_size) {
            return Err(ModelError::Invalid(format!("token {token} is not in the vocabulary")));
        }
        let _guard = tch::no_grad_guard();
        let mut cache = KvCache::new(self.config().n_layers);
        let mut next: Vec<i64> = prompt.iter().map(|&t| t.into()).collect();
        let mut tokens = Vec::new();
        while tokens.len() < max_new_tokens {
            let input = Tensor::f_from_slice(&next)?.f_unsqueeze(0)?.f_to_device(self.device())?;
            let hidden = self.embed(&input)?;
            let lora = adapter.map(Adapter::lora);
            let hidden = self.run_layers(0..self.config().n_layers, hidden, lora, Some(&mut cache))?;
            let last = hidden.f_narrow(1, next.len() as i64 - 1, 1)?;
            let token = self.logits(&last)?.f_argmax(-1, false)?.f_int64_value(&[0, 0])?;
            let token =
                u32::try_from(token).map_err(|_| ModelError::Invalid("the model gave no token".into()))?;
            if is_end(token) {
                return Ok(Generation { tokens, finish: Finish::EndOfTurn });
            }
            tokens.push(token);
            next = vec![token.into()];
        }
        Ok(Generation { tokens, finish: Finish::Length })
    }
}
