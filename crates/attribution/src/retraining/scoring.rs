//! Scores of one checkpoint by each method.

use tch::{Kind, Tensor};

use crate::{
    error::AttributionError,
    retraining::{
        curvature::{Curvature, Form, Inverse},
        kronecker::Kronecker,
        method::{Method, Settings},
        network::Linearised,
        recipe,
        steep::Steep,
        task::{ModelKind, Task},
    },
};

/// Directions of a weight's inputs, and of its outputs, that [`Method::Logra`] keeps.
const LOGRA_DIRECTIONS: i64 = 16;
/// Most parameters whose curvature is decomposed for [`Method::Unrolled`].
const MAX_EIGEN_PARAMETERS: i64 = 6144;

/// A checkpoint, linearised at the training and at the test rows.
#[derive(Debug)]
pub(crate) struct Checkpoint<'a> {
    task: &'a Task,
    train: Linearised,
    test: Linearised,
    /// The last curvature taken, with its temperature.
    curvature: Option<(f64, Curvature)>,
}

impl<'a> Checkpoint<'a> {
    pub(crate) fn new(task: &'a Task, index: usize) -> Result<Self, AttributionError> {
        let values = task
            .checkpoint(index)
            .ok_or_else(|| AttributionError::Invalid(format!("checkpoint {index} is not there")))?;
        let train = Linearised::new(task, values, &task.train)?;
        let test = Linearised::new(task, values, &task.test)?;
        let finite = |m: &Linearised| m.logits.f_isfinite()?.f_all()?.f_int64_value(&[]).map(|all| all == 1);
        if !finite(&train)? || !finite(&test)? {
            return Err(AttributionError::Invalid(format!("checkpoint {index} gives infinite logits")));
        }
        Ok(Self { task, train, test, curvature: None })
    }

    /// `[train, test]` scores.
    pub(crate) fn scores(&mut self, method: Method, settings: Settings) -> Result<Tensor, AttributionError> {
        let train = &self.train.residuals(&self.task.train_labels, settings.temperature)?;
        let test = &self.test.residuals(&self.task.test_labels, settings.test_temperature)?;
        match method {
            Method::GradDot => self.train.gradient_products(train, &self.test.gradients(test)?),
            Method::Auto => {
                let Settings { damping, temperature, .. } = settings;
                match Steep::new(&self.train, temperature, damping)? {
                    Some(inverse) => inverse.scores(&self.train.weighted(train)?, &self.test.weighted(test)?),
                    None => self.scores(Method::Ggn, settings),
                }
            }
            Method::Ggn => {
                let columns = self.test.gradients(test)?;
                let moved = self.inverse(settings)?.apply(&columns)?;
                self.train.gradient_products(train, &moved)
            }
            Method::SelfInfluence => {
                let columns = self.train.gradients(train)?;
                let moved = self.inverse(settings)?.apply(&columns)?;
                let own = columns.f_mul(&moved)?.f_sum_dim_intlist(0i64, false, Kind::Float)?;
                let (rows, tests) = (self.train.rows(), self.test.rows());
                Ok(own.f_unsqueeze(1)?.f_expand([rows, tests], false)?.f_contiguous()?)
            }
            Method::Unrolled => {
                let moved = self.unrolled(&self.test.gradients(test)?)?;
                self.train.gradient_products(train, &moved)
            }
            Method::Ekfac => {
                let blocks = Kronecker::new(&self.train)?;
                let moved = blocks.apply(&self.test.gradients(test)?, settings.damping)?;
                self.train.gradient_products(train, &moved)
            }
            Method::Datainf => self.datainf(train, &self.test.gradients(test)?, settings.damping),
            Method::Fisher => {
                fisher(&self.train.gradients(train)?, &self.test.gradients(test)?, settings.damping)
            }
            Method::Logra => {
                let directions = Kronecker::new(&self.train)?;
                let rows = directions.project(&self.train, LOGRA_DIRECTIONS)?;
                let tests = directions.project(&self.test, LOGRA_DIRECTIONS)?;
                fisher(&rows.gradients(train)?, &tests.gradients(test)?, settings.damping)
            }
            Method::Trak => {
                let (rows, missing) = margins(train)?;
                let (tests, _) = margins(test)?;
                let scores =
                    fisher(&self.train.gradients(&rows)?, &self.test.gradients(&tests)?, settings.damping)?;
                Ok(scores.f_mul(&missing)?)
            }
        }
    }

    fn curvature(&mut self, temperature: f64) -> Result<&Curvature, AttributionError> {
        let kept = self.curvature.take().filter(|(at, _)| *at == temperature);
        let curvature = match kept {
            Some((_, curvature)) => curvature,
            None => Curvature::new(&self.train, temperature)?,
        };
        Ok(&self.curvature.insert((temperature, curvature)).1)
    }

