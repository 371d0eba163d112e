//! Derivatives, curvature and methods against slow, plain f64 arithmetic.

use proptest::prelude::*;
use tch::Tensor;

use crate::{
    Cholesky,
    retraining::{
        curvature::{Curvature, Form},
        method::{Method, Settings},
        network::{Linearised, tensor},
        npz::Array,
        scoring::Checkpoint,
        steep::Steep,
        task::{FrozenLayer, ModelKind, Task},
        task_scores,
    },
};

/// Evenly spread numbers in (−1, 1), the same for the same seed.
fn numbers(count: usize, seed: u64) -> Vec<f32> {
    (0..count as u64)
        .map(|i| ((seed * 7919 + i + 1) as f64 * 0.754_877_666_246_693).fract() as f32 * 2.0 - 1.0)
        .collect()
}

fn small(kind: ModelKind, seed: u64) -> Task {
    let (rows, tests, inputs, classes) = (9, 4, 5, 3);
    let (hidden, rank) = (4, 2);
    let (parameters, width, frozen) = match kind {
        ModelKind::LogisticRegression => (classes * (inputs + 1), 0, vec![]),
        ModelKind::Mlp => (hidden * (inputs + 1) + classes * (hidden + 1), hidden, vec![]),
        ModelKind::Lora => {
            let shapes = [[hidden, inputs], [hidden, hidden], [classes, hidden]];
            let layer = |(i, shape): (usize, &[usize; 2])| FrozenLayer {
                shape: *shape,
                weight: numbers(shape[0] * shape[1], seed + 20 + i as u64),
                bias: numbers(shape[0], seed + 30 + i as u64),
            };
            let parameters = shapes.iter().map(|s| rank * (s[0] + s[1])).sum();
            (parameters, rank, shapes.iter().enumerate().map(layer).collect())
        }
    };
    let matrix = |n: usize, d: usize, s: u64| Array { shape: vec![n, d], values: numbers(n * d, seed + s) };
    Task {
        kind,
        train: matrix(rows, inputs, 1),
        train_labels: (0..rows).map(|i| i % classes).collect(),
        test: matrix(tests, inputs, 2),
        test_labels: (0..tests).map(|i| (i + 1) % classes).collect(),
        checkpoints: matrix(2, parameters, 3),
        frozen,
        classes,
        width,
        truth: None,
    }
}

const KINDS: [ModelKind; 3] = [ModelKind::LogisticRegression, ModelKind::Mlp, ModelKind::Lora];

/// The loss of one row in plain f64.
fn loss(task: &Task, parameters: &[f64], x: &[f32], label: usize) -> f64 {
    let mut rest = parameters;
    let mut take = |n: usize| {
        let (taken, left) = rest.split_at(n);
        rest = left;
        taken.to_vec()
    };
    let linear = |w: &[f64], b: &[f64], x: &[f64]| -> Vec<f64> {
        let d = x.len();
        b.iter().enumerate().map(|(o, b)| b + (0..d).map(|i| w[o * d + i] * x[i]).sum::<f64>()).collect()
    };
    let relu = |x: Vec<f64>| -> Vec<f64> { x.into_iter().map(|v| v.max(0.0)).collect() };
    let x: Vec<f64> = x.iter().map(|&v| f64::from(v)).collect();
    let (d, c, h) = (x.len(), task.classes, task.width);
    let logits = match task.kind {
        ModelKind::LogisticRegression => linear(&take(c * d), &take(c), &x),
        ModelKind::Mlp => {
            let hidden = relu(linear(&take(h * d), &take(h), &x));
            linear(&take(c * h), &take(c), &hidden)
        }
        ModelKind::Lora => {
            let mut value = x;
            for (i, layer) in task.frozen.iter().enumerate() {
                let [outputs, inputs] = layer.shape;
                let (a, b) = (take(h * inputs), take(outputs * h));
                let zero = vec![0.0; h];
                let narrow = linear(&a, &zero, &value);
                let weight: Vec<f64> = layer.weight.iter().map(|&w| f64::from(w)).collect();
                let bias: Vec<f64> = layer.bias.iter().map(|&w| f64::from(w)).collect();
                let update = linear(&b, &vec![0.0; outputs], &narrow);
                let output = linear(&weight, &bias, &value);
                let sum: Vec<f64> = output.iter().zip(&update).map(|(o, u)| o + 2.0 * u).collect();
                value = if i + 1 < task.frozen.len() { relu(sum) } else { sum };
            }
            value
        }
    };
    let most = logits.iter().copied().fold(f64::MIN, f64::max);
    logits.iter().map(|z| (z - most).exp()).sum::<f64>().ln() + most - logits[label]
}

fn floats(tensor: &Tensor) -> Vec<f64> {
    Vec::<f32>::try_from(&tensor.contiguous().reshape([-1])).unwrap().into_iter().map(f64::from).collect()
}

