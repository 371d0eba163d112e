//! Methods on models whose truth by retraining is known, where the shared archives are.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use openledger_attribution::retraining::{CHOOSING_SUBSETS, Method, ModelKind, Task, lds, task_scores};

/// The archive of that name, or nothing (and one line that says so).
fn archive(name: &str) -> Option<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let shared = std::env::var_os("OPENLEDGER_SHARED").map_or_else(|| root.join("../shared"), PathBuf::from);
    let path = shared.join("attribution").join(name);
    if path.is_file() {
        return Some(path);
    }
    println!("skipped: {} is not there; set OPENLEDGER_SHARED", path.display());
    None
}

fn task(name: &str, kind: ModelKind) -> Option<Task> {
    Some(Task::read(&archive(name)?, kind).unwrap())
}

/// LDS on the subsets that nothing was chosen on.
fn judged(task: &Task, method: Method, checkpoints: usize, with_truth: bool) -> f64 {
    let mut given = task.clone();
    if !with_truth {
        given.truth = None;
    }
    let scores = task_scores(&given, method, Some(checkpoints)).unwrap();
    assert_eq!(scores.chosen, with_truth);
    let truth = task.truth.as_ref().unwrap();
    let found = lds(truth, &scores.values, CHOOSING_SUBSETS..truth.subsets().len()).unwrap().mean;
    println!("{:?} {} ×{checkpoints}: {found:.4} {:?}", task.kind, method.name(), scores.settings);
    found
}

#[test]
fn auto_reaches_its_targets_on_logistic_regression() {
    let Some(task) = task("digits_lr.npz", ModelKind::LogisticRegression) else { return };
    assert!(judged(&task, Method::Auto, 1, true) >= 0.95);
    assert!(judged(&task, Method::Auto, 1, false) >= 0.95);
}

#[test]
fn auto_reaches_its_targets_on_a_hidden_layer() {
    let Some(task) = task("digits_mlp.npz", ModelKind::Mlp) else { return };
    assert!(judged(&task, Method::Auto, 1, true) >= 0.70);
    assert!(judged(&task, Method::Auto, 1, false) >= 0.70);
    assert!(judged(&task, Method::Auto, 5, false) >= 0.75);
}

#[test]
fn auto_reaches_its_targets_on_low_rank_updates() {
    let Some(task) = task("digits_lora.npz", ModelKind::Lora) else { return };
    assert!(judged(&task, Method::Auto, 1, true) >= 0.50);
    assert!(judged(&task, Method::Auto, 1, false) >= 0.50);
    assert!(judged(&task, Method::Auto, 5, true) >= 0.58);
    assert!(judged(&task, Method::Auto, 5, false) >= 0.58);
}

/// What the same methods reach in the Python libraries, less 0.01.
#[test]
fn no_method_falls_short_of_its_counterpart() {
    for (name, kind, least) in [
        ("digits_lr.npz", ModelKind::LogisticRegression, [0.356, 0.943, 0.789, 0.847, 0.364, 0.646, 0.758]),
        ("digits_mlp.npz", ModelKind::Mlp, [0.267, 0.666, 0.570, 0.597, 0.273, 0.525, 0.476]),
        ("digits_lora.npz", ModelKind::Lora, [0.254, 0.450, 0.424, 0.426, 0.272, 0.414, 0.381]),
    ] {
        let Some(task) = task(name, kind) else { return };
        let methods = [
            Method::GradDot,
            Method::Ggn,
            Method::Fisher,
            Method::Ekfac,
            Method::Datainf,
            Method::Logra,
            Method::Trak,
        ];
        for (method, least) in methods.into_iter().zip(least) {
            let found = judged(&task, method, 1, true);
            assert!(found >= least, "{name} {}: {found} is under {least}", method.name());
        }
    }
}
