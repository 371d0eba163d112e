//! How truly scores predict retraining, on a model's rows.

use crate::{AttributorError, lab::Bench, memory::Needs};
use openledger_attribution::{
    AttributionError,
    faithfulness::{Judged, Plan, Publishable, Step, judge_language, kept_apart},
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

/// Rows that are trained on, and rows that are kept apart.
pub(super) const fn split_rows(rows: usize) -> (usize, usize) {
    (rows - rows / TEST_EVERY, rows / TEST_EVERY)
}

/// Retrains a small transformer on random halves of `texts`. Short work is done between the steps, and `step`, which may
/// end it, is called.
pub(super) fn evaluate(
    bench: &mut Bench,
    texts: &[&str],
    plan: Plan,
    mut step: impl FnMut(Step) -> ControlFlow<()>,
) -> Result<Evaluation, AttributorError> {
    let (train, test) = kept_apart(texts, TEST_EVERY);
    bench.admit(Needs::of_evaluation(train.len(), test.len()))?;
    let task = LanguageTask::new(&train, &test, LanguageConfig::default())?;
    let judged = judge_language(&task, plan, |done| {
        bench.desk.serve(&bench.base);
        step(done)
    });
    let (judged, _) = match judged {
        Err(AttributionError::Cancelled) => return Err(AttributorError::Cancelled),
        judged => judged?,
    };
    let own = judged.first().ok_or_else(|| AttributorError::Invalid("no method could be judged".into()))?;
    let Publishable { lds_ppm, error_ppm, samples } = own.publishable(&plan);
    Ok(Evaluation { lds_ppm, error_ppm, samples, methods: judged.iter().map(Into::into).collect() })
}

impl From<&Judged> for EvaluatedMethod {
    fn from(judged: &Judged) -> Self {
        let lds = judged.lds;
        Self { method: judged.name.to_owned(), lds: lds.value, low: lds.low, high: lds.high }
    }
}
