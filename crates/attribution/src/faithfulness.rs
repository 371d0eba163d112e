//! How truly scores predict retraining, measured by retraining here.

use std::ops::ControlFlow;

use crate::{
    draw::Draw,
    error::AttributionError,
    gaming::Estimate,
    language::{LanguageMethod, LanguageScorer, LanguageTask},
    retraining::{
        Array, CHOOSING_SUBSETS, Method, Task, Truth, lds, lds_interval, spearman, task_scores, test_losses,
        train,
    },
};

/// The fewest subsets: a quarter chooses settings, the others judge.
const MIN_SUBSETS: usize = 8;
/// The most subsets and trainings of each.
const MAX_SUBSETS: usize = 4096;
const MAX_TRAININGS: u64 = 64;
/// Seeds of the model that is scored lie apart from those of the retrained ones.
const SCORED_SEED: u64 = 1 << 32;

/// What is retrained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Random halves of the rows.
    pub subsets: usize,
    /// Trainings of each half, whose losses are averaged.
    pub trainings: u64,
    /// Draws the halves.
    pub seed: u64,
}

impl Plan {
    /// The subsets that judge; settings are chosen on those before.
    pub const fn judging(&self) -> std::ops::Range<usize> {
        self.subsets / 4..self.subsets
    }

    fn check(&self) -> Result<(), AttributionError> {
        let fits = (MIN_SUBSETS..=MAX_SUBSETS).contains(&self.subsets)
            && (1..=MAX_TRAININGS).contains(&self.trainings);
        if fits {
            Ok(())
        } else {
            let what = format!("{MIN_SUBSETS} to {MAX_SUBSETS} subsets, 1 to {MAX_TRAININGS} trainings");
            Err(AttributionError::Invalid(what))
        }
    }

    /// Retrains on every half. Gives the truth, and the mean rank correlation over test rows of the losses
    /// of the first two trainings: what one more training alone would predict.
    fn truth(
        &self,
        rows: usize,
        tests: usize,
        mut retrain: impl FnMut(&[usize], u64) -> Result<Vec<f32>, AttributionError>,
        mut step: impl FnMut(usize) -> ControlFlow<()>,
    ) -> Result<(Truth, Option<f64>), AttributionError> {
        self.check()?;
        let mut draw = Draw::new(self.seed);
        let mut subsets = Vec::with_capacity(self.subsets);
        let mut means = Vec::with_capacity(self.subsets * tests);
        let mut first_two = [vec![], vec![]];
        for done in 1..=self.subsets {
            let subset = draw.sample(rows, (rows / 2).max(1));
            let mut sum = vec![0.0f32; tests];
            for training in 0..self.trainings {
                let losses = retrain(&subset, training)?;
                sum.iter_mut().zip(&losses).for_each(|(sum, loss)| *sum += loss / self.trainings as f32);
                if let Some(kept) = first_two.get_mut(training as usize) {
                    kept.extend(losses.into_iter().map(f64::from));
                }
            }
            subsets.push(subset);
            means.extend(sum);
            if step(done).is_break() {
                return Err(AttributionError::Cancelled);
            }
        }
        let noise = (self.trainings > 1).then(|| {
            let of = |kept: &[f64], test: usize| {
                kept.iter().skip(test).step_by(tests).copied().collect::<Vec<_>>()
            };
            let each = (0..tests).map(|test| spearman(&of(&first_two[0], test), &of(&first_two[1], test)));
            each.sum::<f64>() / tests as f64
        });
        Ok((Truth::new(rows, tests, subsets, means)?, noise))
    }
}

/// A method's LDS.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judged {
    /// Of the method.
    pub name: &'static str,
    /// What it was told, chosen on the subsets that do not judge.
    pub damping: f64,
    /// Of the training rows' softmax.
    pub temperature: f64,
    /// With its 95 % interval over test rows and subsets.
    pub lds: Estimate,
}

/// Retrains a task's model, by the recipe of its form, and judges one method on a checkpoint trained here.
/// With fewer than 25 subsets to choose on the method's defaults are judged.
pub fn judge_task(
    task: &Task,
    method: Method,
    plan: Plan,
    step: impl FnMut(usize) -> ControlFlow<()>,
) -> Result<(Vec<Judged>, Option<f64>), AttributionError> {
    let (rows, tests, _) = task.sizes();
    let retrain = |rows: &[usize], seed: u64| Ok(test_losses(task, &train(task, rows, seed)?)?.0);
    let (truth, noise) = plan.truth(rows, tests, retrain, step)?;
    let all: Vec<usize> = (0..rows).collect();
    let parameters = train(task, &all, SCORED_SEED)?;
    let mut scored = task.clone();
    scored.checkpoints = Array { shape: vec![1, parameters.len()], values: parameters };
    scored.truth = (plan.judging().start >= CHOOSING_SUBSETS).then(|| truth.clone());
    let found = task_scores(&scored, method, Some(1))?;
    let lds = lds_interval(&truth, &found.values, plan.judging(), plan.seed)?;
    let settings = found.settings;
    let judged =
        Judged { name: method.name(), damping: settings.damping, temperature: settings.temperature, lds };
    Ok((vec![judged], noise))
}

