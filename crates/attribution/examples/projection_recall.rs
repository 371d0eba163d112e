//! How many of exact influence's top 20 rows a projection finds, on SmolLM2's LoRA gradients of real text.
//!
//! `cargo run -p openledger-attribution --example projection_recall -- TEXTS.json [rows] [queries] [threads] [sweep]`
//!
//! `TEXTS.json` holds strings. The adapter (rank 8 on query and value of all layers) is trained on the first
//! quarter of the rows; the last texts are the queries. Exact is the damped Gram system of all rows. Prints the
//! recall of the default projection and damping as JSON, and with `sweep` that of others before it.

use std::{error::Error, ops::ControlFlow, path::PathBuf, time::Instant};

use openledger_attribution::{
    Gradients, Gram, Influence, InfluenceConfig, Projection, ProjectionConfig, gradients_on_threads,
};
use openledger_model::{BaseModel, Device, LoraConfig, PrefixCache, Sequence, TrainConfig, train};
use tch::{Kind, Tensor};

const TOP: usize = 20;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |i: usize, default: usize| arguments.get(i).map_or(Ok(default), |text| text.parse());
    let (n, queries, threads) = (number(1, 512)?, number(2, 32)?, number(3, 1)?);
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
    if arguments.iter().any(|argument| argument == "sweep") {
        for damping in [0.003, 0.01, 0.03] {
            let influence = InfluenceConfig { damping, ..InfluenceConfig::default() };
            let exact = exact(&taken, n, influence)?;
            for (fitted, sketch, rank) in [
                (n, 4096, n),
                (n, 16_384, n),
                (n, 65_536, n),
                (n, 16_384, n / 2),
                (n, 16_384, n / 4),
                (n / 2, 16_384, n / 2),
                (n / 4, 16_384, n / 4),
            ] {
                let config = ProjectionConfig { sketch, rank, seed: 0 };
                let (recall, rank) = recall(&taken, &exact, fitted, config, influence)?;
                println!(
                    "damping {damping}: fitted on {fitted} of {n}, sketch {sketch}, rank {rank}: recall {recall:.3}"
                );
            }
        }
    }
    let influence = InfluenceConfig::default();
    let (recall, rank) = recall(&taken, &exact(&taken, n, influence)?, n, default, influence)?;
    let line = serde_json::json!({
        "rows": n, "queries": queries, "sketch": default.sketch, "rank": rank, "damping": influence.damping,
        "recall_at_20": recall,
    });
    println!("{line}");
    Ok(())
}

/// How many of the exact top rows a projection finds, on average over the queries, and how many directions it has.
fn recall(
    taken: &Gradients,
    exact: &[Vec<f64>],
    fitted: usize,
    config: ProjectionConfig,
    influence: InfluenceConfig,
) -> Result<(f64, usize), Box<dyn Error>> {
    let (p, n) = (taken.n_parameters(), taken.len() - exact.len());
    let projection = Projection::fit(&taken.values()[..fitted * p], p, config, influence)?;
    let rows = (0..n).filter_map(|i| taken.row(i));
    let projected: Vec<Vec<f32>> = rows.map(|row| projection.row(row)).collect::<Result<_, _>>()?;
    let mut found = 0;
    for (query, exact) in exact.iter().enumerate() {
        let query = projection.query(taken.row(n + query).ok_or("row")?)?;
        let score = |row: &Vec<f32>| -> f64 {
            row.iter().zip(&query).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
        };
        let scores: Vec<f64> = projected.iter().map(score).collect();
        let best = top(&scores);
        found += top(exact).iter().filter(|row| best.contains(row)).count();
    }
    Ok((found as f64 / (TOP * exact.len()) as f64, projection.rank()))
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

fn top(scores: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    order.truncate(TOP);
    order
}
