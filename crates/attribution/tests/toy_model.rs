//! Gradients, store and influence on a model small enough to check them by other means.
#![allow(clippy::unwrap_used)]

use std::ops::ControlFlow;

use openledger_attribution::{
    AnswerSketch, AttributionError, GradientStore, InfluenceConfig, RowSketch, Scorer, ShareConfig,
    gradients, gradients_on_threads, length,
};
use openledger_model::{
    Adapter, BaseModel, Device, LoraConfig, ModelConfig, PerSample, PrefixCache, Sequence, TrainConfig, train,
};

/// Two key heads for four query heads, and a frozen layer below two that carry the adapter.
fn toy() -> (BaseModel, Adapter, PrefixCache) {
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
    let model = BaseModel::random(config, 3, Device::Cpu).unwrap();
    let lora = LoraConfig { rank: 3, alpha: 6.0, n_layers: 2 };
    // Trained a little, so that neither A nor B is zero.
    let train_config =
        TrainConfig { lora, epochs: 3, learning_rate: 0.02, batch_rows: 2, ..TrainConfig::default() };
    let mut cache = PrefixCache::new(1, 1 << 20);
    let going_on = |_: &openledger_model::Progress| ControlFlow::Continue(());
    let trained = train(&model, &mut cache, &rows(), &[], &train_config, going_on).unwrap();
    (model, trained.adapter, cache)
}

fn rows() -> Vec<Sequence> {
    let row = |seed: u32, length: u32| (0..length).map(|i| (seed * 7 + i * i * (seed + 1)) % 50).collect();
    (0..9).map(|i| Sequence::new(row(i, 4 + i % 5), 1 + (i as usize) % 3).unwrap()).collect()
}

fn relative_difference(a: &[f32], b: &[f32]) -> f64 {
    let difference: Vec<f32> = a.iter().zip(b).map(|(a, b)| a - b).collect();
    length(&difference) / length(b)
}

#[test]
fn batched_gradients_equal_those_taken_one_by_one() {
    let (model, adapter, mut cache) = toy();
    let rows = rows();
    let all: Vec<&Sequence> = rows.iter().collect();
    let batched = gradients(&model, &adapter, &mut cache, &all).unwrap();
    let threaded = gradients_on_threads(&model, &adapter, &all, 3).unwrap();
    assert!(relative_difference(threaded.values(), batched.values()) < 1e-5);
    assert_eq!((batched.len(), batched.n_parameters()), (9, adapter.n_parameters()));
    for (i, row) in rows.iter().enumerate() {
        let (alone, loss) = alone(&model, &adapter, row);
        assert!(length(&alone) > 1e-3);
        let difference = relative_difference(batched.row(i).unwrap(), &alone);
        assert!(difference < 1e-5, "row {i}: {difference}");
        assert!((batched.losses()[i] - loss).abs() < 1e-5);
    }
}

/// The gradient of one sequence's loss by ordinary autograd in the shared adapter, without a cache or a batch.
fn alone(model: &BaseModel, adapter: &Adapter, row: &Sequence) -> (Vec<f32>, f64) {
    let leaves: Vec<tch::Tensor> =
        adapter.tensors().iter().map(|t| t.detach().set_requires_grad(true)).collect();
    let loss = model.losses(&[row], Some(adapter.lora_with(&leaves)), &mut PrefixCache::new(0, 0)).unwrap();
    let taken = tch::Tensor::run_backward(&[loss.sum(tch::Kind::Float)], &leaves, false, false);
    let flat = tch::Tensor::cat(&taken.iter().map(|g| g.flatten(0, -1)).collect::<Vec<_>>(), 0);
    (Vec::<f32>::try_from(&flat).unwrap(), loss.double_value(&[0]))
}

