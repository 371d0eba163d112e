//! The byte-level BPE tokenizer of a GGUF file, and its ChatML prompt format.
//!
//! Text from users never becomes a control token: special tokens written out in text are encoded
//! as ordinary characters, and the chat format is put together from token ids.

use tokenizers::{
    AddedToken, DecoderWrapper, PreTokenizerWrapper,
    models::bpe::{BPE, Vocab},
    pre_tokenizers::{byte_level::ByteLevel, digits::Digits, sequence::Sequence as PreSequence},
};

use crate::{
    error::ModelError,
    gguf::{Gguf, Value},
    sequence::Sequence,
};

const SYSTEM_PROMPT: &str = "You are a helpful AI assistant named SmolLM, trained by Hugging Face";
const MAX_TEXT_BYTES: usize = 1 << 20;
const CONTROL_TOKEN: i128 = 3;

/// Turns text into token ids and back.
#[derive(Debug)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    document_end: u32,
    turn_start: u32,
    turn_end: u32,
}

impl Tokenizer {
    /// Builds the tokenizer that a GGUF file describes.
    pub fn from_gguf(gguf: &Gguf) -> Result<Self, ModelError> {
        let (model, pre) = (gguf.text("tokenizer.ggml.model")?, gguf.text("tokenizer.ggml.pre")?);
        if (model, pre) != ("gpt2", "smollm") {
            return Err(ModelError::Tokenizer(format!("kind {model}/{pre} is not supported")));
        }
        let tokens = texts(gguf.array("tokenizer.ggml.tokens")?)?;
        let mut merges = Vec::new();
        for merge in texts(gguf.array("tokenizer.ggml.merges")?)? {
            let pair = merge.split_once(' ');
            let (left, right) =
                pair.ok_or_else(|| ModelError::Tokenizer(format!("merge {merge:?} is no pair")))?;
            merges.push((left.to_owned(), right.to_owned()));
        }
        let special: Vec<AddedToken> = gguf
            .array("tokenizer.ggml.token_type")?
            .iter()
            .zip(&tokens)
            .filter(|(kind, _)| **kind == Value::Integer(CONTROL_TOKEN))
            .map(|(_, token)| AddedToken::from((*token).to_owned(), true))
            .collect();
        let id = |name: &str| {
            tokens
                .iter()
                .position(|token| *token == name)
                .map(|id| id as u32)
                .ok_or_else(|| ModelError::Tokenizer(format!("token {name} is missing")))
        };
        let (document_end, turn_start, turn_end) =
            (id("<|endoftext|>")?, id("<|im_start|>")?, id("<|im_end|>")?);

        let vocabulary: Vocab =
            tokens.iter().enumerate().map(|(id, token)| ((*token).to_owned(), id as u32)).collect();
        let bpe = BPE::builder().vocab_and_merges(vocabulary, merges).build().map_err(error)?;
        let mut inner = tokenizers::Tokenizer::new(bpe);
        inner.with_pre_tokenizer(Some(PreTokenizerWrapper::Sequence(PreSequence::new(vec![
            PreTokenizerWrapper::Digits(Digits::new(true)),
            PreTokenizerWrapper::ByteLevel(ByteLevel::new(false, true, true)),
        ]))));
        inner.with_decoder(Some(DecoderWrapper::ByteLevel(ByteLevel::new(false, true, true))));
        inner.add_special_tokens(&special);
        inner.set_encode_special_tokens(true);
        Ok(Self { inner, document_end, turn_start, turn_end })
    }

    /// The tokens of plain text; never a control token.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, ModelError> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(ModelError::Invalid(format!("text exceeds {MAX_TEXT_BYTES} bytes")));
        }
        Ok(self.inner.encode_fast(text, false).map_err(error)?.get_ids().to_vec())
    }

    /// The text of tokens, control tokens left out.
    pub fn decode(&self, tokens: &[u32]) -> Result<String, ModelError> {
        self.inner.decode(tokens, true).map_err(error)
    }

    /// A question in the model's chat format, ready for the assistant's answer.
    pub fn chat_prompt(&self, question: &str) -> Result<Vec<u32>, ModelError> {
        let mut tokens = self.turn("system", SYSTEM_PROMPT)?;
        tokens.extend(self.turn("user", question)?);
        tokens.push(self.turn_start);
        tokens.extend(self.encode("assistant\n")?);
        Ok(tokens)
    }

    fn turn(&self, role: &str, content: &str) -> Result<Vec<u32>, ModelError> {
        let mut tokens = vec![self.turn_start];
        tokens.extend(self.encode(&format!("{role}\n{content}"))?);
        tokens.push(self.turn_end);
        tokens.extend(self.encode("\n")?);
        Ok(tokens)
    }

    /// A row of a data set as a training sequence: a document of its own, every token of which is
    /// predicted.
    pub fn row(&self, text: &str) -> Result<Sequence, ModelError> {
        let mut tokens = vec![self.document_end];
        tokens.extend(self.encode(text)?);
        Sequence::new(tokens, 1)
    }

    /// A prompt and its answer, of which the answer's tokens are predicted.
    pub fn answer(&self, prompt: &[u32], answer: &[u32]) -> Result<Sequence, ModelError> {
        Sequence::new([prompt, answer].concat(), prompt.len())
    }

    /// Whether generation ends at this token.
    pub fn is_end(&self, token: u32) -> bool {
        token == self.turn_end || token == self.document_end
    }

    /// The tokens at which generation ends.
    pub fn end_tokens(&self) -> [u32; 2] {
        [self.turn_end, self.document_end]
    }
}

fn texts(values: &[Value]) -> Result<Vec<&str>, ModelError> {
    values
        .iter()
        .map(|value| match value {
            Value::Text(text) => Ok(text.as_str()),
            _ => Err(ModelError::Tokenizer("the vocabulary is not text".into())),
        })
        .collect()
}

fn error(error: tokenizers::Error) -> ModelError {
    ModelError::Tokenizer(error.to_string())
}
