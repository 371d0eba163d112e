//! A suffix array over the words of all rows.
//!
//! Words become numbers of three bytes, the highest first, and the bytes' suffixes are sorted by
//! `divsufsort` (induced sorting, linear in memory). Those that start at a word are in the words' own
//! order, because numbers of one width compare as their bytes do.

use std::{cmp::Ordering, collections::HashMap};

use crate::{SpansError, words::words};

/// The most words of an index.
pub const MAX_WORDS: usize = 1 << 27;
/// Ends each row; no query holds it.
const END: u32 = 0;
const BYTES_A_WORD: usize = 3;

/// The rows of some Datanets, searchable for any run of words.
#[derive(Debug)]
pub struct SpanIndex {
    lexicon: HashMap<String, u32>,
    /// All rows' words, each row ended by [`END`].
    words: Vec<u32>,
    /// Where words start that begin a suffix, in the suffixes' order.
    suffixes: Vec<u32>,
    /// Where each row starts in `words`.
    starts: Vec<u32>,
    longest_row: usize,
}

impl SpanIndex {
    /// Indexes rows; their numbers follow the order given, which is to be that of their commitment.
    pub fn new<'a>(rows: impl IntoIterator<Item = &'a str>) -> Result<Self, SpansError> {
        let mut index =
            Self { lexicon: HashMap::new(), words: vec![], suffixes: vec![], starts: vec![], longest_row: 0 };
        for row in rows {
            index.starts.push(index.words.len() as u32);
            for (word, _) in words(row) {
                let next = index.lexicon.len() as u32 + 1;
                index.words.push(*index.lexicon.entry(word).or_insert(next));
            }
            let start = index.starts.last().map_or(0, |&start| start as usize);
            index.longest_row = index.longest_row.max(index.words.len() - start);
            index.words.push(END);
            if index.words.len() > MAX_WORDS || index.lexicon.len() >= 1 << (8 * BYTES_A_WORD) {
                return Err(SpansError::TooManyWords(MAX_WORDS));
            }
        }
        index.suffixes = sorted_suffixes(&index.words);
        Ok(index)
    }

    /// Rows.
    pub const fn len(&self) -> usize {
        self.starts.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// Words of the longest row: no match is longer.
    pub(crate) const fn longest_row(&self) -> usize {
        self.longest_row
    }

    /// The number of a word; none where no row has it.
    pub(crate) fn word(&self, word: &str) -> Option<u32> {
        self.lexicon.get(word).copied()
    }

    /// How many words from the start of `query` some row holds in sequence.
    pub(crate) fn longest_match(&self, query: &[u32]) -> usize {
        let at = self.suffixes.partition_point(|&suffix| self.words[suffix as usize..] < *query);
        let neighbours = [at.checked_sub(1), Some(at)];
        let common = neighbours.into_iter().flatten().filter_map(|i| self.suffixes.get(i)).map(|&suffix| {
            let suffix = &self.words[suffix as usize..];
            suffix.iter().zip(query).take_while(|(a, b)| a == b).count()
        });
        common.max().unwrap_or(0)
    }

    /// Where a run of words occurs, by position in all words, in no order.
    pub(crate) fn occurrences(&self, run: &[u32]) -> &[u32] {
        let compare = |suffix: u32| {
            let suffix = &self.words[suffix as usize..];
            suffix[..run.len().min(suffix.len())].cmp(run)
        };
        let from = self.suffixes.partition_point(|&s| compare(s) == Ordering::Less);
        let count = self.suffixes[from..].partition_point(|&s| compare(s) == Ordering::Equal);
        &self.suffixes[from..from + count]
    }

    /// The row that holds a position, and the word of the row that stands there.
    pub(crate) fn place(&self, position: u32) -> (usize, usize) {
        let row = self.starts.partition_point(|&start| start <= position).saturating_sub(1);
        (row, (position - self.starts.get(row).copied().unwrap_or(0)) as usize)
    }
}

fn sorted_suffixes(words: &[u32]) -> Vec<u32> {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()[1..].to_vec()).collect();
    let mut sorted = vec![0i32; bytes.len()];
    divsufsort::sort_in_place(&bytes, &mut sorted);
    let aligned = sorted.into_iter().map(|at| at as usize).filter(|at| at.is_multiple_of(BYTES_A_WORD));
    aligned.map(|at| at / BYTES_A_WORD).filter(|&at| words[at] != END).map(|at| at as u32).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn corpus() -> impl Strategy<Value = Vec<Vec<u8>>> {
        proptest::collection::vec(proptest::collection::vec(0u8..4, 0..30), 1..8)
    }

    fn text(words: &[u8]) -> String {
        words.iter().map(|w| format!("w{w} ")).collect()
    }

    proptest! {
        /// Against a scan of every position.
        #[test]
        fn matches_are_those_of_a_plain_search(rows in corpus(), query in proptest::collection::vec(0u8..4, 1..8)) {
            let texts: Vec<String> = rows.iter().map(|row| text(row)).collect();
            let index = SpanIndex::new(texts.iter().map(String::as_str)).unwrap();
            let Some(run) = query.iter().map(|w| index.word(&format!("w{w}"))).collect::<Option<Vec<u32>>>() else {
                return Ok(());
            };
            let mut expected = vec![];
            for (r, row) in rows.iter().enumerate() {
                for at in 0..row.len() {
                    if row[at..].starts_with(&query) {
                        expected.push((r, at));
                    }
                }
            }
            let mut found: Vec<(usize, usize)> =
                index.occurrences(&run).iter().map(|&p| index.place(p)).collect();
            found.sort_unstable();
            prop_assert_eq!(found, expected);
            let longest = (0..=query.len()).rev().find(|&n| {
                rows.iter().any(|row| n == 0 || row.windows(n).any(|window| *window == query[..n]))
            });
            prop_assert_eq!(Some(index.longest_match(&run)), longest);
        }
    }

    #[test]
    fn no_match_reaches_over_the_end_of_a_row() {
        let index = SpanIndex::new(["one two", "three four"]).unwrap();
        let run: Vec<u32> = ["two", "three"].iter().map(|w| index.word(w).unwrap()).collect();
        assert_eq!(index.longest_match(&run), 1);
        assert!(index.occurrences(&run).is_empty());
        assert!(SpanIndex::new([]).unwrap().is_empty());
        assert_eq!(SpanIndex::new(["", "..."]).unwrap().longest_match(&[1]), 0);
    }

    #[test]
    fn more_words_than_a_byte_holds_are_told_apart() {
        let text: String = (0..70_000).map(|i| format!("x{i} ")).collect();
        let index = SpanIndex::new([text.as_str()]).unwrap();
        for i in [0u32, 254, 255, 256, 65_535, 65_536, 69_999] {
            let word = index.word(&format!("x{i}")).unwrap();
            assert_eq!(index.occurrences(&[word]), [i]);
        }
    }
}
