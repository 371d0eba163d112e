//! `attributor throughput`: rows a second of gradients on a device, beside what memory and arithmetic allow, and whether
//! the device pays whom the CPU pays.

use std::{ops::ControlFlow, path::PathBuf, time::Instant};

use clap::Args;
use eyre::{Result, ensure, eyre};
use openledger_attribution::{
    GradientStore, Gradients, InfluenceConfig, Scorer, Scores, ShareConfig, attribute, gradients,
};
use openledger_model::{
    Adapter, BaseModel, Device, LoraConfig, ModelConfig, PrefixCache, Sequence, TrainConfig, train,
};
use tch::{Kind, Tensor};

use crate::processor::Processor;

/// What a receipt's shares may differ by, parts per million.
const BAND_PPM: u32 = 100;
/// Tokens whose gradients are taken at a time.
const BATCH_TOKENS: usize = 512;
/// Bytes that are copied to measure memory.
const COPIED_BYTES: i64 = 256 << 20;
/// Rows that the adapter is trained on first: a fresh one has no gradient in half of its numbers.
const TRAINED_ROWS: usize = 16;
const ROUNDS: usize = 5;

/// Take per-sample gradients of an adapter on all layers and print one line of JSON.
///
/// Ends with an error where a share differs from the CPU's by more than the band.
#[derive(Debug, Args)]
pub(crate) struct ThroughputArguments {
    /// The base model, a GGUF file.
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// Where tensors live.
    #[arg(long, value_enum, default_value_t = Processor::Auto)]
    device: Processor,
    /// Rows whose gradients are taken.
    #[arg(long, default_value_t = 256)]
    rows: usize,
    /// Tokens of each row.
    #[arg(long, default_value_t = 128)]
    tokens: usize,
    /// Rank of the adapter.
    #[arg(long, default_value_t = 8)]
    rank: usize,
    /// CPU threads of libtorch.
    #[arg(long, default_value_t = 1)]
    threads: u32,
}

impl ThroughputArguments {
    /// Measures and prints.
    pub(crate) fn run(self) -> Result<()> {
        let device = self.device.device()?;
        openledger_model::set_num_threads(i32::try_from(self.threads.clamp(1, 1024))?);
        ensure!((8..=4096).contains(&self.rows), "--rows is 8 to 4096");
        ensure!((2..=1024).contains(&self.tokens), "--tokens is 2 to 1024");
        let (cpu, _) = BaseModel::load(&self.model, Device::Cpu)?;
        let rows = random_rows(self.rows + 1, self.tokens, cpu.config().vocab_size)?;
        let lora =
            LoraConfig { rank: self.rank, alpha: 2.0 * self.rank as f64, n_layers: cpu.config().n_layers };
        let config = TrainConfig { lora, epochs: 1, ..TrainConfig::default() };
        let going_on = |_: &openledger_model::Progress| ControlFlow::Continue(());
        let first = &rows[..TRAINED_ROWS.min(rows.len())];
        let adapter = train(&cpu, &mut PrefixCache::new(0, 0), first, &[], &config, going_on)?.adapter;
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("adapter.safetensors");
        adapter.save(&file)?;

        let on_cpu = Run::on(&cpu, &adapter, &rows)?;
        let (model, _) = BaseModel::load(&self.model, device)?;
        let on_device = Run::on(&model, &Adapter::load(&model, &file)?, &rows)?;
        let worst =
            on_cpu.shares.iter().zip(&on_device.shares).map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0);
        let floor = Floor::of(model.config(), device, self.tokens)?;
        let line = serde_json::json!({
            "device": format!("{device:?}"),
            "rows": self.rows, "tokens": self.tokens, "rank": self.rank, "threads": self.threads,
            "parameters": adapter.n_parameters(),
            "rows_per_s": on_device.rows_per_s,
            "tokens_per_s": on_device.rows_per_s * self.tokens as f64,
            "cpu_rows_per_s": on_cpu.rows_per_s,
            "floor_rows_per_s": 1.0 / floor.arithmetic_s.max(floor.memory_s),
            "arithmetic_s_per_row": floor.arithmetic_s,
            "memory_s_per_row": floor.memory_s,
            "of_floor": on_device.rows_per_s * floor.arithmetic_s.max(floor.memory_s),
            "worst_share_difference_ppm": worst,
            "band_ppm": BAND_PPM,
        });
        println!("{line}");
        ensure!(worst <= BAND_PPM, "a share differs by {worst} ppm from the CPU's, the band is {BAND_PPM}");
        Ok(())
    }
}

