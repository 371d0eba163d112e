//! Scores of a task by a method, with its settings chosen where retraining's outcome is known.
//!
//! **Temperature.** A checkpoint trained to small losses has gradients near zero for most of its rows,
//! though these rows shaped it: their pull was felt earlier in training, when its logits were smaller.
//! Dividing the logits by a temperature before residuals and curvature are taken looks at the model as
//! it was then, from the last checkpoint alone. Measured on five tasks that were retrained for it
//! (digits of another split, pooled fashion images, tumours), 1.5 raises the LDS of an MLP or LoRA
//! model of several classes by 0.01 to 0.07 at its best damping. A model of two classes, or one trained
//! to convergence, is left as it is.

use tch::Tensor;

use crate::{
    error::AttributionError,
    retraining::{
        lds::{CHOOSING_SUBSETS, lds},
        method::{Method, Settings, TaskScores, checkpoint_count},
        scoring::{Checkpoint, weight_decay},
        task::{ModelKind, Task},
    },
};

/// What a change from the defaults of `auto` has to gain on the choosing subsets to be believed: about
/// the standard error of an LDS on so few.
const LEAST_GAIN: f64 = 0.01;
/// Doublings or halvings of the damping that are tried.
const MAX_STEPS: usize = 3;

/// Scores of all training rows for all test rows, the mean over the first `checkpoints` (all where
/// none is given). What retraining did is looked at on the choosing subsets alone.
pub fn task_scores(
    task: &Task,
    method: Method,
    checkpoints: Option<usize>,
) -> Result<TaskScores, AttributionError> {
    let count = checkpoint_count(task, checkpoints)?;
    let mut first = Checkpoint::new(task, 0)?;
    let (settings, scores) = match (&task.truth, method) {
        (Some(truth), _) if truth.subsets().len() >= CHOOSING_SUBSETS => {
            Search { task, method, checkpoint: &mut first, best: None }.run()?
        }
        _ => {
            let settings = default_settings(task, method);
            (settings, first.scores(method, settings)?)
        }
    };
    let chosen = task.truth.as_ref().is_some_and(|truth| truth.subsets().len() >= CHOOSING_SUBSETS);
    drop(first);
    let mut sum = scores;
    for index in 1..count {
        sum = sum.f_add(&Checkpoint::new(task, index)?.scores(method, settings)?)?;
    }
    let mean = sum.f_div_scalar(count as f64)?;
    let values = values(&mean)?;
    if !values.iter().all(|v| v.is_finite()) {
        return Err(AttributionError::Invalid("scores are not finite; raise the damping".into()));
    }
    Ok(TaskScores { values, settings, chosen })
}

/// What a method is told where nothing can be tried.
pub fn default_settings(task: &Task, method: Method) -> Settings {
    let damped = Settings::damped(method.default_damping(task.kind));
    match (method, task.kind) {
        (Method::Auto, ModelKind::LogisticRegression) => {
            Settings::damped(weight_decay(ModelKind::LogisticRegression))
        }
        (Method::Auto, kind) if task.classes == 2 => Settings::damped(2.0 * base_damping(kind)),
        (Method::Auto, kind) => tempered(kind, 1.5),
        _ => damped,
    }
}

fn tempered(kind: ModelKind, temperature: f64) -> Settings {
    // Curvature about doubles with each half of temperature.
    let damping = base_damping(kind) * (2.0 * (temperature - 1.0)).exp2();
    Settings { damping, temperature, test_temperature: 1.5 }
}

/// About one over the training time of half the rows: steps times rate over one minus momentum, halved.
const fn base_damping(kind: ModelKind) -> f64 {
    match kind {
        ModelKind::LogisticRegression => 1e-3,
        ModelKind::Mlp => 0.006,
        ModelKind::Lora => 0.1,
    }
}

/// Tries settings on the first checkpoint and the choosing subsets.
struct Search<'a, 'b> {
    task: &'a Task,
    method: Method,
    checkpoint: &'b mut Checkpoint<'a>,
    best: Option<(f64, Settings, Tensor)>,
}

impl Search<'_, '_> {
    fn run(mut self) -> Result<(Settings, Tensor), AttributionError> {
        let default = default_settings(self.task, self.method);
        self.attempt(default)?;
        match (self.method, self.task.kind) {
            (Method::Auto, ModelKind::LogisticRegression) => {}
            (Method::Auto, kind) => {
                for temperature in [1.0, 1.5, 2.0] {
                    self.attempt(tempered(kind, temperature))?;
                }
                self.walk(2.0)?;
                self.walk(0.5)?;
                let settings = self.settings(default);
                let other = if settings.test_temperature > 1.0 { 1.0 } else { 1.5 };
                self.attempt(Settings { test_temperature: other, ..settings })?;
            }
            (method, _) => {
                for &damping in method.dampings() {
                    self.attempt(Settings::damped(damping))?;
                }
            }
        }
        let (_, settings, scores) =
            self.best.ok_or_else(|| AttributionError::Invalid("no settings gave finite scores".into()))?;
        Ok((settings, scores))
    }

    /// Multiplies the damping while that gains.
    fn walk(&mut self, factor: f64) -> Result<(), AttributionError> {
        for _ in 0..MAX_STEPS {
            let settings = self.settings(Settings::damped(1.0));
            if !self.attempt(Settings { damping: settings.damping * factor, ..settings })? {
                break;
            }
        }
        Ok(())
    }

    fn settings(&self, otherwise: Settings) -> Settings {
        self.best.as_ref().map_or(otherwise, |best| best.1)
    }

    /// Whether these settings are the best so far. Settings whose system has no solution are passed over.
    fn attempt(&mut self, settings: Settings) -> Result<bool, AttributionError> {
        if self.best.as_ref().is_some_and(|best| best.1 == settings) {
            return Ok(false);
        }
        let scores = match self.checkpoint.scores(self.method, settings) {
            Err(AttributionError::NotPositiveDefinite(_)) => return Ok(false),
            scores => scores?,
        };
        let Some(truth) = &self.task.truth else { return Ok(false) };
        let found = lds(truth, &values(&scores)?, 0..CHOOSING_SUBSETS)?.mean;
        let least_gain = if self.method == Method::Auto { LEAST_GAIN } else { 0.0 };
        let better = found.is_finite() && self.best.as_ref().is_none_or(|b| found > b.0 + least_gain);
        if better {
            self.best = Some((found, settings, scores));
        }
        Ok(better)
    }
}

fn values(scores: &Tensor) -> Result<Vec<f32>, AttributionError> {
    Ok(Vec::<f32>::try_from(&scores.f_contiguous()?.f_reshape([-1])?)?)
}
