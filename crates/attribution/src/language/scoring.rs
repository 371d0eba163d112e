//! Scores of training rows for test rows, by several methods, from one trained model.
//!
//! All work on exact gradients of each row in all matrices but the positions. The curvature is the true
//! Fisher matrix, which for cross-entropy is the Gauss–Newton matrix: its mean over words that the model
//! itself draws. With few draws it is inverted through the draws' Gram matrix.

use std::ops::ControlFlow;

use tch::{Kind, Tensor};

use super::{
    corpus::{LanguageConfig, LanguageTask, Rows},
    network::{forward, shapes, token_losses},
    train::Trained,
};
use crate::{draw::Draw, error::AttributionError};

/// Rows a backward pass, each with a copy of the matrices.
const BATCH_ROWS: usize = 16;
/// Words that are drawn in place of each row's, so often.
const DRAWS: u64 = 4;

/// How rows are scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LanguageMethod {
    /// Gauss–Newton influence, tempered.
    Auto,
    /// Kronecker-factored eigenbasis with corrected eigenvalues, of every matrix.
    Ekfac,
    /// TRAK's kernel of the margin, without projection.
    Trak,
    /// What receipts of large models are made with: whitened gradients of unit length, empirical Fisher.
    Whitened,
    /// Product of gradients.
    GradDot,
}

impl LanguageMethod {
    /// All methods with their names.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Auto, "auto"),
        (Self::Ekfac, "ekfac"),
        (Self::Trak, "trak"),
        (Self::Whitened, "whitened"),
        (Self::GradDot, "grad-dot"),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(method, _)| *method == self).map_or("", |(_, name)| name)
    }

    /// Settings to choose among where retraining's outcome is known; the first one else.
    pub fn settings(self) -> Vec<LanguageSettings> {
        let grid = |temperatures: &[f64], dampings: &[f64]| {
            let each = |&temperature: &f64| {
                dampings.iter().map(move |&damping| LanguageSettings { damping, temperature })
            };
            temperatures.iter().flat_map(each).collect()
        };
        match self {
            Self::Auto => grid(&[1.0, 1.5], &[1.0, 0.03, 0.1, 0.3, 3.0, 10.0]),
            Self::Ekfac | Self::Trak | Self::Whitened => {
                grid(&[1.0], &[0.1, 0.003, 0.01, 0.03, 0.3, 1.0, 3.0, 10.0])
            }
            Self::GradDot => grid(&[1.0], &[0.0]),
        }
    }
}

/// The numbers of a method.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LanguageSettings {
    /// A fraction of the curvature's mean eigenvalue on the span of what it is made of.
    pub damping: f64,
    /// Divides the logits of training rows.
    pub temperature: f64,
}

impl LanguageConfig {
    /// Bytes that judging all methods on so many rows holds at one time at most: gradients of rows, of test rows and of
    /// drawn words with copies of them on the way, the draws' Gram matrix with its factor, and a pass over all rows.
    pub fn judging_bytes(&self, rows: usize, tests: usize) -> u64 {
        let shapes = shapes(self);
        let numbers = |shapes: &[[usize; 2]]| shapes.iter().map(|[o, i]| (o * i) as u64).sum::<u64>();
        let (n, t, p) = (rows as u64, tests as u64, numbers(&shapes[..shapes.len() - 1]));
        let draws = DRAWS * n;
        let gradients = (3 * draws + 2 * t) * p;
        let system = 3 * draws * draws + 2 * draws * (n + t) + 3 * n * t;
        // Words as numbers of eight bytes and of four, logits, and what becomes of those.
        let pass = 8 * (n + t) * (self.row_words * self.vocabulary) as u64;
        4 * (gradients + system + pass)
    }
}

/// What a model's rows were turned into, kept between settings.
#[derive(Debug)]
pub struct LanguageScorer<'a> {
    task: &'a LanguageTask,
    model: &'a Trained,
    kept: Option<(Target, f64, Kept)>,
}

/// What the gradient is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    Loss,
    Margin,
}

#[derive(Debug)]
struct Kept {
    /// `[n, p]`, `[tests, p]`, and of drawn words `[m, p]`.
    train: Tensor,
    test: Tensor,
    drawn: Tensor,
}

impl<'a> LanguageScorer<'a> {
    /// Prepares a model of a task.
    pub const fn new(task: &'a LanguageTask, model: &'a Trained) -> Self {
        Self { task, model, kept: None }
    }

    /// Row-major `[train, test]`; positive where the row helped.
    pub fn scores(
        &mut self,
        method: LanguageMethod,
        settings: LanguageSettings,
    ) -> Result<Vec<f32>, AttributionError> {
        self.scores_stepwise(method, settings, &mut || ControlFlow::Continue(()))
    }

