//! The small transformer and its scores.

use tch::Kind;

use super::{
    network::{forward, token_losses},
    *,
};

const SMALL: LanguageConfig = LanguageConfig {
    vocabulary: 16,
    row_words: 6,
    width: 8,
    heads: 2,
    layers: 1,
    feed_forward: 8,
    epochs: 6,
    batch_rows: 4,
    learning_rate: 0.01,
};

const ROWS: [&str; 8] = [
    "the heart and the lungs",
    "the lungs and the joints",
    "fever of the heart",
    "fever of the joints",
    "taxes and duties of congress",
    "congress and the duties",
    "duties of the congress",
    "taxes of the congress",
];

fn task() -> LanguageTask {
    LanguageTask::new(&ROWS, &["fever of the lungs", "taxes and the congress"], SMALL).unwrap()
}

#[test]
fn training_lowers_the_loss_and_repeats_to_the_bit() {
    let task = task();
    let all: Vec<usize> = (0..8).collect();
    let untrained = task
        .test_losses(
            &LanguageTask { config: LanguageConfig { learning_rate: 1e-9, ..SMALL }, ..task.clone() }
                .train(&all, 3)
                .unwrap(),
        )
        .unwrap();
    let trained = task.test_losses(&task.train(&all, 3).unwrap()).unwrap();
    assert!(trained.iter().sum::<f32>() < untrained.iter().sum::<f32>() - 0.5, "{untrained:?} {trained:?}");
    assert_eq!(trained, task.test_losses(&task.train(&all, 3).unwrap()).unwrap());
    assert!(task.train(&[], 0).is_err() && task.train(&[8], 0).is_err());
}

#[test]
fn words_to_come_do_not_change_what_is_predicted() {
    let task = task();
    let model = task.train(&[0, 1], 0).unwrap();
    let mut batch = task.train.batch(&[0]).unwrap();
    let before = forward(&SMALL, &model.matrices, &batch).unwrap().narrow(1, 0, 3);
    batch.inputs = batch.inputs.contiguous().copy();
    let _ = batch.inputs.narrow(1, 3, 3).fill_(5);
    let after = forward(&SMALL, &model.matrices, &batch).unwrap().narrow(1, 0, 3);
    assert!((before - after).abs().max().double_value(&[]) < 1e-6);
}

/// A step against a row's gradient changes the test loss as the product of gradients says.
#[test]
fn product_of_gradients_predicts_a_small_step() {
    let task = task();
    let all: Vec<usize> = (0..8).collect();
    let model = task.train(&all, 1).unwrap();
    let settings = LanguageSettings { damping: 0.0, temperature: 1.0 };
    let scores = LanguageScorer::new(&task, &model).scores(LanguageMethod::GradDot, settings).unwrap();
    let before = task.test_losses(&model).unwrap();
    for row in [0, 3, 5] {
        let batch = task.train.batch(&[row]).unwrap();
        let last = model.matrices.len() - 1;
        let leaves: Vec<tch::Tensor> =
            model.matrices.iter().map(|m| m.detach().copy().set_requires_grad(true)).collect();
        let losses = token_losses(&forward(&SMALL, &leaves, &batch).unwrap(), &batch.targets).unwrap();
        let total = (losses * &batch.weights).sum(Kind::Float);
        let gradients = tch::Tensor::run_backward(&[total], &leaves, false, false);
        let step = 1e-3;
        let moved = leaves
            .iter()
            .zip(&gradients)
            .enumerate()
            .map(|(i, (m, g))| if i == last { m.detach() } else { m.detach() - g * step })
            .collect();
        let after = task.test_losses(&Trained { matrices: moved }).unwrap();
        for test in 0..2 {
            let fallen = f64::from(before[test] - after[test]) / step;
            let score = f64::from(scores[row * 2 + test]);
            assert!((fallen - score).abs() < 0.05 * score.abs() + 0.02, "{row} {test}: {fallen} {score}");
        }
    }
}

#[test]
fn every_method_scores_own_subject_higher() {
    let task = task();
    let all: Vec<usize> = (0..8).collect();
    let model = task.train(&all, 1).unwrap();
    let mut scorer = LanguageScorer::new(&task, &model);
    for (method, name) in LanguageMethod::ALL {
        let scores = scorer.scores(method, method.settings()[0]).unwrap();
        let of = |rows: std::ops::Range<usize>, test: usize| rows.map(|r| scores[r * 2 + test]).sum::<f32>();
        let own = of(0..4, 0) - of(4..8, 0) + of(4..8, 1) - of(0..4, 1);
        assert!(own > 0.0, "{name} {scores:?}");
    }
}

#[test]
fn rows_without_words_and_absurd_sizes_are_refused() {
    assert!(LanguageTask::new(&["a", "..."], &["a"], SMALL).is_err());
    assert!(LanguageTask::new(&[], &["a"], SMALL).is_err());
    assert!(LanguageTask::new(&["a"], &["a"], LanguageConfig { heads: 3, ..SMALL }).is_err());
    assert!(LanguageTask::new(&["a"], &["a"], LanguageConfig { vocabulary: 1 << 20, ..SMALL }).is_err());
}
