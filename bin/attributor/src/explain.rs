//! `attributor explain`: which rows of a store shaped an answer.

use std::time::Instant;

use clap::Args;
use eyre::{Context, Result, ensure, eyre};
use openledger_attribution::{
    MAX_CANDIDATES, gradients_on_threads,
    model_store::{ModelRows, ModelStore, StoreOf},
    score_store::RowScore,
};
use openledger_model::Sequence;
use serde_json::{Map, Value, json};

use crate::{model::Model, store::ModelStoreArguments};

/// Ask a filled store who shaped an answer, and print one line of JSON.
///
/// Clusters come from the exact sums of their stored rows, as a payout takes them. Rows are the store's candidates, ranked
/// again by their exact gradients. A store of other rows, another base model or adapter is refused.
#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    #[command(flatten)]
    of: ModelStoreArguments,
    /// What was asked.
    #[arg(long, value_name = "TEXT")]
    question: String,
    /// What was answered; only its tokens count.
    #[arg(long, value_name = "TEXT")]
    answer: String,
    /// How many rows and clusters to name.
    #[arg(long, default_value_t = 20)]
    top: usize,
    /// How many of the store's best rows are ranked again; the gradient of each is taken.
    #[arg(long, default_value_t = 200)]
    candidates: usize,
}

impl ExplainArguments {
    /// Explains and prints.
    pub(crate) fn run(self) -> Result<()> {
        let (top, most) = (self.top, self.candidates);
        ensure!((1..=MAX_CANDIDATES).contains(&most), "--candidates is 1 to {MAX_CANDIDATES}");
        ensure!(top <= most, "--top {top} rows of --candidates {most}: raise --candidates");
        let mut clock = Clock::default();
        let texts = self.of.rows.read()?;
        let texts = texts.rows();
        let model = self.of.model.load()?;
        clock.done("load_model");
        let sequence = |text: &str| model.row(text);
        let rows = ModelRows { texts: &texts, sequence: &sequence };
        let of = StoreOf { base: model.base.hash(), adapter: model.adapter.hash()?, rows: rows.hash() };
        let store = ModelStore::open(&self.of.folder, &of)?;
        clock.done("open_store");
        let answer = self.answer(&model)?;
        let gradient = gradients_on_threads(&model.base, &model.adapter, &[&answer], 1)?;
        clock.done("answer_gradient");
        let query = store.query(gradient.values())?;
        clock.done("query");
        let clusters = query.clusters(top)?;
        clock.done("clusters");
        let candidates = query.candidates(most)?;
        clock.done("candidates");
        let sequences = candidates.iter().map(|candidate| stored_row(&store, &rows, candidate));
        let sequences = sequences.collect::<Result<Vec<Sequence>>>()?;
        let sequences: Vec<&Sequence> = sequences.iter().collect();
        let gradients = gradients_on_threads(&model.base, &model.adapter, &sequences, model.threads)?;
        clock.done("candidate_gradients");
        let ranked = query.rank_again(&candidates, &gradients)?;
        clock.done("ranking");
        let clusters = clusters.iter().map(|c| {
            json!({ "cluster": c.cluster, "score": c.score, "rows": c.rows, "row": c.row, "text": texts[c.row] })
        });
        let best = ranked.iter().take(top).map(|r| {
            json!({
                "row": r.row, "cluster": r.cluster, "score": r.score, "stored_score": r.stored_score,
                "text": texts[r.row],
            })
        });
        let line = json!({
            "rows": best.collect::<Vec<_>>(),
            "clusters": clusters.collect::<Vec<_>>(),
            "candidates": candidates.len(),
            "stored": store.scores().len(),
            "answer_tokens": answer.n_predicted(),
            "answer_loss": gradient.losses().first(),
            "seconds": clock.seconds,
        });
        println!("{line}");
        Ok(())
    }

    fn answer(&self, model: &Model) -> Result<Sequence> {
        let prompt = model.tokenizer.chat_prompt(&self.question)?;
        let sequence = model.tokenizer.answer(&prompt, &model.tokenizer.encode(&self.answer)?);
        let sequence = sequence.wrap_err("--question and --answer")?;
        let (tokens, most) = (sequence.tokens().len(), model.base.config().context_tokens);
        ensure!(tokens <= most, "--question and --answer have {tokens} tokens, the model's context {most}");
        Ok(sequence)
    }
}

fn stored_row(store: &ModelStore, rows: &ModelRows<'_>, candidate: &RowScore) -> Result<Sequence> {
    let row = store.contents().stored().get(usize::try_from(candidate.row)?);
    let row = *row.ok_or_else(|| eyre!("row {} is not stored", candidate.row))?;
    Ok(rows.sequence_of(row as usize)?)
}

/// Seconds of one part after the other.
#[derive(Debug)]
struct Clock {
    since: Instant,
    seconds: Map<String, Value>,
}

impl Default for Clock {
    fn default() -> Self {
        Self { since: Instant::now(), seconds: Map::new() }
    }
}

impl Clock {
    fn done(&mut self, part: &str) {
        self.seconds.insert(part.to_owned(), self.since.elapsed().as_secs_f64().into());
        self.since = Instant::now();
    }
}