    /// As [`Self::scores`]; `beat` is called after each batch of gradients and may end it.
    pub fn scores_stepwise(
        &mut self,
        method: LanguageMethod,
        settings: LanguageSettings,
        beat: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> Result<Vec<f32>, AttributionError> {
        let target = if method == LanguageMethod::Trak { Target::Margin } else { Target::Loss };
        let kept = match self.kept.take().filter(|k| k.0 == target && k.1 == settings.temperature) {
            Some((_, _, kept)) => kept,
            None => self.prepare(target, settings.temperature, beat)?,
        };
        let scores = match method {
            LanguageMethod::GradDot => kept.train.f_matmul(&kept.test.f_transpose(0, 1)?)?,
            LanguageMethod::Auto => influence(&kept.drawn, &kept.train, &kept.test, settings.damping)?,
            LanguageMethod::Trak => {
                let found = influence(&kept.train, &kept.train, &kept.test, settings.damping)?;
                found.f_mul(&self.missing()?.f_unsqueeze(1)?)?
            }
            LanguageMethod::Whitened => {
                let square = kept.train.f_square()?.f_mean_dim([0i64].as_slice(), true, Kind::Float)?;
                let scale = square.f_clamp_min(1e-20)?.f_rsqrt()?;
                let (train, test) = (unit(&kept.train.f_mul(&scale)?)?, unit(&kept.test.f_mul(&scale)?)?);
                influence(&train, &train, &test, settings.damping)?
            }
            LanguageMethod::Ekfac => self.ekfac(&kept, settings.damping)?,
        };
        self.kept = Some((target, settings.temperature, kept));
        Ok(Vec::<f32>::try_from(&scores.f_contiguous()?.f_reshape([-1])?)?)
    }

    fn prepare(
        &self,
        target: Target,
        temperature: f64,
        beat: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> Result<Kept, AttributionError> {
        let train = self.gradients(&self.task.train, target, temperature, None, beat)?;
        let test = self.gradients(&self.task.test, target, 1.0, None, beat)?;
        let drawn = match target {
            Target::Margin => Tensor::f_zeros([0, 0], (Kind::Float, tch::Device::Cpu))?,
            Target::Loss => {
                let each = (0..DRAWS)
                    .map(|seed| self.gradients(&self.task.train, target, temperature, Some(seed), beat))
                    .collect::<Result<Vec<_>, _>>()?;
                Tensor::f_cat(&each, 0)?
            }
        };
        Ok(Kept { train, test, drawn })
    }

    /// `[n, p]` gradients of each row's mean over words; of words drawn from the model where a seed is
    /// given. The margin's sign is that of the loss.
    fn gradients(
        &self,
        rows: &Rows,
        target: Target,
        temperature: f64,
        drawn: Option<u64>,
        beat: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> Result<Tensor, AttributionError> {
        let all: Vec<usize> = (0..rows.n).collect();
        let mut draw = Draw::new(drawn.unwrap_or_default());
        let mut blocks = vec![];
        for chunk in all.chunks(BATCH_ROWS) {
            let n = chunk.len() as i64;
            let batch = rows.batch(chunk)?;
            let copies = self
                .model
                .matrices
                .iter()
                .map(|m| {
                    let (outputs, inputs) = m.size2()?;
                    let copy = m.f_unsqueeze(0)?.f_expand([n, outputs, inputs], false)?.f_contiguous()?;
                    copy.f_detach()?.f_set_requires_grad(true)
                })
                .collect::<Result<Vec<_>, _>>()?;
            let logits = forward(&self.task.config, &copies, &batch)?.f_div_scalar(temperature)?;
            let targets = match drawn {
                None => batch.targets.shallow_clone(),
                Some(_) => sampled(&logits, &mut draw)?,
            };
            let losses = token_losses(&logits, &targets)?;
            let values = match target {
                Target::Loss => losses,
                // −log(p / (1 − p)), with p = exp(−loss).
                Target::Margin => {
                    let missing = losses.f_neg()?.f_exp()?.f_neg()?.f_add_scalar(1.0)?.f_clamp_min(1e-6)?;
                    losses.f_add(&missing.f_log()?)?
                }
            };
            let total = values.f_mul(&batch.weights)?.f_sum(Kind::Float)?;
            let wanted = &copies[..copies.len() - 1];
            let gradients = Tensor::f_run_backward(&[total], wanted, false, false)?;
            let flat = gradients.iter().map(|g| g.f_reshape([n, -1])).collect::<Result<Vec<_>, _>>()?;
            blocks.push(Tensor::f_cat(&flat, 1)?);
            if beat().is_break() {
                return Err(AttributionError::Cancelled);
            }
        }
        Ok(Tensor::f_cat(&blocks, 0)?)
    }

    /// `[n]` mean over a row's words of one minus the word's probability.
    fn missing(&self) -> Result<Tensor, AttributionError> {
        let all: Vec<usize> = (0..self.task.train.n).collect();
        let batch = self.task.train.batch(&all)?;
        let losses =
            token_losses(&forward(&self.task.config, &self.model.matrices, &batch)?, &batch.targets)?;
        let missing = losses.f_neg()?.f_exp()?.f_neg()?.f_add_scalar(1.0)?;
        Ok(missing.f_mul(&batch.weights)?.f_sum_dim_intlist(1i64, false, Kind::Float)?)
    }

    /// Source: George et al., "Fast Approximate Natural Gradient Descent in a Kronecker-factored
    /// Eigenbasis" (2018). The factors are second moments of the drawn gradients' columns and rows.
    fn ekfac(&self, kept: &Kept, damping: f64) -> Result<Tensor, AttributionError> {
        let (n, tests, m) = (kept.train.size()[0], kept.test.size()[0], kept.drawn.size()[0]);
        let mut scores = Tensor::f_zeros([n, tests], (Kind::Float, tch::Device::Cpu))?;
        let mut start = 0;
        let shapes = shapes(&self.task.config);
        for &[outputs, inputs] in &shapes[..shapes.len() - 1] {
            let (outputs, inputs) = (outputs as i64, inputs as i64);
            let part =
                |rows: &Tensor| rows.f_narrow(1, start, outputs * inputs)?.f_reshape([-1, outputs, inputs]);
            let (train, test, drawn) = (part(&kept.train)?, part(&kept.test)?, part(&kept.drawn)?);
            start += outputs * inputs;
            let flat = |matrices: &Tensor, width: i64| matrices.f_contiguous()?.f_reshape([-1, width]);
            let left = flat(&drawn.f_transpose(1, 2)?, outputs)?;
            let right = flat(&drawn, inputs)?;
            let moment = |rows: &Tensor| rows.f_transpose(0, 1)?.f_matmul(rows)?.f_div_scalar(m as f64);
            let (_, left) = moment(&left)?.f_linalg_eigh("L")?;
            let (_, right) = moment(&right)?.f_linalg_eigh("L")?;
            let turn = |matrices: &Tensor| left.f_transpose(0, 1)?.f_matmul(matrices)?.f_matmul(&right);
            let eigenvalues = turn(&drawn)?.f_square()?.f_mean_dim([0i64].as_slice(), false, Kind::Float)?;
            let mean = eigenvalues.f_mean(Kind::Double)?.f_double_value(&[])?;
            let damped = eigenvalues.f_add_scalar((damping * mean).max(1e-30))?;
            let moved = turn(&test)?.f_div(&damped)?.f_reshape([tests, -1])?;
            let rows = turn(&train)?.f_reshape([n, -1])?;
            scores = scores.f_add(&rows.f_matmul(&moved.f_transpose(0, 1)?)?)?;
        }
        Ok(scores)
    }
}

/// `gᵢᵀ (SᵀS/m + λ)⁻¹ t` through the m×m Gram matrix of S; λ is a fraction of the mean eigenvalue of S's
/// span.
fn influence(span: &Tensor, train: &Tensor, test: &Tensor, damping: f64) -> Result<Tensor, AttributionError> {
    let m = span.size()[0] as f64;
    let across = |a: &Tensor, b: &Tensor| a.f_matmul(&b.f_transpose(0, 1)?);
    let gram = across(span, span)?.f_div_scalar(m)?;
    let lambda = damping * gram.f_diagonal(0, 0, 1)?.f_mean(Kind::Double)?.f_double_value(&[])?;
    let lambda = lambda.max(1e-30);
    let _ = gram.f_diagonal(0, 0, 1)?.f_add_scalar_(lambda)?;
    let (factor, info) = gram.f_linalg_cholesky_ex(false, false)?;
    let failed = info.f_int64_value(&[])?;
    if failed != 0 {
        return Err(AttributionError::NotPositiveDefinite(failed.unsigned_abs() as usize));
    }
    let solved = across(span, test)?.f_cholesky_solve(&factor, false)?.f_div_scalar(m)?;
    let plain = across(train, test)?;
    Ok(plain.f_sub(&across(train, span)?.f_matmul(&solved)?)?.f_div_scalar(lambda)?)
}

fn unit(rows: &Tensor) -> Result<Tensor, AttributionError> {
    let square = rows.f_square()?.f_sum_dim_intlist([1i64].as_slice(), true, Kind::Float)?;
    Ok(rows.f_mul(&square.f_clamp_min(1e-30)?.f_rsqrt()?)?)
}

/// Words drawn from the model's own distribution, `[n, t]`.
fn sampled(logits: &Tensor, draw: &mut Draw) -> Result<Tensor, AttributionError> {
    let (n, t, _) = logits.size3()?;
    let uniform: Vec<f32> = (0..n * t).map(|_| draw.unit() as f32).collect();
    let uniform = Tensor::f_from_slice(&uniform)?.f_reshape([n, t, 1])?;
    let below =
        logits.f_detach()?.f_softmax(-1, Kind::Float)?.f_cumsum(-1, Kind::Float)?.f_lt_tensor(&uniform)?;
    let words = below.f_to_kind(Kind::Int64)?.f_sum_dim_intlist(-1i64, false, Kind::Int64)?;
    Ok(words.f_clamp_max(logits.size()[2] - 1)?)
}