/// Of sizes at which products are taken by halves and attention leaves out whole blocks.
#[test]
fn batches_that_follow_each_other_leave_each_other_nothing() {
    let config = ModelConfig {
        n_layers: 2,
        d_model: 512,
        n_heads: 8,
        n_kv_heads: 4,
        d_ff: 1024,
        vocab_size: 600,
        context_tokens: 128,
        rope_theta: 1e4,
        rms_epsilon: 1e-5,
    };
    let model = BaseModel::random(config, 5, Device::Cpu).unwrap();
    let lora = LoraConfig { rank: 2, alpha: 4.0, n_layers: 2 };
    let fresh = Adapter::new(&model, lora, 1).unwrap();
    let adapter =
        fresh.with_tensors(fresh.tensors().iter().map(|t| t.randn_like() * 0.05).collect()).unwrap();
    let batch = |seed: u32, length: u32| -> Vec<Sequence> {
        let row = |row: u32| (0..length).map(|i| (seed + row * 7 + i * i * (row + 1)) % 600).collect();
        (0..4).map(|i| Sequence::new(row(i), 1).unwrap()).collect()
    };
    let mut unknown = batch(1, 70);
    unknown[2] = Sequence::new(vec![600; 70], 1).unwrap();
    let mut engine = PerSample::new(&model, &adapter).unwrap();
    for batch in [batch(1, 70), batch(2, 70), batch(3, 31), unknown, batch(4, 70), batch(1, 70)] {
        let batch: Vec<&Sequence> = batch.iter().collect();
        let Ok(found) = engine.gradients(&batch, &mut PrefixCache::new(0, 0)) else {
            assert_eq!(batch[2].tokens()[0], 600, "all others are computed");
            continue;
        };
        let mut fresh = PerSample::new(&model, &adapter).unwrap();
        let expected = fresh.gradients(&batch, &mut PrefixCache::new(0, 0)).unwrap();
        assert_eq!(found.gradients, expected.gradients);
        for (i, row) in batch.iter().enumerate() {
            let (gradient, loss) = alone(&model, &adapter, row);
            let found_row = Vec::<f32>::try_from(&found.gradients.get(i as i64)).unwrap();
            let difference = relative_difference(&found_row, &gradient);
            assert!(difference < 1e-4, "row {i}: {difference}");
            assert!((found.losses.double_value(&[i as i64]) - loss).abs() < 1e-4);
        }
    }
}

#[test]
fn gradients_equal_finite_differences() {
    let (model, adapter, mut cache) = toy();
    let rows = rows();
    for row in &rows[..4] {
        let exact = gradients(&model, &adapter, &mut cache, &[row]).unwrap();
        for (i, tensor) in adapter.tensors().iter().enumerate() {
            // Along each tensor's own gradient, where the slope is steepest against rounding.
            let start: usize = adapter.tensors()[..i].iter().map(tch::Tensor::numel).sum();
            let part = &exact.row(0).unwrap()[start..start + tensor.numel()];
            let norm = length(part);
            let direction = tch::Tensor::from_slice(part).view_as(tensor) / norm;
            let mut loss_at = |step: f64| {
                let mut moved: Vec<tch::Tensor> =
                    adapter.tensors().iter().map(tch::Tensor::shallow_clone).collect();
                moved[i] = tensor + &direction * step;
                let losses = model.losses(&[row], Some(adapter.lora_with(&moved)), &mut cache).unwrap();
                losses.double_value(&[0])
            };
            let slope = (loss_at(0.01) - loss_at(-0.01)) / 0.02;
            assert!((slope - norm).abs() < 0.02 * norm + 1e-4, "tensor {i}: {slope} against {norm}");
        }
    }
}

#[test]
fn training_row_given_as_the_answer_scores_highest() {
    let (model, adapter, mut cache) = toy();
    let rows = rows();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.gradients");
    let store =
        GradientStore::build(&path, &model, &adapter, &mut cache, &rows, |_| ControlFlow::Continue(()))
            .unwrap();
    let scorer = Scorer::new(store, InfluenceConfig::default()).unwrap();
    for (i, row) in rows.iter().enumerate() {
        let answer = gradients(&model, &adapter, &mut cache, &[row]).unwrap();
        let scores = scorer.scores(&answer).unwrap();
        let best = (0..9).max_by(|a, b| scores[*a].total_cmp(&scores[*b]));
        assert_eq!(best, Some(i));
        assert!(scores[i] > 0.0);
    }
}

