//! How many of exact influence's top 20 rows a projection finds, on SmolLM2's LoRA gradients of real text: alone, and
//! as candidates that exact gradients rank.
//!
//! `cargo run -p openledger-attribution --example projection_recall -- TEXTS.json [rows] [queries] [threads] [candidates]
//! [sweep]`
//!
//! `TEXTS.json` holds strings. The adapter (rank 8 on query and value of all layers) is trained on the first
//! quarter of the rows; the last texts are the queries. Exact is the damped Gram system of all rows. Prints the
//! recall of the default projection and damping as JSON, and with `sweep` that of others before it.

use std::{error::Error, ops::ControlFlow, path::PathBuf, time::Instant};

use openledger_attribution::{
    Gradients, Gram, Influence, InfluenceConfig, Projection, ProjectionConfig, StoredCurvature,
    gradients_on_threads,
};
use openledger_model::{BaseModel, Device, LoraConfig, PrefixCache, Sequence, TrainConfig, train};
use tch::{Kind, Tensor};

const TOP: usize = 20;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |i: usize, default: usize| arguments.get(i).map_or(Ok(default), |text| text.parse());
    let (n, queries, threads, candidates) = (number(1, 512)?, number(2, 32)?, number(3, 1)?, number(4, 100)?);
    openledger_model::set_num_threads(1);
    let gguf = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../.cache/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf");
    let (model, tokenizer) = BaseModel::load(&gguf, Device::Cpu)?;
    let texts: Vec<String> = serde_json::from_str(&std::fs::read_to_string(&arguments[0])?)?;
    let mut rows: Vec<Sequence> = texts.iter().map(|t| tokenizer.row(t)).collect::<Result<_, _>>()?;
    rows.truncate(n + queries);
    let n = rows.len() - queries;

    let lora = LoraConfig { rank: 8, alpha: 16.0, n_layers: model.config().n_layers };
    let config = TrainConfig { lora, epochs: 1, learning_rate: 1e-3, ..TrainConfig::default() };
    let going_on = |_: &openledger_model::Progress| ControlFlow::Continue(());
    let start = Instant::now();
    let trained = train(&model, &mut PrefixCache::new(0, 0), &rows[..n / 4], &[], &config, going_on)?;
    println!("trained on {} rows in {:.1} s", n / 4, start.elapsed().as_secs_f64());
    let all: Vec<&Sequence> = rows.iter().collect();
    let start = Instant::now();
    let taken = gradients_on_threads(&model, &trained.adapter, &all, threads)?;
    let tokens: usize = rows.iter().map(|r| r.tokens().len()).sum();
    let seconds = start.elapsed().as_secs_f64();
    println!("{} gradients, {tokens} tokens, in {seconds:.1} s", rows.len());

    let default = ProjectionConfig::default();
    let influence = InfluenceConfig::default();
    let exact = exact(&taken, n, influence)?;
    if arguments.iter().any(|argument| argument == "sweep") {
        for (fitted, sketch, rank) in [
            (n, 16_384, n),
            (n, 262_144, n),
            (n, 65_536, n / 2),
            (n, 65_536, n / 4),
            (n / 2, 65_536, n / 2),
            (n / 4, 65_536, n / 4),
        ] {
            let config = ProjectionConfig { sketch, rank, seed: 0 };
            let found = recall(&taken, &exact, fitted, config, influence, candidates)?;
            println!("fitted on {fitted} of {n}, sketch {sketch}: {found:?}");
        }
    }
    let found = recall(&taken, &exact, n, default, influence, candidates)?;
    let line = serde_json::json!({
        "rows": n, "queries": queries, "sketch": default.sketch, "rank": found.rank, "damping": influence.damping,
        "candidates": candidates, "recall_at_20": found.ranked_again, "recall_of_store_alone": found.alone,
        "in_candidates": found.among, "rank_again_ms": found.rank_again_ms,
    });
    println!("{line}");
    Ok(())
}

/// How many of the exact top rows a projection finds, on average over the queries.
#[derive(Debug)]
struct Recall {
    rank: usize,
    /// Among its own top rows.
    alone: f64,
    /// Among the candidates.
    among: f64,
    /// Among the top candidates by exact gradients.
    ranked_again: f64,
    rank_again_ms: f64,
}

fn recall(
    taken: &Gradients,
    exact: &[Vec<f64>],
    fitted: usize,
    config: ProjectionConfig,
    influence: InfluenceConfig,
    candidates: usize,
) -> Result<Recall, Box<dyn Error>> {
    let (p, n) = (taken.n_parameters(), taken.len() - exact.len());
    let projection = Projection::fit(&taken.values()[..fitted * p], p, config, influence)?;
    let rank = projection.rank();
    let projected = projection.rows(&taken.values()[..n * p])?;
    let mut curvature = StoredCurvature::new(rank)?;
    curvature.add(&projected)?;
    let (mut alone, mut among, mut ranked_again, mut seconds) = (0, 0, 0, 0.0);
    for (query, exact) in exact.iter().enumerate() {
        let query = projection.query(taken.row(n + query).ok_or("row")?, &curvature)?;
        let score = |row: &[f32]| -> f64 {
            row.iter().zip(query.direction()).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
        };
        let best = top(&projected.chunks_exact(rank).map(score).collect::<Vec<f64>>(), candidates);
        let gradients: Vec<&[f32]> = best.iter().filter_map(|&row| taken.row(row)).collect();
        let start = Instant::now();
        let again = query.rank_again(&gradients)?;
        seconds += start.elapsed().as_secs_f64();
        let again: Vec<usize> = top(&again, TOP).into_iter().map(|place| best[place]).collect();
        for row in top(exact, TOP) {
            alone += usize::from(best[..TOP].contains(&row));
            among += usize::from(best.contains(&row));
            ranked_again += usize::from(again.contains(&row));
        }
    }
    let part = |found: usize| found as f64 / (TOP * exact.len()) as f64;
    Ok(Recall {
        rank,
        alone: part(alone),
        among: part(among),
        ranked_again: part(ranked_again),
        rank_again_ms: seconds * 1e3 / exact.len() as f64,
    })
}

/// Scores of the first `n` rows for each of the others, in full.
fn exact(taken: &Gradients, n: usize, config: InfluenceConfig) -> Result<Vec<Vec<f64>>, Box<dyn Error>> {
    let (all, p) = (taken.len(), taken.n_parameters());
    let matrix = Tensor::from_slice(taken.values()).reshape([all as i64, p as i64]);
    let rows = matrix.narrow(0, 0, n as i64);
    let squares = rows.square().mean_dim(0i64, true, Kind::Float);
    let floor = 1e-6 * squares.mean(Kind::Double).double_value(&[]);
    let matrix = matrix / (squares + floor).sqrt();
    let products = matrix.matmul(&matrix.narrow(0, 0, n as i64).transpose(0, 1));
    let lengths = Vec::<f32>::try_from(matrix.square().sum_dim_intlist(1i64, false, Kind::Float).sqrt())?;
    let products: Vec<f32> = Vec::try_from(products.reshape([-1]))?;
    let products: Vec<f64> = products.into_iter().map(f64::from).collect();
    let influence = Influence::new(&Gram::new(n, products[..n * n].to_vec())?, config)?;
    let mut scores = Vec::new();
    for query in n..all {
        scores.push(influence.scores(&products[query * n..(query + 1) * n], f64::from(lengths[query]))?);
    }
    Ok(scores)
}

fn top(scores: &[f64], count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    order.truncate(count);
    order
}