/// Scores depend on inner products of gradients alone, which no order of parameters changes.
#[test]
fn inner_products_of_gradients_equal_those_of_finite_differences() {
    for kind in KINDS {
        let task = small(kind, 5);
        let mut checkpoint = Checkpoint::new(&task, 0).unwrap();
        let scores = floats(&checkpoint.scores(Method::GradDot, Settings::damped(0.0)).unwrap());
        let theta: Vec<f64> = task.checkpoint(0).unwrap().iter().map(|&v| f64::from(v)).collect();
        let gradient = |x: &[f32], label: usize| -> Vec<f64> {
            (0..theta.len())
                .map(|i| {
                    let at = |step: f64| {
                        let mut moved = theta.clone();
                        moved[i] += step;
                        loss(&task, &moved, x, label)
                    };
                    (at(1e-5) - at(-1e-5)) / 2e-5
                })
                .collect()
        };
        let all = |rows: &Array<f32>, labels: &[usize]| -> Vec<Vec<f64>> {
            rows.values.chunks(rows.shape[1]).zip(labels).map(|(x, &y)| gradient(x, y)).collect()
        };
        let train = all(&task.train, &task.train_labels);
        let test = all(&task.test, &task.test_labels);
        for (i, a) in train.iter().enumerate() {
            for (j, b) in test.iter().enumerate() {
                let expected: f64 = a.iter().zip(b).map(|(x, y)| x * y).sum();
                let found = scores[i * test.len() + j];
                assert!((found - expected).abs() < 1e-4 * (1.0 + expected.abs()), "{kind:?} {i} {j}");
            }
        }
    }
}

/// Row-major `[n·classes, p]` derivatives of the logits.
fn jacobian(model: &Linearised) -> (usize, Vec<f64>) {
    let classes = model.logits.size()[1];
    let columns: Vec<Tensor> = (0..classes)
        .map(|c| {
            let weights = Tensor::zeros_like(&model.logits);
            let _ = weights.narrow(1, c, 1).fill_(1.0);
            model.gradients(&weights).unwrap().transpose(0, 1)
        })
        .collect();
    (model.parameters() as usize, floats(&Tensor::stack(&columns, 1)))
}

#[test]
fn both_forms_of_the_inverse_equal_the_definition_in_f64() {
    for kind in KINDS {
        for temperature in [1.0, 1.7] {
            let task = small(kind, 8);
            let model = Linearised::new(&task, task.checkpoint(0).unwrap(), &task.train).unwrap();
            let (p, jacobian) = jacobian(&model);
            let (n, c) = (task.train.shape[0], task.classes);
            let probabilities = floats(&model.probabilities(temperature).unwrap());
            let mut h = vec![0.0; p * p];
            for i in 0..n {
                let prob = &probabilities[i * c..][..c];
                for (a, b) in (0..c * c).map(|at| (at / c, at % c)) {
                    let s = if a == b { prob[a] } else { 0.0 } - prob[a] * prob[b];
                    let (ja, jb) = (&jacobian[(i * c + a) * p..][..p], &jacobian[(i * c + b) * p..][..p]);
                    for (row, x) in ja.iter().enumerate() {
                        for (column, y) in jb.iter().enumerate() {
                            h[row * p + column] += s * x * y / n as f64;
                        }
                    }
                }
            }
            for i in 0..p {
                h[i * (p + 1)] += 0.05;
            }
            let right = numbers(p, 77);
            let column: Vec<f64> = right.iter().map(|&v| f64::from(v)).collect();
            let expected = Cholesky::factor(p, h).unwrap().solve(&column).unwrap();
            for form in [Form::Primal, Form::Dual] {
                let curvature = Curvature::in_form(&model, temperature, form).unwrap();
                let columns = tensor(&right, &[p, 1]).unwrap();
                let found = floats(&curvature.inverse(0.05).unwrap().apply(&columns).unwrap());
                for (a, b) in found.iter().zip(&expected) {
                    assert!((a - b).abs() < 2e-3, "{kind:?} {form:?}: {a} {b}");
                }
            }
        }
    }
}

#[test]
fn every_method_scores_every_model_and_refuses_no_damping_that_it_names() {
    for kind in KINDS {
        let task = small(kind, 11);
        for (method, name) in Method::ALL {
            let scores = task_scores(&task, method, None).unwrap();
            assert_eq!(scores.values.len(), 9 * 4, "{name}");
            assert!(scores.values.iter().any(|v| *v != 0.0), "{name}");
            assert!(!scores.chosen);
            assert_eq!(name.parse::<Method>().unwrap(), method);
            let mut checkpoint = Checkpoint::new(&task, 1).unwrap();
            for &damping in method.dampings() {
                let scores = checkpoint.scores(method, Settings::damped(damping)).unwrap();
                assert_eq!(scores.size(), [9, 4]);
            }
        }
        assert!(task_scores(&task, Method::Ggn, Some(3)).is_err());
        assert!(task_scores(&task, Method::Ggn, Some(0)).is_err());
    }
    assert!("gradient".parse::<Method>().unwrap_err().to_string().contains("ekfac"));
}

