//! How truly scores predict retraining, on a model's rows.

use crate::{AttributorError, lab::Bench};
use openledger_attribution::{
    faithfulness::{Judged, Plan, judge_language},
    language::{LanguageConfig, LanguageTask},
};
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;
use utoipa::ToSchema;

/// Every so manieth row is kept apart and scored.
const TEST_EVERY: usize = 6;

/// What an evaluation found; the first three fields are the arguments of `publishFaithfulness`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Evaluation {
    /// Linear datamodelling score of the first method, parts per million.
    pub lds_ppm: i64,
    /// Half of its 95 % interval, parts per million.
    pub error_ppm: i64,
    /// Halves that judged.
    pub samples: usize,
    /// Every method, ours first.
    pub methods: Vec<EvaluatedMethod>,
}

/// A method's score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EvaluatedMethod {
    /// Its name.
    pub method: String,
    /// Linear datamodelling score.
    pub lds: f64,
    /// Lower end of the 95 % interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Retrains a small transformer on random halves of `texts`. Short work is done between the trainings.
pub(super) fn evaluate(
    bench: &mut Bench,
    texts: &[String],
    plan: Plan,
    mut step: impl FnMut(usize) -> ControlFlow<()>,
) -> Result<Evaluation, AttributorError> {
    let part = |tests: bool| -> Vec<&str> {
        let own = |at: usize| (at % TEST_EVERY == TEST_EVERY - 1) == tests;
        texts.iter().enumerate().filter(|(at, _)| own(*at)).map(|(_, text)| text.as_str()).collect()
    };
    let task = LanguageTask::new(&part(false), &part(true), LanguageConfig::default())?;
    let (judged, _) = judge_language(&task, plan, |done| {
        bench.desk.serve(&bench.base);
        step(done)
    })?;
    let own = judged.first().ok_or_else(|| AttributorError::Invalid("no method could be judged".into()))?;
    let ppm = |value: f64| (value * 1e6).round() as i64;
    Ok(Evaluation {
        lds_ppm: ppm(own.lds.value),
        error_ppm: ppm((own.lds.high - own.lds.low) / 2.0),
        samples: plan.judging().len(),
        methods: judged.iter().map(Into::into).collect(),
    })
}

impl From<&Judged> for EvaluatedMethod {
    fn from(judged: &Judged) -> Self {
        let lds = judged.lds;
        Self { method: judged.name.to_owned(), lds: lds.value, low: lds.low, high: lds.high }
    }
}
