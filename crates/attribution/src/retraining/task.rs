//! A trained model, its rows, and, where it is known, what retraining on subsets did.

use std::path::Path;

use crate::{
    error::AttributionError,
    retraining::npz::{Array, Npz},
};

/// Most training plus test rows of a task.
const MAX_TASK_ROWS: usize = 1 << 17;
/// Most classes of a task.
const MAX_CLASSES: usize = 4096;

/// The form of a task's model; its training recipe goes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelKind {
    /// Multinomial logistic regression, weight `[classes, inputs]` then bias; trained to convergence
    /// with 1e-3/2·‖θ‖².
    LogisticRegression,
    /// One hidden ReLU layer: weight, bias, weight, bias; 40 epochs of SGD, 1e-4/2·‖θ‖².
    Mlp,
    /// Three frozen linear layers with ReLU, each with a low-rank update `2·B·A`: A `[r, in]` and B
    /// `[out, r]` a layer; 20 epochs of SGD, 1e-4/2·‖θ‖².
    Lora,
}

/// A frozen linear layer under a LoRA update.
#[derive(Debug, Clone)]
pub struct FrozenLayer {
    /// Outputs and inputs.
    pub shape: [usize; 2],
    /// Row-major `[outputs, inputs]`.
    pub weight: Vec<f32>,
    /// `[outputs]`.
    pub bias: Vec<f32>,
}

/// What retraining on subsets of the rows did.
#[derive(Debug, Clone)]
pub struct Truth {
    rows: usize,
    tests: usize,
    subsets: Vec<Vec<usize>>,
    losses: Vec<f32>,
}

/// A judged task.
#[derive(Debug, Clone)]
pub struct Task {
    /// The model's form.
    pub kind: ModelKind,
    /// Row-major `[rows, inputs]`.
    pub train: Array<f32>,
    /// Class of each training row.
    pub train_labels: Vec<usize>,
    /// Row-major `[tests, inputs]`.
    pub test: Array<f32>,
    /// Class of each test row.
    pub test_labels: Vec<usize>,
    /// Row-major `[checkpoints, parameters]`.
    pub checkpoints: Array<f32>,
    /// The frozen base of a LoRA model; else empty.
    pub frozen: Vec<FrozenLayer>,
    /// Classes.
    pub classes: usize,
    /// Hidden units of an MLP or rank of a LoRA update; else zero.
    pub width: usize,
    /// What retraining did, where the file says it.
    pub truth: Option<Truth>,
}

impl Truth {
    /// From subsets and row-major losses `[subsets, tests]`.
    pub fn new(
        rows: usize,
        tests: usize,
        subsets: Vec<Vec<usize>>,
        losses: Vec<f32>,
    ) -> Result<Self, AttributionError> {
        let fits = losses.len() == subsets.len() * tests && subsets.iter().flatten().all(|&row| row < rows);
        if !fits || rows == 0 || tests == 0 {
            return Err(AttributionError::Invalid("subsets and gt_loss do not fit the rows".into()));
        }
        Ok(Self { rows, tests, subsets, losses })
    }

    /// Reads `subsets` and `gt_loss` of an archive whose training rows and tests are known.
    pub fn read(npz: &mut Npz, rows: usize, tests: usize) -> Result<Self, AttributionError> {
        let subsets = npz.indices("subsets")?;
        let losses = npz.floats("gt_loss")?;
        let size = match (subsets.shape.as_slice(), losses.shape.as_slice()) {
            (&[m, size], &[n, t]) if m == n && t == tests && size > 0 => size,
            _ => return Err(misfit("subsets and gt_loss", &subsets.shape)),
        };
        let subsets = subsets.values.chunks(size).map(<[usize]>::to_vec).collect();
        Self::new(rows, tests, subsets, losses.values)
    }

    /// Training rows.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Test rows.
    pub const fn tests(&self) -> usize {
        self.tests
    }

    /// The rows of each subset.
    pub fn subsets(&self) -> &[Vec<usize>] {
        &self.subsets
    }

    /// Loss of a test row after retraining on a subset; both must be in range.
    pub fn loss(&self, subset: usize, test: usize) -> f32 {
        self.losses[subset * self.tests + test]
    }
}

