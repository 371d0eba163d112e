//! Token sequences with the part that is predicted, and right-padded batches of them.

use tch::{Device, Kind, Tensor};

use crate::error::ModelError;

/// The longest sequence that is trained on or scored, tokens.
pub const MAX_SEQUENCE_TOKENS: usize = 1024;

/// Tokens, and from where on they count in the loss.
///
/// The loss of a sequence is the **mean** over its predicted tokens of the next-token
/// cross-entropy, so that long rows do not outweigh short ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sequence {
    tokens: Vec<u32>,
    predicted_from: usize,
}

impl Sequence {
    /// A sequence whose tokens from index `predicted_from` (at least 1) on are predicted.
    pub fn new(tokens: Vec<u32>, predicted_from: usize) -> Result<Self, ModelError> {
        if tokens.len() > MAX_SEQUENCE_TOKENS {
            return Err(ModelError::Invalid(format!(
                "sequence of {} tokens exceeds {MAX_SEQUENCE_TOKENS}; split it",
                tokens.len()
            )));
        }
        if predicted_from == 0 || predicted_from >= tokens.len() {
            return Err(ModelError::Invalid("sequence has no token to predict".into()));
        }
        Ok(Self { tokens, predicted_from })
    }

    /// All tokens.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// How many tokens are predicted.
    pub fn n_predicted(&self) -> usize {
        self.tokens.len() - self.predicted_from
    }

    /// Index of the first token that is predicted.
    pub const fn predicted_from(&self) -> usize {
        self.predicted_from
    }
}

/// Sequences padded on the right to one length.
///
/// A causal model never looks to the right, so the padding needs no mask: it only must not count
/// in the loss, and `positions` lists what does.
#[derive(Debug)]
pub(crate) struct Batch {
    /// `[N, T]` token ids.
    pub(crate) tokens: Tensor,
    /// `[M]` flat positions in `N * T` whose output predicts a counted token.
    pub(crate) positions: Tensor,
    /// `[M]` the tokens predicted there.
    pub(crate) targets: Tensor,
    /// `[M]` one over the sequence's predicted tokens, so that a weighted sum is the sum of means.
    pub(crate) weights: Tensor,
    /// `[M]` the sequence each position belongs to.
    pub(crate) owners: Tensor,
    pub(crate) n: usize,
    pub(crate) t: usize,
}

impl Batch {
    pub(crate) fn new(
        sequences: &[&Sequence],
        vocab_size: usize,
        device: Device,
    ) -> Result<Self, ModelError> {
        let n = sequences.len();
        let t = sequences.iter().map(|s| s.tokens.len()).max().unwrap_or(0);
        if n == 0 {
            return Err(ModelError::Invalid("an empty batch has no loss".into()));
        }
        let mut tokens = vec![0i64; n * t];
        let (mut positions, mut targets, mut weights, mut owners) = (vec![], vec![], vec![], vec![]);
        for (i, sequence) in sequences.iter().enumerate() {
            for (j, &token) in sequence.tokens.iter().enumerate() {
                if token as usize >= vocab_size {
                    return Err(ModelError::Invalid(format!("token {token} is not in the vocabulary")));
                }
                tokens[i * t + j] = token.into();
                if j >= sequence.predicted_from {
                    positions.push((i * t + j - 1) as i64);
                    targets.push(i64::from(token));
                    weights.push(1.0 / sequence.n_predicted() as f32);
                    owners.push(i as i64);
                }
            }
        }
        let place = |tensor: Tensor| tensor.f_to_device(device);
        Ok(Self {
            tokens: place(Tensor::f_from_slice(&tokens)?.f_reshape([n as i64, t as i64])?)?,
            positions: place(Tensor::f_from_slice(&positions)?)?,
            targets: place(Tensor::f_from_slice(&targets)?)?,
            weights: place(Tensor::f_from_slice(&weights)?)?,
            owners: place(Tensor::f_from_slice(&owners)?)?,
            n,
            t,
        })
    }

    /// `[N]` mean losses from the `[M]` token losses.
    pub(crate) fn row_losses(&self, token_losses: &Tensor) -> Result<Tensor, ModelError> {
        let zeros = Tensor::f_zeros([self.n as i64], (Kind::Float, token_losses.device()))?;
        Ok(zeros.f_index_add(0, &self.owners, &token_losses.f_mul(&self.weights)?)?)
    }
}
