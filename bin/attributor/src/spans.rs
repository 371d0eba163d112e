//! `attributor spans`: what an answer quotes, beside what its gradients say.

use std::path::{Path, PathBuf};

use clap::Args;
use eyre::{Context, Result};
use openledger_attribution::{ClusterConfig, ClusterRow, Clusters};
use openledger_spans::{QuoteConfig, Quotes, SpanIndex, merge};
use serde_json::{Value, json};

use crate::rows::{RowFiles, read};

/// Find what an answer quotes word for word, and from whose rows.
#[derive(Debug, Args)]
pub(crate) struct SpansArguments {
    #[command(flatten)]
    rows: RowFiles,
    /// The answer.
    #[arg(long, value_name = "TEXT")]
    answer: String,
    /// The answer's shares by gradient: a JSON list of {"row": N, "ppm": N}, rows counted from zero.
    #[arg(long, value_name = "FILE")]
    shares: Option<PathBuf>,
    /// Words that a quote has at least.
    #[arg(long, default_value_t = QuoteConfig::default().min_words)]
    min_words: usize,
    /// Rows that hold a quote at most; a run that more hold is a set phrase.
    #[arg(long, default_value_t = QuoteConfig::default().max_rows)]
    max_rows: usize,
}

impl SpansArguments {
    /// Prints one line of JSON: the quotes, and both lenses side by side.
    pub(crate) fn run(self) -> Result<()> {
        let texts = self.rows.read()?;
        let rows = texts.rows();
        let listed: Vec<ClusterRow<'_>> =
            (0..).zip(&rows).map(|(at, &text)| ClusterRow { text, priority: (at, 0) }).collect();
        let clusters = Clusters::find(&listed, ClusterConfig::default(), &[])?;
        // A copy is left out by its text, but keeps its number.
        let mut canonical = vec![""; rows.len()];
        clusters.canonical().iter().for_each(|&row| canonical[row] = rows[row]);
        let index = SpanIndex::new(canonical)?;
        let config = QuoteConfig { min_words: self.min_words, max_rows: self.max_rows };
        let found = Quotes::find(&index, &self.answer, config)?;
        let gradient = match &self.shares {
            Some(path) => shares(path, rows.len())?,
            None => vec![],
        };
        let merged = merge(&gradient, &found.shares_ppm())?;
        let quotes = found.quotes.iter().map(|quote| {
            let sources = quote.sources.iter().map(|s| json!({ "row": s.row, "text": rows[s.row] }));
            json!({
                "text": &self.answer[quote.bytes.clone()],
                "bytes": [quote.bytes.start, quote.bytes.end],
                "words": quote.words.len(),
                "sources": sources.collect::<Vec<_>>(),
            })
        });
        let line = json!({
            "rows": rows.len(),
            "copies": rows.len() - clusters.len(),
            "answer_words": found.answer_words,
            "quotes": quotes.collect::<Vec<_>>(),
            "lenses": merged,
        });
        println!("{line}");
        Ok(())
    }
}

fn shares(path: &Path, rows: usize) -> Result<Vec<(usize, u32)>> {
    let list: Vec<Value> = serde_json::from_str(&read(path)?).wrap_err_with(|| path.display().to_string())?;
    let share = |value: &Value| {
        let row = usize::try_from(value["row"].as_u64()?).ok().filter(|row| *row < rows)?;
        Some((row, u32::try_from(value["ppm"].as_u64()?).ok()?))
    };
    let shares: Option<Vec<(usize, u32)>> = list.iter().map(share).collect();
    shares.ok_or_else(|| {
        eyre::eyre!("{}: each share is {{\"row\": N, \"ppm\": N}} of {rows} rows", path.display())
    })
}
