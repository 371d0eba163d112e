//! A small slice of the suite.

use super::{market::trade, pool::ATTACKER, *};
use crate::retraining::{Array, ModelKind};

/// Ten noisy shapes in pictures of six by six: a task without an archive.
fn task() -> Task {
    let (classes, side, train, tests) = (5, 6, 400, 120);
    let mut draw = Draw::new(11);
    let shapes: Vec<Vec<f64>> =
        (0..classes).map(|_| (0..side * side).map(|_| draw.unit()).collect()).collect();
    let mut rows = |n: usize| {
        let labels: Vec<usize> = (0..n).map(|_| draw.below(classes)).collect();
        let values = labels
            .iter()
            .flat_map(|&label| {
                shapes[label]
                    .iter()
                    .map(|v| (v + 0.45 * draw.normal()).clamp(0.0, 1.0) as f32)
                    .collect::<Vec<_>>()
            })
            .collect();
        (Array { shape: vec![n, side * side], values }, labels)
    };
    let ((train, train_labels), (test, test_labels)) = (rows(train), rows(tests));
    let kind = ModelKind::LogisticRegression;
    let checkpoints = Array { shape: vec![0, 1], values: vec![] };
    let truth = None;
    Task {
        kind,
        train,
        train_labels,
        test,
        test_labels,
        checkpoints,
        frozen: vec![],
        classes,
        width: 0,
        truth,
    }
}

const SMALL: SuiteConfig = SuiteConfig { seeds: 4, rows: 120, owners: 6, questions: 40 };

fn gain(attack: Attack, defences: &Defences) -> f64 {
    play(&task(), &[attack], defences, SMALL, |_| ()).unwrap()[0].gain.value
}

#[test]
fn copying_and_splitting_accounts_never_raise_income() {
    for attack in [Attack::CopyOwn, Attack::CopyOthers, Attack::SplitAccounts] {
        assert_eq!(gain(attack, &Defences::all()), 1.0, "{}", attack.name());
    }
    // The same attack pays where nothing stands against it: the suite can fail.
    assert!(gain(Attack::CopyOthers, &Defences::none()) > 1.5);
}

#[test]
fn outliers_and_split_rows_stay_within_their_limits() {
    for attack in [Attack::BrightOutliers, Attack::NoiseOutliers, Attack::SplitRows] {
        let gain = gain(attack, &Defences::all());
        println!("{}: {gain:.3}", attack.name());
        assert!(gain <= attack.limit().unwrap(), "{} {gain}", attack.name());
    }
}

#[test]
fn incomes_are_parts_of_the_answers_and_copies_earn_nothing() {
    let task = task();
    let pool = Pool::deal(&task, 120, 40, 6, &mut Draw::new(5)).unwrap();
    let honest = trade(&pool, &task, &Defences::all(), 0).unwrap();
    assert!(honest.owners.iter().sum::<f64>() <= 1e6 + 1e-6);
    let mounted = Attack::CopyOthers.mount(&pool, &honest.rows, task.classes, &mut Draw::new(5));
    let income = trade(&mounted, &task, &Defences::all(), 0).unwrap();
    assert!(income.copies >= (mounted.rows.len() - pool.rows.len()));
    assert!(income.rows[pool.rows.len()..].iter().all(|earned| *earned == 0.0));
    assert!(mounted.rows[pool.rows.len()..].iter().all(|row| row.owner == ATTACKER));
}

#[test]
fn run_without_seeds_rows_or_a_known_model_is_refused() {
    let task = task();
    let all = Defences::all();
    assert!(play(&task, &[], &all, SMALL, |_| ()).is_err());
    assert!(play(&task, &[Attack::CopyOwn], &all, SuiteConfig { seeds: 0, ..SMALL }, |_| ()).is_err());
    assert!(play(&task, &[Attack::CopyOwn], &all, SuiteConfig { rows: 9999, ..SMALL }, |_| ()).is_err());
    let lora = Task { kind: ModelKind::Lora, ..task };
    assert!(play(&lora, &[Attack::CopyOwn], &all, SMALL, |_| ()).is_err());
}

#[test]
fn audit_of_an_honest_market_agrees_with_pay() {
    let config = SuiteConfig { seeds: 1, ..SMALL };
    let audit = audit_groups(&task(), &Defences::all(), config, 2).unwrap();
    println!("{audit:?}");
    assert_eq!(audit.groups.len(), 6);
    assert!((audit.groups.iter().map(|g| g.paid).sum::<f64>() - 1.0).abs() < 1e-9);
}
