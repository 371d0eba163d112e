//! From rows on offer to what each earned: clusters, training, answers, scores, shares.

use super::pool::{ATTACKER, Pool};
use crate::{
    clusters::{ClusterConfig, ClusterRow, Clusters},
    error::AttributionError,
    limits::{SelfInfluenceCap, size_factors},
    retraining::{
        Array, Method, ModelKind, Settings, Task, default_settings, scoring::Checkpoint, test_losses, train,
    },
    scores::Scores,
    shares::{ShareConfig, attribute},
};

/// What stands against cheating.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Defences {
    /// Copies are left out of training and scoring.
    pub clusters: Option<ClusterConfig>,
    /// Scores count by the rows' sizes.
    pub sizes: bool,
    /// Outliers' scores are capped.
    pub cap: Option<SelfInfluenceCap>,
    /// From scores to shares.
    pub shares: ShareConfig,
}

impl Defences {
    /// What receipts are made with.
    pub fn all() -> Self {
        Self {
            clusters: Some(ClusterConfig::default()),
            sizes: true,
            cap: Some(SelfInfluenceCap::default()),
            shares: ShareConfig::default(),
        }
    }

    /// Every row for itself.
    pub fn none() -> Self {
        Self { clusters: None, sizes: false, cap: None, shares: ShareConfig::default() }
    }
}

/// What a round of questions brought.
#[derive(Debug, Clone)]
pub(crate) struct Income {
    /// Mean part of an answer that each row earned, ppm; zero for copies.
    pub(crate) rows: Vec<f64>,
    /// What the attacker's earned together.
    pub(crate) attacker: f64,
    /// Each owner's, in their order.
    pub(crate) owners: Vec<f64>,
    /// Rows that were taken for copies.
    pub(crate) copies: usize,
}

/// The canonical rows of a pool as a task whose test rows are the questions.
pub(crate) struct Offer {
    pub(crate) task: Task,
    /// The pool's row of each training row.
    pub(crate) rows: Vec<usize>,
}

impl Offer {
    pub(crate) fn new(pool: &Pool, like: &Task, defences: &Defences) -> Result<Self, AttributionError> {
        let rows = match defences.clusters {
            None => (0..pool.rows.len()).collect(),
            Some(config) => {
                let listed: Vec<ClusterRow<'_>> = pool
                    .rows
                    .iter()
                    .map(|row| ClusterRow { text: "", priority: (row.priority, 0) })
                    .collect();
                let centred = |values: &[f32]| -> Vec<f32> {
                    values.iter().zip(&pool.centre).map(|(v, c)| v - c).collect()
                };
                let vectors: Vec<f32> = pool.rows.iter().flat_map(|row| centred(&row.values)).collect();
                Clusters::find_with_vectors(&listed, &vectors, config, &[])?.canonical().to_vec()
            }
        };
        let inputs = pool.centre.len();
        let values = rows.iter().flat_map(|&row| pool.rows[row].values.clone()).collect();
        let task = Task {
            kind: like.kind,
            train: Array { shape: vec![rows.len(), inputs], values },
            train_labels: rows.iter().map(|&row| pool.rows[row].label).collect(),
            test: Array { shape: vec![pool.questions.len(), inputs], values: pool.questions.concat() },
            test_labels: vec![0; pool.questions.len()],
            checkpoints: Array { shape: vec![0, 1], values: vec![] },
            frozen: like.frozen.clone(),
            classes: like.classes,
            width: like.width,
            truth: None,
        };
        Ok(Self { task, rows })
    }

    /// Trains on all rows and takes the model's own answers as what is paid for.
    pub(crate) fn train(&mut self, seed: u64) -> Result<(), AttributionError> {
        let all: Vec<usize> = (0..self.rows.len()).collect();
        let parameters = train(&self.task, &all, seed)?;
        self.task.test_labels = test_losses(&self.task, &parameters)?.1;
        self.task.checkpoints = Array { shape: vec![1, parameters.len()], values: parameters };
        Ok(())
    }
}

/// Trains on a pool, answers its questions, and pays.
pub(crate) fn trade(
    pool: &Pool,
    like: &Task,
    defences: &Defences,
    seed: u64,
) -> Result<Income, AttributionError> {
    let mut offer = Offer::new(pool, like, defences)?;
    offer.train(seed)?;
    let (rows, tests) = (offer.rows.len(), pool.questions.len());
    let mut checkpoint = Checkpoint::new(&offer.task, 0)?;
    let settings = default_settings(&offer.task, Method::Auto);
    let scores = checkpoint.scores(Method::Auto, settings)?;
    let scores = Vec::<f32>::try_from(&scores.f_contiguous()?.f_reshape([-1])?)?;
    let factors = match defences.cap {
        None => vec![1.0; rows],
        Some(cap) => {
            let plain = Settings { test_temperature: 1.0, ..settings };
            let own = checkpoint.scores(Method::SelfInfluence, plain)?;
            let own =
                Vec::<f64>::try_from(&own.f_select(1, 0)?.f_contiguous()?.f_to_kind(tch::Kind::Double)?)?;
            cap.factors(&own)
                .ok_or_else(|| AttributionError::Invalid("a self-influence is not finite".into()))?
        }
    };
    let sizes: Vec<f64> = offer.rows.iter().map(|&row| ink(&pool.rows[row].values)).collect();
    let weights = if defences.sizes { size_factors(&sizes) } else { Some(vec![1.0; rows]) };
    let weights = weights.ok_or_else(|| AttributionError::Invalid("a row has no size".into()))?;
    let mut earned = vec![0.0; pool.rows.len()];
    // Scores grow with the damping's inverse and the fit; shares depend on their ratios alone.
    let largest = scores.iter().fold(0.0f32, |most, score| most.max(score.abs()));
    let scale = if largest > 0.0 { 1.0 / f64::from(largest) } else { 0.0 };
    for test in 0..tests {
        let of_row = |row: usize| f64::from(scores[row * tests + test]) * factors[row] * weights[row] * scale;
        let of_rows: Vec<f64> = (0..rows).map(of_row).collect();
        for share in attribute(&Scores::new(&of_rows)?, defences.shares)?.shares {
            earned[offer.rows[share.cluster]] += f64::from(share.ppm) / tests as f64;
        }
    }
    let mut owners = vec![0.0; pool.owners];
    for (row, earned) in pool.rows.iter().zip(&earned) {
        owners[row.owner] += earned;
    }
    Ok(Income { attacker: owners[ATTACKER], rows: earned, owners, copies: pool.rows.len() - rows })
}

/// The size of a picture: what is painted, however brightly.
fn ink(values: &[f32]) -> f64 {
    values.iter().map(|v| f64::from(v.abs().min(1.0))).sum()
}

/// Whether a form of model can be retrained from nothing here.
pub(crate) fn check_kind(kind: ModelKind) -> Result<(), AttributionError> {
    match kind {
        ModelKind::LogisticRegression | ModelKind::Mlp => Ok(()),
        ModelKind::Lora => Err(AttributionError::Invalid("the gaming suite takes lr or mlp".into())),
    }
}
