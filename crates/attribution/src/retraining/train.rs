//! Trains a task's model on some of its rows, by the recipe of its form.

use tch::{Kind, Tensor};

use crate::{
    draw::Draw,
    error::AttributionError,
    retraining::{
        network::{LORA_SCALE, tensor},
        scoring::weight_decay,
        task::{ModelKind, Task},
    },
};

const BATCH_ROWS: usize = 50;
const MOMENTUM: f64 = 0.9;
/// Full-batch steps of logistic regression: its loss is strongly convex, and these bring the gradient
/// of a thousand rows below 1e-4.
const CONVEX_STEPS: usize = 600;
const CONVEX_RATE: f64 = 0.5;

/// Parameters after training on `rows`, in the order of a checkpoint. Seeded: initial numbers and the
/// order of rows follow from `seed` alone.
pub fn train(task: &Task, rows: &[usize], seed: u64) -> Result<Vec<f32>, AttributionError> {
    let (total, _, inputs) = task.sizes();
    if rows.is_empty() || rows.iter().any(|&row| row >= total) {
        return Err(AttributionError::Invalid(format!("cannot train on {} rows of {total}", rows.len())));
    }
    let mut draw = Draw::new(seed);
    let mut weights = initial(task, &mut draw)?;
    let mut velocity = weights.iter().map(Tensor::f_zeros_like).collect::<Result<Vec<_>, _>>()?;
    let x = tensor(&task.train.values, &[total, inputs])?;
    let labels: Vec<i64> = task.train_labels.iter().map(|&label| label as i64).collect();
    let labels = Tensor::f_from_slice(&labels)?;
    let (epochs, rate, batch_rows) = match task.kind {
        ModelKind::LogisticRegression => (CONVEX_STEPS, CONVEX_RATE, rows.len()),
        ModelKind::Mlp => (40, 0.1, BATCH_ROWS),
        ModelKind::Lora => (20, 0.01, BATCH_ROWS),
    };
    let decay = weight_decay(task.kind);
    let steps = epochs * rows.len().div_ceil(batch_rows);
    let mut order: Vec<i64> = rows.iter().map(|&row| row as i64).collect();
    let mut step = 0;
    for _ in 0..epochs {
        if batch_rows < rows.len() {
            draw.shuffle(&mut order);
        }
        for batch in order.chunks(batch_rows) {
            let batch = Tensor::f_from_slice(batch)?;
            let (x, y) = (x.f_index_select(0, &batch)?, labels.f_index_select(0, &batch)?);
            let logits = logits(task, &weights, &x)?;
            let loss = cross_entropy(&logits, &y)?.f_mean(Kind::Float)?;
            let gradients = Tensor::f_run_backward(&[loss], &weights, false, false)?;
            let falling = match task.kind {
                ModelKind::LogisticRegression => rate,
                _ => rate * (1.0 - step as f64 / steps as f64),
            };
            let mut moved = Vec::with_capacity(weights.len());
            for ((weight, gradient), velocity) in weights.iter().zip(&gradients).zip(&mut velocity) {
                let weight = weight.f_detach()?;
                let gradient = gradient.f_add(&weight.f_mul_scalar(decay)?)?;
                *velocity = velocity.f_mul_scalar(MOMENTUM)?.f_add(&gradient)?;
                moved.push(weight.f_sub(&velocity.f_mul_scalar(falling)?)?.f_set_requires_grad(true)?);
            }
            weights = moved;
            step += 1;
        }
    }
    let flat = weights.iter().map(|w| w.f_detach()?.f_reshape([-1])).collect::<Result<Vec<_>, _>>()?;
    let parameters = Vec::<f32>::try_from(&Tensor::f_cat(&flat, 0)?)?;
    if !parameters.iter().all(|v| v.is_finite()) {
        return Err(AttributionError::Invalid("training diverged; look for rows of extreme values".into()));
    }
    Ok(parameters)
}

