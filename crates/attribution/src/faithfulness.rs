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

/// What an evaluation is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Halves are retrained; its steps are trainings.
    Retraining,
    /// Methods are judged; its steps are their settings.
    Judging,
}

/// How far an evaluation is. The same is said again within long steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// What it is at.
    pub stage: Stage,
    /// Steps that are done.
    pub done: usize,
    /// Steps in all.
    pub of: usize,
}

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
        mut retrain: impl FnMut(
            &[usize],
            u64,
            &mut dyn FnMut() -> ControlFlow<()>,
        ) -> Result<Vec<f32>, AttributionError>,
        step: &mut dyn FnMut(Step) -> ControlFlow<()>,
    ) -> Result<(Truth, Option<f64>), AttributionError> {
        self.check()?;
        let mut draw = Draw::new(self.seed);
        let mut subsets = Vec::with_capacity(self.subsets);
        let mut means = Vec::with_capacity(self.subsets * tests);
        let mut first_two = [vec![], vec![]];
        let mut at = Step { stage: Stage::Retraining, done: 0, of: self.subsets * self.trainings as usize };
        for _ in 0..self.subsets {
            let subset = draw.sample(rows, (rows / 2).max(1));
            let mut sum = vec![0.0f32; tests];
            for training in 0..self.trainings {
                let losses = retrain(&subset, training, &mut || step(at))?;
                sum.iter_mut().zip(&losses).for_each(|(sum, loss)| *sum += loss / self.trainings as f32);
                if let Some(kept) = first_two.get_mut(training as usize) {
                    kept.extend(losses.into_iter().map(f64::from));
                }
                at.done += 1;
                if step(at).is_break() {
                    return Err(AttributionError::Cancelled);
                }
            }
            subsets.push(subset);
            means.extend(sum);
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

/// What goes into `publishFaithfulness`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Publishable {
    /// Linear datamodelling score, parts per million.
    pub lds_ppm: i64,
    /// Half of its 95 % interval, parts per million.
    pub error_ppm: i64,
    /// Subsets that judged.
    pub samples: usize,
}

impl Judged {
    /// As it is published, where it was found by `plan`.
    pub fn publishable(&self, plan: &Plan) -> Publishable {
        let ppm = |value: f64| (value * 1e6).round() as i64;
        Publishable {
            lds_ppm: ppm(self.lds.value),
            error_ppm: ppm((self.lds.high - self.lds.low) / 2.0),
            samples: plan.judging().len(),
        }
    }
}

/// Texts to train on and, every so manieth, texts that are kept apart and scored.
pub fn kept_apart<'a>(texts: &[&'a str], every: usize) -> (Vec<&'a str>, Vec<&'a str>) {
    let (mut train, mut test) = (vec![], vec![]);
    for (at, text) in texts.iter().enumerate() {
        if (at + 1).is_multiple_of(every) { test.push(*text) } else { train.push(*text) }
    }
    (train, test)
}

