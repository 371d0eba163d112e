//! The scalar kernel beside libtorch, on a model small enough for both.
#![allow(clippy::unwrap_used)]

use std::{ops::ControlFlow, path::PathBuf};

use alloy_primitives::{b256, keccak256};
use openledger_attribution::{
    GradientStore, InfluenceConfig, Scorer,
    audit::{RowGradient, ScalarLora, Weights, gradient, scalar_scores},
    gradients,
};
use openledger_model::{
    Adapter, BaseModel, Device, Gguf, LoraConfig, PrefixCache, Sequence, Tokenizer, TrainConfig, train,
};

struct Toy {
    model: BaseModel,
    tokenizer: Tokenizer,
    weights: Weights,
}

fn toy() -> Toy {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/models/toy.gguf");
    let gguf = Gguf::open(&path).unwrap();
    Toy {
        model: BaseModel::from_gguf(&gguf, Device::Cpu).unwrap(),
        tokenizer: Tokenizer::from_gguf(&gguf).unwrap(),
        weights: Weights::from_gguf(&gguf).unwrap(),
    }
}

fn rows(toy: &Toy) -> Vec<Sequence> {
    let texts = [
        "Cholera due to Vibrio cholerae.",
        "Typhoid fever with heart involvement.",
        "The state of the Union is strong.",
        "We the people, and the people's house.",
        "An array is a row of equal things.",
        "0123456789 and then 9876543210!",
        "A short one.",
        "Ünïcödé bytes — many of them.",
        "Miliary tuberculosis of a single site.",
    ];
    texts.iter().map(|text| toy.tokenizer.row(text).unwrap()).collect()
}

const LORA: LoraConfig = LoraConfig { rank: 3, alpha: 6.0, n_layers: 2 };

fn trained(toy: &Toy) -> Adapter {
    let config =
        TrainConfig { lora: LORA, epochs: 3, learning_rate: 0.02, batch_rows: 2, ..Default::default() };
    let mut cache = PrefixCache::new(1, 1 << 20);
    let going_on = |_: &openledger_model::Progress| ControlFlow::Continue(());
    train(&toy.model, &mut cache, &rows(toy), &[], &config, going_on).unwrap().adapter
}

fn apart(a: &[f64], b: &[f32]) -> f64 {
    let length = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let difference = length(&mut a.iter().zip(b).map(|(a, b)| a - f64::from(*b)));
    difference / length(&mut a.iter().copied())
}

#[test]
fn scalar_gradients_and_scores_are_those_of_libtorch_but_for_rounding() {
    let toy = toy();
    let (adapter, rows) = (trained(&toy), rows(&toy));
    let lora = ScalarLora::new(&adapter).unwrap();
    let mut cache = PrefixCache::new(1, 1 << 20);
    let prompt = toy.tokenizer.chat_prompt("What is cholera?").unwrap();
    let answer = toy.tokenizer.answer(&prompt, &toy.tokenizer.encode("An infection.").unwrap()).unwrap();
    for sequence in rows.iter().chain([&answer]) {
        let exact = gradient(&toy.weights, &lora, sequence).unwrap();
        let single = gradients(&toy.model, &adapter, &mut cache, &[sequence]).unwrap();
        let apart = apart(&exact.values, single.row(0).unwrap());
        assert!(apart < 1e-5, "{apart}");
        assert!((exact.loss - single.losses()[0]).abs() < 1e-5);
    }

    let folder = tempfile::tempdir().unwrap();
    let store =
        GradientStore::build(&folder.path().join("g"), &toy.model, &adapter, &mut cache, &rows, |_| {
            ControlFlow::Continue(())
        })
        .unwrap();
    let single: Vec<RowGradient> =
        (0..rows.len()).map(|i| RowGradient::Single(store.row(i).unwrap())).collect();
    let scorer = Scorer::new(store, InfluenceConfig::default()).unwrap();
    let taken = gradients(&toy.model, &adapter, &mut cache, &[&answer]).unwrap();
    let by_tensors = scorer.scores(&taken).unwrap();
    let answer32: Vec<f64> = taken.row(0).unwrap().iter().map(|&v| v.into()).collect();
    let same_inputs = scalar_scores(&single, &answer32, InfluenceConfig::default()).unwrap();
    let exact: Vec<RowGradient> = rows
        .iter()
        .map(|row| RowGradient::Exact(gradient(&toy.weights, &lora, row).unwrap().values))
        .collect();
    let exact_answer = gradient(&toy.weights, &lora, &answer).unwrap().values;
    let all_exact = scalar_scores(&exact, &exact_answer, InfluenceConfig::default()).unwrap();
    let largest = by_tensors.iter().fold(0.0f64, |most, score| most.max(score.abs()));
    for ((a, b), c) in by_tensors.iter().zip(&same_inputs).zip(&all_exact) {
        assert!((a - b).abs() < 1e-9 * largest, "the same gradients: {a} {b}");
        assert!((a - c).abs() < 1e-4 * largest, "f32 against f64 gradients: {a} {c}");
    }
}

#[test]
fn scalar_gradient_has_the_same_bits_on_every_machine() {
    let toy = toy();
    let fresh = Adapter::new(&toy.model, LORA, 5).unwrap();
    // B is zero in a fresh adapter, which would leave half of the gradient zero.
    let tensors = fresh
        .tensors()
        .iter()
        .map(|tensor| {
            let numbers: Vec<f32> =
                (0..tensor.numel()).map(|i| ((i * 37 % 101) as f32 - 50.0) / 256.0).collect();
            tch::Tensor::from_slice(&numbers).view_as(tensor)
        })
        .collect();
    let lora = ScalarLora::new(&fresh.with_tensors(tensors).unwrap()).unwrap();
    let mut bytes = Vec::new();
    for row in rows(&toy) {
        let taken = gradient(&toy.weights, &lora, &row).unwrap();
        bytes.extend(taken.values.iter().chain([&taken.loss]).flat_map(|v| v.to_le_bytes()));
    }
    let expected = b256!("9c14846f88c42f4c3183904da98391d30d0e6514200613b463aeb3037b5482e1");
    assert_eq!(keccak256(bytes), expected);
}

#[test]
fn what_does_not_fit_is_refused() {
    let toy = toy();
    let lora = ScalarLora::new(&Adapter::new(&toy.model, LORA, 5).unwrap()).unwrap();
    let unknown = Sequence::new(vec![1, 2, 60_000], 1).unwrap();
    assert!(gradient(&toy.weights, &lora, &unknown).is_err());
    let config = InfluenceConfig::default();
    assert!(scalar_scores(&[], &[1.0], config).is_err());
    assert!(scalar_scores(&[RowGradient::Exact(vec![1.0])], &[1.0, 2.0], config).is_err());
}