/// What a device made of the rows.
struct Run {
    rows_per_s: f64,
    /// Parts per million of the last row as the answer, for each of the others.
    shares: Vec<u32>,
}

impl Run {
    fn on(model: &BaseModel, adapter: &Adapter, rows: &[Sequence]) -> Result<Self> {
        let (answer, known) = rows.split_last().ok_or_else(|| eyre!("there are no rows"))?;
        let take = |rows: &[Sequence]| -> Result<Gradients> {
            let rows: Vec<&Sequence> = rows.iter().collect();
            Ok(gradients(model, adapter, &mut PrefixCache::new(0, 0), &rows)?)
        };
        // The first pass makes room and chooses kernels.
        take(&known[..8])?;
        let started = Instant::now();
        take(known)?;
        let seconds = started.elapsed().as_secs_f64();
        let folder = tempfile::tempdir()?;
        let mut cache = PrefixCache::new(0, 0);
        let path = folder.path().join("gradients.bin");
        let store =
            GradientStore::build(&path, model, adapter, &mut cache, known, |_| ControlFlow::Continue(()))?;
        let scorer = Scorer::new(store, InfluenceConfig::default())?;
        let scores = Scores::new(&scorer.scores(&take(std::slice::from_ref(answer))?)?)?;
        let mut shares = vec![0; known.len()];
        for share in attribute(&scores, ShareConfig::default())?.shares {
            shares[share.cluster] = share.ppm;
        }
        Ok(Self { rows_per_s: known.len() as f64 / seconds, shares })
    }
}

/// The least time that a row can take.
struct Floor {
    /// Multiplications of forward and backward through frozen weights, at the device's measured rate.
    arithmetic_s: f64,
    /// Every weight read once forward and once backward a batch, at the measured bandwidth.
    memory_s: f64,
}

impl Floor {
    fn of(model: &ModelConfig, device: Device, tokens: usize) -> Result<Self> {
        let (d, kv) = (model.d_model, model.d_model / model.n_heads * model.n_kv_heads);
        let layer = d * (d + 2 * kv) + d * d + 3 * d * model.d_ff;
        let weights = (model.n_layers * layer + d * model.vocab_size) as f64;
        let rows_a_batch = (BATCH_TOKENS / tokens).max(1) as f64;
        Ok(Self {
            arithmetic_s: 2.0 * 2.0 * tokens as f64 * weights / multiplications_per_s(model, device)?,
            memory_s: 2.0 * 4.0 * weights / rows_a_batch / bytes_per_s(device)?,
        })
    }
}

/// Seconds of the fastest of some rounds; reading a number back waits for the device.
fn fastest(mut work: impl FnMut() -> Result<Tensor>) -> Result<f64> {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let started = Instant::now();
        work()?.f_flatten(0, -1)?.f_get(0)?.f_double_value(&[])?;
        best = best.min(started.elapsed().as_secs_f64());
    }
    Ok(best)
}

/// Floating-point operations a second of the feed-forward's product, in f32.
fn multiplications_per_s(model: &ModelConfig, device: Device) -> Result<f64> {
    let (m, k, n) = (BATCH_TOKENS as i64, model.d_model as i64, 2 * model.d_ff as i64);
    let options = (Kind::Float, device);
    let (x, w) = (Tensor::f_randn([m, k], options)?, Tensor::f_randn([k, n], options)?);
    // Many at a time, so that starting them does not count.
    let times = 64;
    let seconds = fastest(|| {
        let mut product = x.f_matmul(&w)?;
        for _ in 1..times {
            product = x.f_matmul(&w)?;
        }
        Ok(product)
    })?;
    Ok((2 * m * k * n * times) as f64 / seconds)
}

/// Bytes that are read a second while others are written.
fn bytes_per_s(device: Device) -> Result<f64> {
    let from = Tensor::f_ones([COPIED_BYTES / 4], (Kind::Float, device))?;
    let seconds = fastest(|| Ok(from.f_detach_copy()?))?;
    Ok(2.0 * COPIED_BYTES as f64 / seconds)
}

/// Rows of tokens drawn by a fixed rule.
fn random_rows(n: usize, tokens: usize, vocabulary: usize) -> Result<Vec<Sequence>> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % vocabulary.max(1) as u64) as u32
    };
    (0..n).map(|_| Ok(Sequence::new((0..tokens).map(|_| next()).collect(), 1)?)).collect()
}
