//! The named methods and what they are told.

use crate::{
    error::AttributionError,
    retraining::task::{ModelKind, Task},
};

/// How scores are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Tempered exact Gauss–Newton with what is known of the model's form, refined on the choosing
    /// subsets where there are any.
    Auto,
    /// Inner product of gradients.
    GradDot,
    /// Exact Gauss–Newton influence, primal or dual, whichever is smaller.
    Ggn,
    /// Influence with the empirical Fisher matrix of all parameters.
    Fisher,
    /// Eigenvalue-corrected Kronecker factors, a block a weight.
    Ekfac,
    /// DataInf's closed form: the mean of inverses in place of the inverse of the mean.
    Datainf,
    /// Empirical Fisher of gradients projected on each weight's main input and output directions.
    Logra,
    /// TRAK without projection: the margin's kernel.
    Trak,
    /// Gauss–Newton filtered by the recipe's own number of steps, schedule and momentum instead of
    /// damping: what unrolled training of the quadratic model gives.
    Unrolled,
    /// A row's influence on itself, the same for every test row; tells outliers and wrong labels.
    SelfInfluence,
}

impl Method {
    /// All methods with their names.
    pub const ALL: [(Self, &'static str); 10] = [
        (Self::Auto, "auto"),
        (Self::GradDot, "grad-dot"),
        (Self::Ggn, "ggn"),
        (Self::Fisher, "fisher"),
        (Self::Ekfac, "ekfac"),
        (Self::Datainf, "datainf"),
        (Self::Logra, "logra"),
        (Self::Trak, "trak"),
        (Self::Unrolled, "unrolled"),
        (Self::SelfInfluence, "self-influence"),
    ];

    /// The name in commands and receipts.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(method, _)| *method == self).map_or("", |(_, name)| name)
    }

    /// The dampings that are tried on the choosing subsets; one where the method has none.
    pub(crate) const fn dampings(self) -> &'static [f64] {
        match self {
            Self::GradDot | Self::Unrolled => &[0.0],
            Self::Ggn | Self::Auto | Self::SelfInfluence => &[3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3],
            Self::Ekfac => &[1e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0],
            Self::Fisher | Self::Logra | Self::Trak => &[1e-3, 1e-2, 0.1, 0.3, 1.0, 3.0, 10.0],
            Self::Datainf => &[1e-2, 0.1, 1.0, 10.0, 100.0, 1000.0],
        }
    }

    /// The damping where nothing can be tried.
    pub(crate) const fn default_damping(self, kind: ModelKind) -> f64 {
        match (self, kind) {
            (Self::GradDot | Self::Unrolled, _) => 0.0,
            (Self::Ggn | Self::Auto | Self::SelfInfluence, ModelKind::LogisticRegression) => 1e-3,
            (Self::Ggn | Self::Auto | Self::SelfInfluence, ModelKind::Mlp) => 3e-3,
            (Self::Ggn | Self::Auto | Self::SelfInfluence, ModelKind::Lora) => 0.1,
            (Self::Ekfac | Self::Fisher | Self::Logra | Self::Trak | Self::Datainf, _) => 0.1,
        }
    }
}

impl std::str::FromStr for Method {
    type Err = AttributionError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.iter().find(|(_, known)| *known == name).map(|(method, _)| *method);
        found.ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|(_, name)| *name).collect();
            AttributionError::Invalid(format!("method {name:?} is none of {}", names.join(", ")))
        })
    }
}

/// The at most three numbers of a method.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Added to the diagonal; its scale is the method's.
    pub damping: f64,
    /// Of the training rows' residuals and of the curvature's softmax.
    pub temperature: f64,
    /// Of the test rows' residuals.
    pub test_temperature: f64,
}

impl Settings {
    /// A damping without temperature.
    pub const fn damped(damping: f64) -> Self {
        Self { damping, temperature: 1.0, test_temperature: 1.0 }
    }
}

/// Scores of every training row for every test row.
#[derive(Debug, Clone)]
pub struct TaskScores {
    /// Row-major `[train, test]`; positive where the row helped.
    pub values: Vec<f32>,
    /// What the method was told.
    pub settings: Settings,
    /// Whether the settings were chosen on the choosing subsets.
    pub chosen: bool,
}

/// How many of a task's checkpoints to use.
pub(crate) fn checkpoint_count(task: &Task, wanted: Option<usize>) -> Result<usize, AttributionError> {
    let there = task.checkpoints.shape[0];
    match wanted {
        None => Ok(there),
        Some(count) if (1..=there).contains(&count) => Ok(count),
        Some(count) => Err(AttributionError::Invalid(format!("{count} checkpoints: the file has {there}"))),
    }
}
