//! `attributor query`: cluster scores and top rows of a score store, by one process or several.

use std::{
    ops::Range,
    path::PathBuf,
    process::{Command, Stdio},
    str::FromStr,
};

use clap::Args;
use eyre::{Context, Result, bail, eyre};
use openledger_attribution::{
    retraining::Npz,
    score_store::{RowScore, ScoreStore, StoreFolder, merge_top_rows},
};
use serde_json::{Value, json};

/// Multiply a store's rows with a query: a score a cluster, and the best rows.
#[derive(Debug, Args)]
pub(crate) struct QueryArguments {
    /// The store's folder.
    #[arg(long)]
    folder: PathBuf,
    /// An archive with `query`, f32 [numbers].
    #[arg(long, value_name = "NPZ")]
    input: PathBuf,
    /// How many rows to name.
    #[arg(long, default_value_t = 20)]
    top: usize,
    /// Scan these shards alone and give no cluster scores: a worker's part.
    #[arg(long, value_name = "FROM..TO", conflicts_with = "workers")]
    shards: Option<Shards>,
    /// Scan with so many processes of this program; the outcome is the same to the bit.
    #[arg(long, default_value_t = 1)]
    workers: usize,
}

/// A range of shards, the end not included.
#[derive(Debug, Clone)]
struct Shards(Range<usize>);

impl FromStr for Shards {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split_once("..").and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
        match parts {
            Some((from, to)) if from < to => Ok(Self(from..to)),
            _ => Err(format!("{text:?} is not FROM..TO with FROM below TO")),
        }
    }
}

impl QueryArguments {
    /// Queries and prints one line of JSON. Scores come with their bits, so that nothing is lost in print.
    pub(crate) fn run(self) -> Result<()> {
        let folder = StoreFolder::local(&self.folder)?;
        let query = Npz::open(&self.input)?.floats("query")?.values;
        if let Some(Shards(range)) = self.shards {
            let rows = ScoreStore::open_shards(&folder, range, None)?.top_rows(&query, self.top)?;
            println!("{}", json!({ "rows": to_json(&rows) }));
            return Ok(());
        }
        let (rows, clusters) = if self.workers > 1 {
            (self.by_workers(ScoreStore::count_shards(&folder)?)?, ScoreStore::open(&folder, None)?)
        } else {
            let store = ScoreStore::open(&folder, None)?;
            (store.top_rows(&query, self.top)?, store)
        };
        let clusters = clusters.cluster_scores(&query)?;
        println!("{}", json!({ "rows": to_json(&rows), "clusters": clusters }));
        Ok(())
    }

    /// Starts a process for each part of the shards and merges what they find.
    fn by_workers(&self, shards: usize) -> Result<Vec<RowScore>> {
        let workers = self.workers.clamp(1, shards.max(1));
        let program = std::env::current_exe()?;
        let mut children = Vec::new();
        for worker in 0..workers {
            let part = format!("{}..{}", shards * worker / workers, shards * (worker + 1) / workers);
            let mut command = Command::new(&program);
            command.arg("query").arg("--folder").arg(&self.folder).arg("--input").arg(&self.input);
            command.args(["--top", &self.top.to_string(), "--shards", &part]);
            let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
            children.push((child.wrap_err("starting a worker")?, part));
        }
        let mut rows = Vec::new();
        for (child, part) in children {
            let output = child.wait_with_output()?;
            if !output.status.success() {
                bail!("the worker of shards {part} failed: {}", output.status);
            }
            let found: Value = serde_json::from_slice(&output.stdout)?;
            rows.extend(from_json(&found).ok_or_else(|| eyre!("the worker of shards {part} made no sense"))?);
        }
        Ok(merge_top_rows(rows, self.top))
    }
}

fn to_json(rows: &[RowScore]) -> Vec<Value> {
    let value = |r: &RowScore| json!({ "row": r.row, "cluster": r.cluster, "score": r.score, "bits": r.score.to_bits() });
    rows.iter().map(value).collect()
}

fn from_json(found: &Value) -> Option<Vec<RowScore>> {
    let row = |value: &Value| {
        let number = |name: &str| value[name].as_u64();
        let cluster = u32::try_from(number("cluster")?).ok()?;
        Some(RowScore { row: number("row")?, cluster, score: f64::from_bits(number("bits")?) })
    };
    found["rows"].as_array()?.iter().map(row).collect()
}
