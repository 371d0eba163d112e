//! What an answer quotes.

use std::ops::Range;

use serde::Serialize;

use crate::{PPM, SpansError, index::SpanIndex, words::words};

/// The most words of an answer that is looked at.
const MAX_ANSWER_WORDS: usize = 1 << 16;
/// The most sources named of one quote.
const MAX_SOURCES: usize = 64;

/// What counts as a quote; part of the method that a receipt names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuoteConfig {
    /// Words that a quote has at least: shorter runs are anyone's.
    pub min_words: usize,
    /// Rows that hold it at most: a run that more hold is a set phrase.
    pub max_rows: usize,
}

impl Default for QuoteConfig {
    fn default() -> Self {
        Self { min_words: 6, max_rows: 8 }
    }
}

/// A row that holds a quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Source {
    /// The row.
    pub row: usize,
    /// The word of the row at which the quote first starts, from zero.
    pub word: usize,
}

/// A run of words of an answer that rows hold, as long as any row allows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Quote {
    /// Its bytes in the answer.
    pub bytes: Range<usize>,
    /// Its words in the answer, from zero.
    pub words: Range<usize>,
    /// The rows, the earliest first.
    pub sources: Vec<Source>,
}

/// All quotes of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quotes {
    /// By where they start; none lies inside another.
    pub quotes: Vec<Quote>,
    /// Words of the answer.
    pub answer_words: usize,
}

impl Quotes {
    /// Finds the quotes of an answer.
    pub fn find(index: &SpanIndex, answer: &str, config: QuoteConfig) -> Result<Self, SpansError> {
        if config.min_words == 0 || !(1..=MAX_SOURCES).contains(&config.max_rows) {
            let what = format!("a quote has at least one word and 1 to {MAX_SOURCES} rows");
            return Err(SpansError::Invalid(what));
        }
        let mut places = Vec::new();
        let mut ids = Vec::new();
        for (word, bytes) in words(answer) {
            if places.len() >= MAX_ANSWER_WORDS {
                return Err(SpansError::Invalid(format!("the answer has over {MAX_ANSWER_WORDS} words")));
            }
            places.push(bytes);
            ids.push(index.word(&word));
        }
        let mut quotes = Vec::new();
        let mut covered = 0;
        for from in 0..ids.len() {
            // Words that no row has end every match.
            let known = ids[from..].iter().map_while(|id| *id);
            let query: Vec<u32> = known.take(index.longest_row()).collect();
            let length = index.longest_match(&query);
            if from + length <= covered || length == 0 {
                continue;
            }
            covered = from + length;
            if length < config.min_words {
                continue;
            }
            let sources = sources(index, &query[..length]);
            if sources.len() <= config.max_rows {
                let bytes = places[from].start..places[from + length - 1].end;
                quotes.push(Quote { bytes, words: from..from + length, sources });
            }
        }
        Ok(Self { quotes, answer_words: ids.len() })
    }

    /// The answer's words by whom they are quoted from: each word of a quote credits the earliest row
    /// that holds it; where quotes overlap, the longest one's. Rows ascending, parts in ppm of the whole
    /// answer, rounded down.
    pub fn shares_ppm(&self) -> Vec<(usize, u32)> {
        let mut credited: Vec<Option<(usize, usize)>> = vec![None; self.answer_words];
        for quote in &self.quotes {
            let Some(source) = quote.sources.first() else { continue };
            for word in &mut credited[quote.words.clone()] {
                if word.is_none_or(|(length, _)| length < quote.words.len()) {
                    *word = Some((quote.words.len(), source.row));
                }
            }
        }
        let mut rows: Vec<usize> = credited.into_iter().flatten().map(|(_, row)| row).collect();
        rows.sort_unstable();
        let whole = self.answer_words.max(1) as u64;
        rows.chunk_by(|a, b| a == b)
            .map(|run| (run[0], (run.len() as u64 * u64::from(PPM) / whole) as u32))
            .collect()
    }
}

