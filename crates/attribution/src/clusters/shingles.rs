//! A text as a bounded set of hashed word runs, and how alike two such sets are.

use alloy_primitives::{B256, keccak256};

use crate::splitmix::mix;

/// The most shingles kept of a text: the smallest by hash. Two texts within it are compared exactly;
/// of longer ones the similarity is estimated, with a standard error of at most 0.03.
pub(super) const MAX_SHINGLES: usize = 256;

/// A text, normalised.
#[derive(Debug)]
pub(super) struct Text {
    /// Hash of what is compared for equality; `None` for a text with nothing in it.
    pub(super) exact: Option<B256>,
    /// Sorted, distinct, at most [`MAX_SHINGLES`].
    pub(super) shingles: Vec<u32>,
}

impl Text {
    pub(super) fn new(text: &str, shingle_words: usize, salt: u64) -> Self {
        let words = normalise(text);
        let exact = match (words.is_empty(), text.trim()) {
            (false, _) => Some(keccak256(words.join(" "))),
            (true, "") => None,
            // Signs alone: equal when they are written alike.
            (true, signs) => Some(keccak256(signs)),
        };
        let hashes: Vec<u64> = words.iter().map(|word| word_hash(word)).collect();
        let size = shingle_words.min(hashes.len()).max(1);
        let mut shingles: Vec<u32> = hashes
            .windows(size)
            .map(|run| (run.iter().fold(mix(salt), |state, &word| mix(state ^ word)) >> 32) as u32)
            .collect();
        shingles.sort_unstable();
        shingles.dedup();
        shingles.truncate(MAX_SHINGLES);
        Self { exact, shingles }
    }
}

/// Lower-case words of letters and digits: case, punctuation and spacing do not make a row new.
fn normalise(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

fn word_hash(word: &str) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&keccak256(word)[..8]);
    u64::from_be_bytes(bytes)
}

/// Common over all, of two sorted sets; where one was cut, among the smallest [`MAX_SHINGLES`] of
/// both together, which is an unbiased sample. Source: Broder, "On the resemblance and containment of
/// documents" (1997).
pub(super) fn jaccard(a: &[u32], b: &[u32]) -> f64 {
    let cut = a.len() >= MAX_SHINGLES || b.len() >= MAX_SHINGLES;
    let most = if cut { MAX_SHINGLES } else { usize::MAX };
    let (mut i, mut j, mut common, mut all) = (0, 0, 0usize, 0usize);
    while all < most && i < a.len() && j < b.len() {
        all += 1;
        match a[i].cmp(&b[j]) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => (i, j, common) = (i + 1, j + 1, common + 1),
        }
    }
    all = (all + (a.len() - i) + (b.len() - j)).min(most);
    if all == 0 { 0.0 } else { common as f64 / all as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn similarity_of_long_texts_is_estimated_closely() {
        let words: Vec<String> = (0..6000).map(|i| format!("w{i}")).collect();
        let text = |range: std::ops::Range<usize>| Text::new(&words[range].join(" "), 1, 7);
        // 2,000 of 6,000 words are common.
        let (a, b) = (text(0..4000), text(2000..6000));
        assert_eq!(a.shingles.len(), MAX_SHINGLES);
        assert!((jaccard(&a.shingles, &b.shingles) - 1.0 / 3.0).abs() < 0.1);
        assert_eq!(jaccard(&a.shingles, &a.shingles), 1.0);
    }

    #[test]
    fn similarity_of_short_texts_is_exact() {
        let set = |text: &str| Text::new(text, 1, 0).shingles;
        assert_eq!(jaccard(&set("a b c"), &set("b c d")), 0.5);
        assert_eq!(jaccard(&set("a"), &set("b")), 0.0);
        assert_eq!(jaccard(&set(""), &set("")), 0.0);
    }
}