#[test]
fn store_survives_a_restart_and_refuses_damage() {
    let (model, adapter, mut cache) = toy();
    let rows = rows();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.gradients");
    let mut done = 0;
    let built = GradientStore::build(&path, &model, &adapter, &mut cache, &rows, |n| {
        done = n;
        ControlFlow::Continue(())
    })
    .unwrap();
    let (row, gram) = (built.row(8).unwrap(), built.gram(&vec![1.0; adapter.n_parameters()]).unwrap());
    assert_eq!(done, 9);
    drop(built);

    let store = GradientStore::open(&path).unwrap();
    assert_eq!((store.len(), store.adapter_hash()), (9, adapter.hash().unwrap()));
    assert_eq!(store.row(8).unwrap(), row);
    assert!(store.row(9).is_err());
    assert!((gram.lengths()[8] - length(&row)).abs() < 1e-9 * length(&row));
    let ones = vec![1.0; row.len()];
    let products = store.products(&row, &ones).unwrap();
    assert!((products[8] - length(&row).powi(2)).abs() < 1e-9 * products[8]);
    assert!(store.products(&row[1..], &ones).is_err());
    assert!(store.gram(&ones[1..]).is_err());
    let inverse = store.inverse_mean_squares().unwrap();
    let whitened = store.gram(&inverse).unwrap().lengths().iter().map(|l| l * l).sum::<f64>();
    assert!((whitened / (9.0 * row.len() as f64) - 1.0).abs() < 1e-3, "mean square is one: {whitened}");

    let whole = std::fs::read(&path).unwrap();
    for at in [0, 7, 9, 50, 72, 80, 88, 120, whole.len() - 1] {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        std::fs::write(&path, damaged).unwrap();
        let opened = GradientStore::open(&path);
        assert!(matches!(opened, Err(AttributionError::Store(_))), "byte {at}: {opened:?}");
    }
    for length in [0, 10, 88, whole.len() - 1] {
        std::fs::write(&path, &whole[..length]).unwrap();
        assert!(GradientStore::open(&path).is_err());
    }
}

#[test]
fn adapter_of_another_base_and_rows_beyond_the_context_are_refused() {
    let (model, adapter, mut cache) = toy();
    let other = BaseModel::random(model.config().clone(), 4, Device::Cpu).unwrap();
    let rows = rows();
    let error = gradients(&other, &adapter, &mut cache, &[&rows[0]]).unwrap_err().to_string();
    assert!(error.contains("another base model"), "{error}");
    let long = |length: u32| (0..length).map(|i| i % 50).collect::<Vec<u32>>();
    let error = Sequence::new(long(1025), 1).unwrap_err().to_string();
    assert!(error.contains("1025 tokens exceeds 1024; split it"), "{error}");
    // Shorter than any sequence may be, and still longer than this model's context of 64.
    let row = Sequence::new(long(65), 1).unwrap();
    assert!(gradients(&model, &adapter, &mut cache, &[&row]).is_err());
    assert_eq!(gradients(&model, &adapter, &mut cache, &[]).unwrap().len(), 0);
}

/// What each of the last rows would score, beside the others, for an answer.
#[test]
fn preview_of_a_row_is_close_to_what_it_scores_once_it_is_there() {
    let (model, adapter, mut cache) = toy();
    let row = |seed: u32| (0..5 + seed % 4).map(|i| (seed * 11 + i * i * (seed + 1)) % 50).collect();
    let all: Vec<Sequence> = (0..48).map(|i| Sequence::new(row(i), 1).unwrap()).collect();
    let config = InfluenceConfig { damping: 0.05, ..InfluenceConfig::default() };
    let folder = tempfile::tempdir().unwrap();
    let mut scorer = |rows: &[Sequence], name: &str| {
        let path = folder.path().join(name);
        let store =
            GradientStore::build(&path, &model, &adapter, &mut cache, rows, |_| ControlFlow::Continue(()))
                .unwrap();
        Scorer::new(store, config).unwrap()
    };
    let known = scorer(&all[..40], "known");
    let answer_of = |cache: &mut PrefixCache, sequence: &Sequence| {
        gradients(&model, &adapter, cache, &[sequence]).unwrap()
    };
    let (mut previewed, mut scored) = (vec![], vec![]);
    for new in 40..48 {
        let mut rows = all[..40].to_vec();
        rows.push(all[new].clone());
        let with = scorer(&rows, &format!("with{new}"));
        let mut cache = PrefixCache::new(1, 1 << 20);
        let gradient = answer_of(&mut cache, &all[new]);
        for asked in [new, (new + 3) % 8 + 40, 5, 17] {
            let answer = answer_of(&mut cache, &all[asked]);
            let sketch = AnswerSketch::take(&known, &answer, ShareConfig::default(), 1 << 16, 7).unwrap();
            assert_eq!(sketch.rows, 40);
            let row = RowSketch::of(gradient.row(0).unwrap(), known.weights(), true, 1 << 16, 7).unwrap();
            previewed.push(sketch.score(&row).unwrap());
            scored.push(with.scores(&answer).unwrap()[40]);
        }
    }
    // The very row as the answer, every fourth, stands out in both.
    let own = |scores: &[f64]| scores.iter().step_by(4).sum::<f64>() / 8.0;
    assert!(own(&previewed) > 0.5 * own(&scored) && own(&previewed) < 1.5 * own(&scored));
    let correlation = openledger_attribution::retraining::spearman(&previewed, &scored);
    assert!(correlation > 0.8, "{correlation}: {previewed:?} {scored:?}");
}

