//! Adapters, training and generation on a model small enough to run in milliseconds.
#![allow(clippy::unwrap_used)]

use std::ops::ControlFlow;

use openledger_model::{
    Adapter, BaseModel, Device, LoraConfig, ModelConfig, ModelError, PrefixCache, Progress, Sequence,
    TrainConfig, Trained, mean_loss, train,
};

fn toy(seed: u64) -> BaseModel {
    let config = ModelConfig {
        n_layers: 3,
        d_model: 32,
        n_heads: 4,
        n_kv_heads: 2,
        d_ff: 48,
        vocab_size: 50,
        context_tokens: 64,
        rope_theta: 1e4,
        rms_epsilon: 1e-5,
    };
    BaseModel::random(config, seed, Device::Cpu).unwrap()
}

fn rows() -> Vec<Sequence> {
    let row = |seed: u32| (0..6 + seed % 4).map(|i| (seed * 7 + i * i) % 50).collect();
    (0..8).map(|i| Sequence::new(row(i), 1).unwrap()).collect()
}

fn config() -> TrainConfig {
    let lora = LoraConfig { rank: 2, alpha: 4.0, n_layers: 2 };
    TrainConfig { lora, epochs: 5, learning_rate: 0.03, batch_rows: 3, ..TrainConfig::default() }
}

fn trained(model: &BaseModel) -> Trained {
    let mut cache = PrefixCache::new(1, 1 << 20);
    train(model, &mut cache, &rows(), &rows(), &config(), |_| ControlFlow::Continue(())).unwrap()
}

#[test]
fn saved_adapter_comes_back_the_same_and_damage_is_refused() {
    let model = toy(1);
    let adapter = trained(&model).adapter;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("adapter.safetensors");
    adapter.save(&path).unwrap();
    let loaded = Adapter::load(&model, &path).unwrap();
    assert_eq!(loaded.hash().unwrap(), adapter.hash().unwrap());
    assert_eq!(loaded.config(), adapter.config());

    assert!(matches!(Adapter::load(&toy(2), &path), Err(ModelError::Adapter(_))), "another base model");
    let whole = std::fs::read(&path).unwrap();
    for at in [0, 20, 200, whole.len() / 2, whole.len() - 1] {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x41;
        std::fs::write(&path, damaged).unwrap();
        assert!(Adapter::load(&model, &path).is_err(), "byte {at}");
    }
    std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    assert!(Adapter::load(&model, &path).is_err());
}

#[test]
fn training_lowers_the_loss_and_a_cache_changes_nothing() {
    let model = toy(1);
    let cached = trained(&model);
    assert!(cached.held_out_after.unwrap() < cached.held_out_before.unwrap() - 0.05, "{cached:?}");
    let mut none = PrefixCache::new(1, 0);
    let without = train(&model, &mut none, &rows(), &[], &config(), |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(none.bytes(), 0);
    for (a, b) in cached.losses.iter().zip(&without.losses) {
        assert!((a - b).abs() < 1e-4);
    }
}

#[test]
fn caller_can_stop_training_and_absurd_settings_are_refused() {
    let model = toy(1);
    let run = |config: &TrainConfig, rows: &[Sequence], stop_at: usize| {
        let mut cache = PrefixCache::new(1, 1 << 20);
        let stop = |p: &Progress| {
            if p.step == stop_at { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        train(&model, &mut cache, rows, &[], config, stop).map(|_| ())
    };
    assert!(matches!(run(&config(), &rows(), 2), Err(ModelError::Cancelled)));
    assert!(run(&config(), &[], 0).is_err());
    for wrong in [
        TrainConfig { epochs: 0, ..config() },
        TrainConfig { batch_rows: 0, ..config() },
        TrainConfig { learning_rate: f64::NAN, ..config() },
        TrainConfig { lora: LoraConfig { rank: 0, ..config().lora }, ..config() },
        TrainConfig { lora: LoraConfig { n_layers: 4, ..config().lora }, ..config() },
        // Its lowest layer lies below what the cache covers.
        TrainConfig { lora: LoraConfig { n_layers: 3, ..config().lora }, ..config() },
    ] {
        assert!(matches!(run(&wrong, &rows(), 0), Err(ModelError::Invalid(_))), "{wrong:?}");
    }
    assert!(Sequence::new(vec![1], 1).is_err());
    assert!(Sequence::new(vec![1, 2], 0).is_err());
    let unknown = [Sequence::new(vec![1, 99], 1).unwrap()];
    assert!(mean_loss(&model, None, &mut PrefixCache::new(1, 0), &unknown).is_err());
}

#[test]
fn cached_generation_gives_what_whole_forward_passes_would() {
    let model = toy(1);
    let adapter = trained(&model).adapter;
    let prompt = [3, 1, 4, 1, 5];
    let answer = model.generate_until(Some(&adapter), &prompt, 12, |_| false).unwrap().tokens;
    for (i, &token) in answer.iter().enumerate() {
        let context = [prompt.as_slice(), &answer[..i]].concat();
        // The token chosen has the lowest loss of all as the continuation.
        let continuations: Vec<Sequence> = (0..50)
            .map(|next| Sequence::new([context.as_slice(), &[next]].concat(), context.len()).unwrap())
            .collect();
        let all: Vec<&Sequence> = continuations.iter().collect();
        let mut cache = PrefixCache::new(0, 0);
        let losses = Vec::<f32>::try_from(&model.losses(&all, Some(adapter.lora()), &mut cache).unwrap());
        let losses = losses.unwrap();
        let best = losses.iter().copied().fold(f32::INFINITY, f32::min);
        assert!(losses[token as usize] - best < 1e-4, "token {i}");
    }
}