/// Retrains the small transformer and judges every method, ours first.
pub fn judge_language(
    task: &LanguageTask,
    plan: Plan,
    step: impl FnMut(usize) -> ControlFlow<()>,
) -> Result<(Vec<Judged>, Option<f64>), AttributionError> {
    let (rows, tests) = task.sizes();
    let retrain = |rows: &[usize], seed: u64| task.test_losses(&task.train(rows, seed)?);
    let (truth, noise) = plan.truth(rows, tests, retrain, step)?;
    let all: Vec<usize> = (0..rows).collect();
    let model = task.train(&all, SCORED_SEED)?;
    let mut scorer = LanguageScorer::new(task, &model);
    let mut judged = vec![];
    for (method, name) in LanguageMethod::ALL {
        let mut best = None;
        for settings in method.settings() {
            let scores = match scorer.scores(method, settings) {
                Err(AttributionError::NotPositiveDefinite(_)) => continue,
                scores => scores?,
            };
            let chosen_by = lds(&truth, &scores, 0..plan.judging().start)?.mean;
            if best.as_ref().is_none_or(|(most, _, _)| chosen_by > *most) {
                best = Some((chosen_by, settings, scores));
            }
        }
        let Some((_, settings, scores)) = best else { continue };
        let lds = lds_interval(&truth, &scores, plan.judging(), plan.seed)?;
        judged.push(Judged { name, damping: settings.damping, temperature: settings.temperature, lds });
    }
    Ok((judged, noise))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::LanguageConfig;

    const PLAN: Plan = Plan { subsets: 24, trainings: 2, seed: 1 };

    #[test]
    fn truth_that_follows_the_rows_is_predicted_by_them() {
        // A test row's loss falls by one for each of "its" training rows.
        let retrain = |rows: &[usize], seed: u64| {
            let of = |parity: usize| -(rows.iter().filter(|&&row| row % 2 == parity).count() as f32);
            Ok(vec![of(0) + seed as f32, of(1)])
        };
        let mut steps = 0;
        let (truth, noise) = PLAN
            .truth(20, 2, retrain, |done| {
                steps = done;
                ControlFlow::Continue(())
            })
            .unwrap();
        assert_eq!((steps, noise), (24, Some(1.0)));
        let scores: Vec<f32> =
            (0..20).flat_map(|row| [f32::from(row % 2 == 0), f32::from(row % 2 == 1)]).collect();
        let found = lds_interval(&truth, &scores, PLAN.judging(), 0).unwrap();
        assert!(found.value > 0.99, "{found:?}");
    }

    #[test]
    fn plans_without_enough_subsets_or_trainings_are_refused() {
        for plan in
            [Plan { subsets: 3, ..PLAN }, Plan { trainings: 0, ..PLAN }, Plan { subsets: 9999, ..PLAN }]
        {
            assert!(plan.truth(4, 1, |_, _| Ok(vec![0.0]), |_| ControlFlow::Continue(())).is_err());
        }
    }

    #[test]
    fn every_method_is_judged_on_a_model_that_trains_in_moments() {
        let subjects = ["fever of the heart and lungs", "taxes and duties of the congress"];
        let texts: Vec<String> = (0..16).map(|i| format!("{} {i}", subjects[i % 2])).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let config = LanguageConfig {
            vocabulary: 24,
            row_words: 6,
            width: 8,
            feed_forward: 8,
            layers: 1,
            epochs: 4,
            learning_rate: 0.01,
            ..LanguageConfig::default()
        };
        let task = LanguageTask::new(&texts[..12], &texts[12..], config).unwrap();
        let (judged, noise) = judge_language(&task, PLAN, |_| ControlFlow::Continue(())).unwrap();
        assert_eq!(judged.len(), LanguageMethod::ALL.len());
        assert!(judged[0].lds.value > 0.2, "{judged:?} {noise:?}");
    }

    #[test]
    fn evaluation_ends_where_its_caller_ends_it() {
        let mut trained = 0;
        let retrain = |_: &[usize], _| {
            trained += 1;
            Ok(vec![0.0])
        };
        let stop = |done| if done == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        let ended = PLAN.truth(4, 1, retrain, stop);
        assert!(matches!(ended, Err(AttributionError::Cancelled)));
        assert_eq!(trained, 6, "three halves of two trainings");
    }
}
