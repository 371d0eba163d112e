//! Rows a second from text to a score store: SmolLM2's LoRA gradients on all layers, projected and stored.
//!
//! `cargo run -p openledger-attribution --example lm_rows -- MODEL.gguf ROWS.json [threads] [rank]`
//!
//! `ROWS.json` holds arrays of token numbers. Loading the model and fitting the projection are not counted; prints JSON.
//! The projection has the default size. What it is fitted on does not matter to its speed: random numbers.

use std::{collections::BTreeMap, error::Error, path::PathBuf, time::Instant};

use openledger_attribution::{
    InfluenceConfig, Projection, ProjectionConfig, each_gradient_on_threads,
    score_store::{ShardWriter, StoreFolder, StoreIdentity},
};
use openledger_model::{Adapter, BaseModel, Device, LoraConfig, Sequence};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [gguf, rows, ..] = arguments.as_slice() else { return Err("give MODEL.gguf and ROWS.json".into()) };
    let number = |i: usize, default: usize| arguments.get(i).map_or(Ok(default), |text| text.parse());
    let (threads, rank) = (number(2, 1)?, number(3, 8)?);
    openledger_model::set_num_threads(1);
    let (model, _) = BaseModel::load(&PathBuf::from(gguf), Device::Cpu)?;
    let lora = LoraConfig { rank, alpha: 2.0 * rank as f64, n_layers: model.config().n_layers };
    let adapter = Adapter::new(&model, lora, 1)?;
    let tokens: Vec<Vec<u32>> = serde_json::from_str(&std::fs::read_to_string(rows)?)?;
    let rows: Vec<Sequence> = tokens.into_iter().map(|t| Sequence::new(t, 1)).collect::<Result<_, _>>()?;
    let all: Vec<&Sequence> = rows.iter().collect();

    let (parameters, influence) = (adapter.n_parameters(), InfluenceConfig::default());
    let config = ProjectionConfig::default();
    let projection = Projection::fit(&random(config.rank * parameters), parameters, config, influence)?;
    let identity = StoreIdentity {
        base: model.hash(),
        adapter: adapter.hash()?,
        projection: projection.hash()?,
        dimension: projection.rank(),
    };
    let folder = tempfile::tempdir()?;
    let mut writer = ShardWriter::open(StoreFolder::local(folder.path())?, identity, 8192)?;

    let (start, cpu_before) = (Instant::now(), cpu_s());
    let mut beside_s = 0.0;
    // Threads overtake each other; a store's rows lie in order.
    let mut waiting = BTreeMap::new();
    each_gradient_on_threads(&model, &adapter, &all, threads, |batch, values, _| {
        let begun = Instant::now();
        let projected = projection.rows(values)?;
        for (&row, numbers) in batch.iter().zip(projected.chunks_exact(projection.rank())) {
            waiting.insert(row as u64, numbers.to_vec());
        }
        while let Some(row) = waiting.remove(&writer.next_row()) {
            let cluster = writer.next_row() as u32;
            writer.push(&row, cluster)?;
        }
        beside_s += begun.elapsed().as_secs_f64();
        Ok(())
    })?;
    let store = writer.finish(rows.len())?;
    let seconds = start.elapsed().as_secs_f64();
    let line = serde_json::json!({
        "rows": store.len(),
        "parameters": parameters,
        "projected": projection.rank(),
        "threads": threads,
        "seconds": seconds,
        "rows_per_s": store.len() as f64 / seconds,
        "projecting_and_storing_s": beside_s,
        "cpu_s_per_row": (cpu_s() - cpu_before) / store.len() as f64,
    });
    println!("{line}");
    Ok(())
}

/// Evenly spread in (−1, 1), by xorshift.
fn random(count: usize) -> Vec<f32> {
    let mut state = 0x2545_F491_4F6C_DD1Du64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// Processor seconds that this process has used, in hundredths; zero where the system does not say.
fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name before may hold spaces; user and system time are the 12th and 13th field after it.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    fields.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}