    fn inverse(&mut self, settings: Settings) -> Result<Inverse<'_>, AttributionError> {
        self.curvature(settings.temperature)?.inverse(settings.damping)
    }

    fn unrolled(&self, columns: &Tensor) -> Result<Tensor, AttributionError> {
        let parameters = self.train.parameters();
        if parameters > MAX_EIGEN_PARAMETERS {
            return Err(AttributionError::Invalid(format!(
                "unrolling decomposes at most {MAX_EIGEN_PARAMETERS} parameters, not {parameters}; use --method ggn"
            )));
        }
        let curvature = Curvature::in_form(&self.train, 1.0, Form::Primal)?;
        let (values, vectors) = curvature.into_matrix().f_linalg_eigh("L")?;
        let values = Vec::<f64>::try_from(&values.f_to_kind(Kind::Double)?)?;
        let rows = self.train.rows() as usize;
        let filter: Vec<f32> = recipe::responses(self.task.kind, rows, &values);
        let filter = Tensor::f_from_slice(&filter)?.f_unsqueeze(1)?;
        let turned = vectors.f_transpose(0, 1)?.f_matmul(columns)?;
        Ok(vectors.f_matmul(&turned.f_mul(&filter)?)?)
    }

    /// `1/n Σᵢ (λ + gᵢgᵢᵀ)⁻¹` a weight, each inverse by Sherman–Morrison. Source: Kwon et al.,
    /// "DataInf" (2023); λ is a fraction of the mean squared number of a gradient.
    fn datainf(&self, train: &Tensor, tests: &Tensor, damping: f64) -> Result<Tensor, AttributionError> {
        let rows = self.train.gradients(train)?;
        let lambda = damping * rows.f_square()?.f_mean(Kind::Double)?.f_double_value(&[])?;
        let lambda = lambda.max(f64::from(f32::MIN_POSITIVE));
        let mut start = 0;
        let mut total: Option<Tensor> = None;
        for site in &self.train.sites {
            let size = site.parameters();
            let (g, t) = (rows.f_narrow(0, start, size)?, tests.f_narrow(0, start, size)?);
            start += size;
            let squares = g.f_mul(&g)?.f_sum_dim_intlist(0i64, false, Kind::Float)?;
            let products = g.f_transpose(0, 1)?.f_matmul(&t)?;
            let shrunk = products.f_div(&squares.f_add_scalar(lambda)?.f_unsqueeze(1)?)?;
            let moved = t.f_sub(&g.f_matmul(&shrunk)?.f_div_scalar(self.train.rows() as f64)?)?;
            let part = g.f_transpose(0, 1)?.f_matmul(&moved)?.f_div_scalar(lambda)?;
            total = Some(match total {
                Some(total) => total.f_add(&part)?,
                None => part,
            });
        }
        total.ok_or_else(|| AttributionError::Invalid("a model without parameters".into()))
    }
}

/// `gᵢᵀ (GGᵀ/n + λ)⁻¹ t` through the rows' Gram matrix, λ a fraction of the mean squared length over
/// the number of rows. Rows and tests are columns.
fn fisher(rows: &Tensor, tests: &Tensor, damping: f64) -> Result<Tensor, AttributionError> {
    let n = rows.size()[1];
    let across = rows.f_transpose(0, 1)?;
    let gram = across.f_matmul(rows)?.f_div_scalar(n as f64)?;
    let mean = gram.f_diagonal(0, 0, 1)?.f_mean(Kind::Double)?.f_double_value(&[])?;
    let lambda = (damping * mean).max(f64::from(f32::MIN_POSITIVE));
    let _ = gram.f_diagonal(0, 0, 1)?.f_add_scalar_(lambda)?;
    let (factor, info) = gram.f_linalg_cholesky_ex(false, false)?;
    let failed = info.f_int64_value(&[])?;
    if failed != 0 {
        return Err(AttributionError::NotPositiveDefinite(failed.unsigned_abs() as usize));
    }
    Ok(across.f_matmul(tests)?.f_cholesky_solve(&factor, false)?)
}

/// The margin `log p_y − log(1 − p_y)`'s derivative in the logits, from the loss's, and `1 − p_y`.
fn margins(residuals: &Tensor) -> Result<(Tensor, Tensor), AttributionError> {
    // The loss's derivative is p − e_y, so its own entry is −(1 − p_y): the only negative one.
    let missing = residuals.f_neg()?.f_amax([1i64].as_slice(), true)?.f_clamp_min(1e-12)?;
    Ok((residuals.f_div(&missing)?, missing))
}

/// L2 weight of a model's recipe.
pub(crate) const fn weight_decay(kind: ModelKind) -> f64 {
    match kind {
        ModelKind::LogisticRegression => 1e-3,
        ModelKind::Mlp | ModelKind::Lora => 1e-4,
    }
}