/// Retrains a task's model, by the recipe of its form, and judges one method on a checkpoint trained here.
/// With fewer than 25 subsets to choose on the method's defaults are judged.
pub fn judge_task(
    task: &Task,
    method: Method,
    plan: Plan,
    mut step: impl FnMut(Step) -> ControlFlow<()>,
) -> Result<(Vec<Judged>, Option<f64>), AttributionError> {
    let (rows, tests, _) = task.sizes();
    let retrain = |rows: &[usize], seed: u64, _: &mut dyn FnMut() -> ControlFlow<()>| {
        Ok(test_losses(task, &train(task, rows, seed)?)?.0)
    };
    let (truth, noise) = plan.truth(rows, tests, retrain, &mut step)?;
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

/// Retrains the small transformer and judges every method, ours first. `step` is called after each step of a training,
/// each batch of gradients and each setting that is judged; it may end the evaluation.
pub fn judge_language(
    task: &LanguageTask,
    plan: Plan,
    mut step: impl FnMut(Step) -> ControlFlow<()>,
) -> Result<(Vec<Judged>, Option<f64>), AttributionError> {
    let (rows, tests) = task.sizes();
    let retrain = |rows: &[usize], seed: u64, beat: &mut dyn FnMut() -> ControlFlow<()>| {
        task.test_losses(&task.train_stepwise(rows, seed, beat)?)
    };
    let (truth, noise) = plan.truth(rows, tests, retrain, &mut step)?;
    let all: Vec<usize> = (0..rows).collect();
    let of = LanguageMethod::ALL.iter().map(|(method, _)| method.settings().len()).sum();
    let mut at = Step { stage: Stage::Judging, done: 0, of };
    let model = task.train_stepwise(&all, SCORED_SEED, &mut || step(at))?;
    let mut scorer = LanguageScorer::new(task, &model);
    let mut judged = vec![];
    for (method, name) in LanguageMethod::ALL {
        let mut best = None;
        for settings in method.settings() {
            let scores = scorer.scores_stepwise(method, settings, &mut || step(at));
            at.done += 1;
            if step(at).is_break() {
                return Err(AttributionError::Cancelled);
            }
            let scores = match scores {
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
        let retrain = |rows: &[usize], seed: u64, _: &mut dyn FnMut() -> ControlFlow<()>| {
            let of = |parity: usize| -(rows.iter().filter(|&&row| row % 2 == parity).count() as f32);
            Ok(vec![of(0) + seed as f32, of(1)])
        };
        let mut last = None;
        let (truth, noise) = PLAN
            .truth(20, 2, retrain, &mut |step| {
                last = Some(step);
                ControlFlow::Continue(())
            })
            .unwrap();
        assert_eq!(last, Some(Step { stage: Stage::Retraining, done: 48, of: 48 }));
        assert_eq!(noise, Some(1.0));
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
            let none = plan.truth(4, 1, |_, _, _| Ok(vec![0.0]), &mut |_| ControlFlow::Continue(()));
            assert!(none.is_err());
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
        let mut calls = [0, 0];
        let (judged, noise) = judge_language(&task, PLAN, |step| {
            calls[usize::from(step.stage == Stage::Judging)] += 1;
            assert!(step.done <= step.of);
            ControlFlow::Continue(())
        })
        .unwrap();
        assert_eq!(judged.len(), LanguageMethod::ALL.len());
        assert!(judged[0].lds.value > 0.2, "{judged:?} {noise:?}");
        // Every training of 6 rows for 4 epochs has 4 steps, and every one of the 37 settings is a step.
        assert_eq!(calls[0], 24 * 2 * (4 + 1));
        assert!(calls[1] > 37, "{calls:?}");

        // It ends within the training, and within the judging.
        for stage in [Stage::Retraining, Stage::Judging] {
            let ended = judge_language(&task, PLAN, |step| {
                if step.stage == stage { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            assert!(matches!(ended, Err(AttributionError::Cancelled)), "{stage:?}");
        }
    }

    #[test]
    fn every_so_manieth_text_is_kept_apart() {
        let texts = ["a", "b", "c", "d", "e"];
        assert_eq!(kept_apart(&texts, 2), (vec!["a", "c", "e"], vec!["b", "d"]));
        assert_eq!(kept_apart(&texts, 6), (texts.to_vec(), vec![]));
    }

    #[test]
    fn evaluation_ends_where_its_caller_ends_it() {
        let mut trained = 0;
        let retrain = |_: &[usize], _: u64, _: &mut dyn FnMut() -> ControlFlow<()>| {
            trained += 1;
            Ok(vec![0.0])
        };
        let mut stop =
            |step: Step| if step.done == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        let ended = PLAN.truth(4, 1, retrain, &mut stop);
        assert!(matches!(ended, Err(AttributionError::Cancelled)));
        assert_eq!(trained, 3, "one half of two trainings and one training of the next");
    }
}