#[test]
fn full_disk_ends_gradients_with_an_error_and_leaves_no_half_file() {
    let (model, adapter, mut cache) = toy();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.gradients");
    let partial = path.with_extension("partial");
    // A device that is always full stands where the file would grow.
    std::os::unix::fs::symlink("/dev/full", &partial).unwrap();
    let mut build =
        || GradientStore::build(&path, &model, &adapter, &mut cache, &rows(), |_| ControlFlow::Continue(()));
    let error = build().unwrap_err();
    assert!(matches!(error, AttributionError::Io { .. }));
    let said = error.to_string();
    assert!(said.contains("No space left") && said.contains("check space"), "{said}");
    assert!(!path.exists() && partial.symlink_metadata().is_err());
    assert_eq!(build().unwrap().len(), 9, "with room it goes on");

    let file = folder.path().join("adapter.safetensors");
    std::os::unix::fs::symlink("/dev/full", file.with_extension("partial")).unwrap();
    assert!(adapter.save(&file).unwrap_err().to_string().contains("No space left"));
    assert!(!file.exists());
    adapter.save(&file).unwrap();
}

#[test]
fn gradients_that_a_killed_process_took_are_not_taken_again() {
    let (model, adapter, _) = toy();
    let row = |i: u32| Sequence::new((0..5 + i % 3).map(|at| (i * 7 + at * at) % 50).collect(), 1).unwrap();
    let rows: Vec<Sequence> = (0..150).map(row).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).with_extension("gradients");
    let partial = |name: &str| path(name).with_extension("partial");
    let build = |name: &str, rows: &[Sequence]| {
        let (mut steps, mut cache) = (vec![], PrefixCache::new(1, 1 << 20));
        let built = GradientStore::build(&path(name), &model, &adapter, &mut cache, rows, |done| {
            steps.push(done);
            // What a process that is killed here would leave.
            std::fs::copy(partial(name), folder.path().join(format!("{name}-at-{done}"))).unwrap();
            ControlFlow::Continue(())
        });
        (built.unwrap().len(), steps)
    };
    assert_eq!(build("whole", &rows), (150, vec![64, 128, 150]));
    let whole = std::fs::read(path("whole")).unwrap();
    let left = |done: usize| std::fs::read(folder.path().join(format!("whole-at-{done}"))).unwrap();
    for (name, left, steps) in [
        ("between", left(64), vec![128, 150]),
        ("within", left(128)[..left(128).len() - 1].to_vec(), vec![128, 150]),
        ("unnamed", left(150), vec![]),
    ] {
        std::fs::write(partial(name), left).unwrap();
        assert_eq!(build(name, &rows), (150, steps), "{name}");
        assert_eq!(std::fs::read(path(name)).unwrap(), whole, "{name}");
        assert!(!partial(name).exists());
    }
    // Of other rows, as many as these, nothing is kept.
    std::fs::write(partial("others"), left(64)).unwrap();
    let others: Vec<Sequence> = (1..151).map(row).collect();
    assert_eq!(build("others", &others), (150, vec![64, 128, 150]));
}

#[test]
fn gradients_that_are_ended_between_rows_leave_no_file() {
    let (model, adapter, mut cache) = toy();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.gradients");
    let ended =
        GradientStore::build(&path, &model, &adapter, &mut cache, &rows(), |_| ControlFlow::Break(()));
    assert!(matches!(ended, Err(AttributionError::Cancelled)));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