/// Distinct rows, the earliest first, each with its first occurrence.
fn sources(index: &SpanIndex, run: &[u32]) -> Vec<Source> {
    let mut places: Vec<(usize, usize)> = index.occurrences(run).iter().map(|&p| index.place(p)).collect();
    places.sort_unstable();
    places.dedup_by_key(|place| place.0);
    places.into_iter().map(|(row, word)| Source { row, word }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ROWS: [&str; 3] = [
        "Typhoid fever with involvement of the heart, the lungs and the joints (A01.0)",
        "The Congress shall have power to lay and collect taxes, duties and imposts",
        "As they say: typhoid fever with involvement of the heart, the lungs and more",
    ];

    fn find(answer: &str, config: QuoteConfig) -> Quotes {
        Quotes::find(&SpanIndex::new(ROWS).unwrap(), answer, config).unwrap()
    }

    #[test]
    fn quote_is_found_with_its_sources_and_credits_the_earliest() {
        let answer = "It is TYPHOID FEVER with involvement of the heart, the lungs. Taxes, duties and so on";
        let found = find(answer, QuoteConfig::default());
        assert_eq!(found.quotes.len(), 1);
        let quote = &found.quotes[0];
        assert_eq!(&answer[quote.bytes.clone()], "TYPHOID FEVER with involvement of the heart, the lungs");
        assert_eq!(quote.sources, [Source { row: 0, word: 0 }, Source { row: 2, word: 3 }]);
        assert_eq!(found.shares_ppm(), [(0, 9 * 1_000_000 / 16)]);
    }

    #[test]
    fn short_runs_and_set_phrases_are_no_quotes() {
        let answer = "typhoid fever with involvement of the heart the lungs";
        assert!(find("the lungs and the joints", QuoteConfig::default()).quotes.is_empty());
        assert!(find(answer, QuoteConfig { max_rows: 1, ..QuoteConfig::default() }).quotes.is_empty());
        let short = QuoteConfig { min_words: 2, ..QuoteConfig::default() };
        assert_eq!(find("duties and joints", short).quotes[0].words, 0..2);
        assert!(find("", short).shares_ppm().is_empty());
        let index = SpanIndex::new(ROWS).unwrap();
        assert!(Quotes::find(&index, "a", QuoteConfig { min_words: 0, max_rows: 1 }).is_err());
    }

    #[test]
    fn row_that_repeats_a_quote_later_takes_nothing() {
        let answer = "lay and collect taxes duties and imposts";
        let before = find(answer, QuoteConfig::default()).shares_ppm();
        let stuffed = "lay and collect taxes duties and imposts lay and collect taxes duties and imposts";
        let index = SpanIndex::new(ROWS.into_iter().chain([stuffed; 3])).unwrap();
        assert_eq!(Quotes::find(&index, answer, QuoteConfig::default()).unwrap().shares_ppm(), before);
    }

    proptest! {
        #[test]
        fn quotes_occur_in_their_sources_and_none_lies_inside_another(
            rows in proptest::collection::vec(proptest::collection::vec(0u8..5, 0..40), 1..6),
            answer in proptest::collection::vec(0u8..6, 0..40),
        ) {
            let text = |words: &[u8]| words.iter().map(|w| format!("w{w}")).collect::<Vec<_>>().join(" ");
            let rows: Vec<String> = rows.iter().map(|row| text(row)).collect();
            let answer = text(&answer);
            let index = SpanIndex::new(rows.iter().map(String::as_str)).unwrap();
            let config = QuoteConfig { min_words: 2, max_rows: 64 };
            let found = Quotes::find(&index, &answer, config).unwrap();
            for quote in &found.quotes {
                for source in &quote.sources {
                    let row = format!("{} ", rows[source.row]);
                    let from = row.match_indices(' ').nth(source.word.wrapping_sub(1)).map_or(0, |(at, _)| at + 1);
                    let quoted = format!("{} ", &answer[quote.bytes.clone()]);
                    prop_assert!(row[from..].starts_with(&quoted));
                }
            }
            for pair in found.quotes.windows(2) {
                prop_assert!(pair[0].words.start < pair[1].words.start && pair[0].words.end < pair[1].words.end);
            }
            prop_assert!(found.shares_ppm().iter().map(|(_, ppm)| ppm).sum::<u32>() <= PPM);
        }
    }
}
