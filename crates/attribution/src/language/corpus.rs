//! Texts as rows of word numbers.

use std::collections::HashMap;

use tch::Tensor;

use crate::error::AttributionError;

/// Sizes and recipe of the model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LanguageConfig {
    /// Words that are told apart; the rarer ones are one.
    pub vocabulary: usize,
    /// Words of a row that are predicted; later ones are cut off.
    pub row_words: usize,
    /// Width of the residual stream.
    pub width: usize,
    /// Attention heads; divides `width`.
    pub heads: usize,
    /// Layers.
    pub layers: usize,
    /// Width of the feed-forward layer.
    pub feed_forward: usize,
    /// Passes over the rows.
    pub epochs: usize,
    /// Rows a step.
    pub batch_rows: usize,
    /// Learning rate of Adam, falling linearly to zero.
    pub learning_rate: f64,
}

impl Default for LanguageConfig {
    fn default() -> Self {
        Self {
            vocabulary: 256,
            row_words: 20,
            width: 32,
            heads: 2,
            layers: 2,
            feed_forward: 64,
            epochs: 8,
            batch_rows: 16,
            learning_rate: 4e-3,
        }
    }
}

/// Words, and which of them count in a row's loss.
#[derive(Debug, Clone)]
pub(super) struct Rows {
    pub(super) n: usize,
    /// `[n, row_words + 1]`, row-major; each starts with [`START`].
    pub(super) words: Vec<i64>,
    /// Words predicted of each row, at least one.
    pub(super) counts: Vec<usize>,
}

/// What every row starts with; also padding.
pub(super) const START: i64 = 0;
/// A word that is too rare to have a number.
const RARE: i64 = 1;

/// Training and test rows of a language model.
#[derive(Debug, Clone)]
pub struct LanguageTask {
    pub(super) config: LanguageConfig,
    pub(super) train: Rows,
    pub(super) test: Rows,
}

impl LanguageTask {
    /// From texts; the vocabulary is of the training texts. Texts without words are refused.
    pub fn new(train: &[&str], test: &[&str], config: LanguageConfig) -> Result<Self, AttributionError> {
        let sizes = [config.width, config.heads, config.layers, config.feed_forward, config.epochs];
        let bounded =
            sizes.iter().chain([&config.row_words, &config.batch_rows]).all(|n| (1..=512).contains(n));
        let fits = bounded
            && (4..=1 << 14).contains(&config.vocabulary)
            && config.width.is_multiple_of(config.heads)
            && config.learning_rate > 0.0;
        if !fits || train.is_empty() || test.is_empty() || train.len() + test.len() > 1 << 14 {
            return Err(AttributionError::Invalid(
                "sizes of the language model or its rows are out of range".into(),
            ));
        }
        let mut counts: HashMap<String, usize> = HashMap::new();
        train.iter().flat_map(|text| words(text)).for_each(|word| *counts.entry(word).or_default() += 1);
        let mut by_count: Vec<(String, usize)> = counts.into_iter().collect();
        by_count.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        by_count.truncate(config.vocabulary - 2);
        let numbers: HashMap<String, i64> =
            by_count.into_iter().zip(2..).map(|((word, _), number)| (word, number)).collect();
        let rows = |texts: &[&str]| -> Result<Rows, AttributionError> {
            let mut rows = Rows { n: texts.len(), words: vec![], counts: vec![] };
            for text in texts {
                let mut found: Vec<i64> =
                    words(text).map(|word| numbers.get(&word).copied().unwrap_or(RARE)).collect();
                found.truncate(config.row_words);
                if found.is_empty() {
                    return Err(AttributionError::Invalid("a row has no words".into()));
                }
                rows.counts.push(found.len());
                rows.words.push(START);
                found.resize(config.row_words, START);
                rows.words.extend(found);
            }
            Ok(rows)
        };
        Ok(Self { config, train: rows(train)?, test: rows(test)? })
    }

    /// Training and test rows.
    pub const fn sizes(&self) -> (usize, usize) {
        (self.train.n, self.test.n)
    }
}

/// Whether a language model can read anything of the text.
pub fn has_words(text: &str) -> bool {
    words(text).next().is_some()
}

fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

/// Some rows, as tensors.
pub(super) struct Batch {
    /// `[n, t]` words that are read.
    pub(super) inputs: Tensor,
    /// `[n, t]` words that are predicted.
    pub(super) targets: Tensor,
    /// `[n, t]` one over a row's predicted words; zero on padding.
    pub(super) weights: Tensor,
}

impl Rows {
    pub(super) fn batch(&self, rows: &[usize]) -> Result<Batch, AttributionError> {
        let width = self.words.len() / self.n.max(1);
        let (mut inputs, mut targets) = (Vec::<i64>::new(), Vec::<i64>::new());
        let mut weights = Vec::<f32>::new();
        for &row in rows {
            let words = self
                .words
                .get(row * width..(row + 1) * width)
                .ok_or_else(|| AttributionError::Invalid(format!("row {row} of {}", self.n)))?;
            inputs.extend(&words[..width - 1]);
            targets.extend(&words[1..]);
            let count = self.counts[row];
            weights.extend((1..width).map(|at| if at <= count { 1.0 / count as f32 } else { 0.0f32 }));
        }
        let shape = [rows.len() as i64, width as i64 - 1];
        Ok(Batch {
            inputs: Tensor::f_from_slice(&inputs)?.f_reshape(shape)?,
            targets: Tensor::f_from_slice(&targets)?.f_reshape(shape)?,
            weights: Tensor::f_from_slice(&weights)?.f_reshape(shape)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_without_letters_or_digits_has_no_words() {
        assert!(["a", "7", "!é!", "日本"].iter().all(|text| has_words(text)));
        assert!(["", " ", "!!!", "—\n…"].iter().all(|text| !has_words(text)));
    }
}
