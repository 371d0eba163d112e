//! Forms of the models in NumPy archives.

use clap::ValueEnum;
use openledger_attribution::retraining::ModelKind;

/// A model's form.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Form {
    /// Multinomial logistic regression.
    Lr,
    /// One hidden layer.
    Mlp,
    /// Three frozen layers with low-rank updates.
    Lora,
}

impl From<Form> for ModelKind {
    fn from(form: Form) -> Self {
        match form {
            Form::Lr => Self::LogisticRegression,
            Form::Mlp => Self::Mlp,
            Form::Lora => Self::Lora,
        }
    }
}