impl Task {
    /// Reads a task; every shape follows from the file.
    pub fn read(path: &Path, kind: ModelKind) -> Result<Self, AttributionError> {
        let mut npz = Npz::open(path)?;
        let (train, test) = (npz.floats("x_train")?, npz.floats("x_test")?);
        let (train_labels, test_labels) = (npz.indices("y_train")?, npz.indices("y_test")?);
        let checkpoints = npz.floats("ckpts")?;
        let (rows, tests, inputs) = match (train.shape.as_slice(), test.shape.as_slice()) {
            (&[n, d], &[m, e]) if d == e && n > 0 && m > 0 && d > 0 && n + m <= MAX_TASK_ROWS => (n, m, d),
            (shape, _) => return Err(misfit("x_train and x_test", shape)),
        };
        if train_labels.shape != [rows] || test_labels.shape != [tests] {
            return Err(misfit("y_train and y_test", &train_labels.shape));
        }
        let parameters = match checkpoints.shape.as_slice() {
            &[k, p] if k > 0 && p > 0 => p,
            shape => return Err(misfit("ckpts", shape)),
        };
        let frozen = if kind == ModelKind::Lora { frozen(&mut npz, inputs)? } else { vec![] };
        let largest = train_labels.values.iter().chain(&test_labels.values).max().copied().unwrap_or(0);
        let (classes, width) = sizes(kind, inputs, parameters, largest, &frozen)?;
        if largest >= classes || !(2..=MAX_CLASSES).contains(&classes) {
            let what = format!("label {largest} with {classes} classes (2 to {MAX_CLASSES})");
            return Err(AttributionError::Invalid(what));
        }
        let truth = if npz.contains("subsets") && npz.contains("gt_loss") {
            Some(Truth::read(&mut npz, rows, tests)?)
        } else {
            None
        };
        let (train_labels, test_labels) = (train_labels.values, test_labels.values);
        Ok(Self { kind, train, train_labels, test, test_labels, checkpoints, frozen, classes, width, truth })
    }

    /// Training rows, test rows and inputs.
    pub fn sizes(&self) -> (usize, usize, usize) {
        (self.train.shape[0], self.test.shape[0], self.train.shape[1])
    }

    /// The parameters of a checkpoint.
    pub fn checkpoint(&self, index: usize) -> Option<&[f32]> {
        self.checkpoints.values.chunks_exact(self.checkpoints.shape[1]).nth(index)
    }
}

fn frozen(npz: &mut Npz, inputs: usize) -> Result<Vec<FrozenLayer>, AttributionError> {
    let mut layers: Vec<FrozenLayer> = vec![];
    for layer in 1..=3 {
        let weight = npz.floats(&format!("buf.l{layer}.W0"))?;
        let bias = npz.floats(&format!("buf.l{layer}.b0"))?;
        let before = layers.last().map_or(inputs, |l| l.shape[0]);
        match weight.shape.as_slice() {
            &[outputs, given] if given == before && outputs > 0 && bias.shape == [outputs] => {
                layers.push(FrozenLayer {
                    shape: [outputs, given],
                    weight: weight.values,
                    bias: bias.values,
                });
            }
            shape => return Err(misfit(&format!("buf.l{layer}.W0 and buf.l{layer}.b0"), shape)),
        }
    }
    Ok(layers)
}

/// Classes and width that make up the number of parameters.
fn sizes(
    kind: ModelKind,
    inputs: usize,
    parameters: usize,
    largest_label: usize,
    frozen: &[FrozenLayer],
) -> Result<(usize, usize), AttributionError> {
    let found = match kind {
        ModelKind::LogisticRegression => {
            parameters.is_multiple_of(inputs + 1).then_some((parameters / (inputs + 1), 0))
        }
        ModelKind::Mlp => {
            // The last class may have no row: of the class counts that fit, the nearest to the labels.
            (largest_label + 1..largest_label + 4).find_map(|classes| {
                let rest = parameters.checked_sub(classes)?;
                let unit = inputs + 1 + classes;
                (rest > 0 && rest.is_multiple_of(unit)).then_some((classes, rest / unit))
            })
        }
        ModelKind::Lora => {
            let unit: usize = frozen.iter().map(|l| l.shape[0] + l.shape[1]).sum();
            let classes = frozen.last().map_or(0, |l| l.shape[0]);
            (unit > 0 && parameters.is_multiple_of(unit)).then_some((classes, parameters / unit))
        }
    };
    found.ok_or_else(|| {
        AttributionError::Invalid(format!(
            "{parameters} parameters do not fit {inputs} inputs; check --model"
        ))
    })
}

fn misfit(what: &str, shape: &[usize]) -> AttributionError {
    AttributionError::Invalid(format!("{what} have shapes that do not fit ({shape:?})"))
}