/// Losses of the test rows and the class that the model gives each, at some parameters.
pub fn test_losses(task: &Task, parameters: &[f32]) -> Result<(Vec<f32>, Vec<usize>), AttributionError> {
    let (_, tests, inputs) = task.sizes();
    let weights = split(task, parameters)?;
    let logits = logits(task, &weights, &tensor(&task.test.values, &[tests, inputs])?)?;
    let labels: Vec<i64> = task.test_labels.iter().map(|&label| label as i64).collect();
    let losses = cross_entropy(&logits, &Tensor::f_from_slice(&labels)?)?;
    let classes = Vec::<i64>::try_from(&logits.f_argmax(1, false)?)?;
    Ok((Vec::<f32>::try_from(&losses)?, classes.into_iter().map(|class| class as usize).collect()))
}

/// `[n]` losses of logits `[n, classes]`.
fn cross_entropy(logits: &Tensor, labels: &Tensor) -> Result<Tensor, AttributionError> {
    let chosen = logits.f_log_softmax(-1, Kind::Float)?.f_gather(1, &labels.f_unsqueeze(1)?, false)?;
    Ok(chosen.f_neg()?.f_reshape([-1])?)
}

/// The shapes of a model's parameters, in the order of a checkpoint.
fn shapes(task: &Task) -> Vec<Vec<usize>> {
    let (inputs, classes, width) = (task.train.shape[1], task.classes, task.width);
    match task.kind {
        ModelKind::LogisticRegression => vec![vec![classes, inputs], vec![classes]],
        ModelKind::Mlp => vec![vec![width, inputs], vec![width], vec![classes, width], vec![classes]],
        ModelKind::Lora => {
            let layers = task.frozen.iter();
            layers.flat_map(|l| [vec![width, l.shape[1]], vec![l.shape[0], width]]).collect()
        }
    }
}

fn initial(task: &Task, draw: &mut Draw) -> Result<Vec<Tensor>, AttributionError> {
    let mut weights = Vec::new();
    let mut inputs = 1;
    for (i, shape) in shapes(task).iter().enumerate() {
        inputs = shape.get(1).copied().unwrap_or(inputs);
        let bound = match task.kind {
            ModelKind::LogisticRegression => 0.0,
            ModelKind::Lora if i % 2 == 1 => 0.0,
            _ => 1.0 / (inputs as f64).sqrt(),
        };
        let values: Vec<f32> =
            (0..shape.iter().product()).map(|_| ((2.0 * draw.unit() - 1.0) * bound) as f32).collect();
        weights.push(tensor(&values, shape)?.f_set_requires_grad(true)?);
    }
    Ok(weights)
}

fn split(task: &Task, parameters: &[f32]) -> Result<Vec<Tensor>, AttributionError> {
    let mut rest = parameters;
    let mut weights = Vec::new();
    for shape in shapes(task) {
        let (taken, left) = rest
            .split_at_checked(shape.iter().product())
            .ok_or_else(|| AttributionError::Invalid("checkpoint is too short".into()))?;
        rest = left;
        weights.push(tensor(taken, &shape)?);
    }
    Ok(weights)
}

fn logits(task: &Task, weights: &[Tensor], x: &Tensor) -> Result<Tensor, AttributionError> {
    match (task.kind, weights) {
        (ModelKind::LogisticRegression, [weight, bias]) => Ok(x.f_linear(weight, Some(bias))?),
        (ModelKind::Mlp, [w1, b1, w2, b2]) => {
            Ok(x.f_linear(w1, Some(b1))?.f_relu()?.f_linear(w2, Some(b2))?)
        }
        (ModelKind::Lora, weights) => {
            let mut x = x.shallow_clone();
            for (i, (frozen, pair)) in task.frozen.iter().zip(weights.chunks_exact(2)).enumerate() {
                let update = pair[1].f_matmul(&pair[0])?.f_mul_scalar(LORA_SCALE)?;
                let weight = tensor(&frozen.weight, &frozen.shape)?.f_add(&update)?;
                x = x.f_linear(&weight, Some(&tensor(&frozen.bias, &[frozen.shape[0]])?))?;
                if i + 1 < task.frozen.len() {
                    x = x.f_relu()?;
                }
            }
            Ok(x)
        }
        _ => Err(AttributionError::Invalid("parameters do not fit the model".into())),
    }
}