#[test]
fn checkpoints_are_averaged() {
    let task = small(ModelKind::Mlp, 2);
    let both = task_scores(&task, Method::Ggn, None).unwrap();
    let one = task_scores(&task, Method::Ggn, Some(1)).unwrap();
    let settings = both.settings;
    let mut second = Checkpoint::new(&task, 1).unwrap();
    let second = floats(&second.scores(Method::Ggn, settings).unwrap());
    for ((mean, a), b) in both.values.iter().zip(&one.values).zip(&second) {
        assert!((f64::from(*mean) - (f64::from(*a) + b) / 2.0).abs() < 1e-4 * (1.0 + b.abs()));
    }
}

/// Scores by the exact matrix and by [`Steep`] with some parts, at one setting.
fn exact_and_steep(task: &Task, settings: Settings, kept_trace: f64, steep: f64) -> (Vec<f64>, Vec<f64>) {
    let linearised = |rows, checkpoint| Linearised::new(task, checkpoint, rows).unwrap();
    let checkpoint = task.checkpoint(0).unwrap();
    let (train, test) = (linearised(&task.train, checkpoint), linearised(&task.test, checkpoint));
    let rows = train.residuals(&task.train_labels, settings.temperature).unwrap();
    let tests = test.residuals(&task.test_labels, settings.test_temperature).unwrap();
    let (rows, tests) = (train.weighted(&rows).unwrap(), test.weighted(&tests).unwrap());
    let Settings { temperature, damping, .. } = settings;
    let inverse = Steep::with_parts(&train, temperature, damping, kept_trace, steep).unwrap().unwrap();
    let exact = Checkpoint::new(task, 0).unwrap().scores(Method::Ggn, settings).unwrap();
    (floats(&exact), floats(&inverse.scores(&rows, &tests).unwrap()))
}

/// Length of the difference over the length of the first.
fn error(expected: &[f64], found: &[f64]) -> f64 {
    let length = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    length(&mut expected.iter().zip(found).map(|(a, b)| a - b)) / length(&mut expected.iter().copied())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn inverse_with_all_directions_among_the_steep_ones_is_the_exact_one(
        seed in 0u64..1000, kind in 0usize..3, temperature in 0.7f64..2.0, damping in 0.01f64..1.0,
    ) {
        let settings = Settings { damping, temperature, test_temperature: temperature };
        let (exact, steep) = exact_and_steep(&small(KINDS[kind], seed), settings, 1.0, 0.0);
        prop_assert!(error(&exact, &steep) < 2e-3, "{}", error(&exact, &steep));
    }
}

/// How near is measured, not proven: the tasks and settings are always the same.
#[test]
fn inverse_exact_where_it_is_steep_is_mostly_near_the_exact_one() {
    let mut errors = Vec::new();
    for (seed, kind) in (0..16).flat_map(|seed| KINDS.map(|kind| (seed, kind))) {
        let task = small(kind, seed);
        for damping in [0.03, 0.3, 0.9] {
            let settings = Settings { damping, temperature: 1.5, test_temperature: 1.5 };
            let (exact, steep) = exact_and_steep(&task, settings, 0.98, 0.05);
            errors.push(error(&exact, &steep));
        }
    }
    errors.sort_by(f64::total_cmp);
    let (median, worst) = (errors[errors.len() / 2], errors[errors.len() - 1]);
    assert!(median < 0.02 && worst < 0.4, "median {median}, worst {worst}");
}

#[test]
fn flat_curvature_leaves_the_gradients_products_over_the_damping() {
    let mut task = small(ModelKind::LogisticRegression, 3);
    // Logits in the thousands: the model is sure of every row, right or wrong.
    task.checkpoints.values.iter_mut().for_each(|v| *v *= 1e5);
    let settings = Settings::damped(0.5);
    let (exact, steep) = exact_and_steep(&task, settings, 0.98, 0.05);
    assert!(error(&exact, &steep) < 1e-5);
    let products = Checkpoint::new(&task, 0).unwrap().scores(Method::GradDot, settings).unwrap();
    let products: Vec<f64> = floats(&products).iter().map(|v| v / 0.5).collect();
    assert!(error(&products, &steep) < 1e-5);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn copy_of_a_test_row_in_training_helps_it(seed in 0u64..1000, kind in 0usize..3) {
        let mut task = small(KINDS[kind], seed);
        task.train.values[..5].copy_from_slice(&task.test.values[..5]);
        task.train_labels[0] = task.test_labels[0];
        for method in [Method::GradDot, Method::Ggn, Method::Fisher, Method::Ekfac, Method::Auto] {
            let scores = task_scores(&task, method, Some(1)).unwrap();
            prop_assert!(scores.values[0] >= 0.0, "{:?}", method);
        }
    }

    #[test]
    fn order_of_rows_changes_no_score(seed in 0u64..1000) {
        let task = small(ModelKind::Mlp, seed);
        let mut turned = task.clone();
        turned.train.values.rotate_left(5);
        turned.train_labels.rotate_left(1);
        let before = task_scores(&task, Method::Auto, None).unwrap().values;
        let mut after = task_scores(&turned, Method::Auto, None).unwrap().values;
        after.rotate_right(4);
        for (a, b) in before.iter().zip(&after) {
            prop_assert!((a - b).abs() <= 1e-3 * (1.0 + a.abs()));
        }
    }
}
