//! The transformer as a function of its matrices.

use tch::{Device, Kind, Tensor};

use super::corpus::{Batch, LanguageConfig};
use crate::{draw::Draw, error::AttributionError, retraining::network::tensor};

/// Under the root of the normalisation.
const EPSILON: f64 = 1e-5;

/// Shapes of the matrices, outputs first: words, then four a layer (queries, keys and values together;
/// attention's output; feed-forward up; down), then the prediction. Positions come last, and are no map.
pub(super) fn shapes(config: &LanguageConfig) -> Vec<[usize; 2]> {
    let (d, f, v) = (config.width, config.feed_forward, config.vocabulary);
    let mut shapes = vec![[d, v]];
    for _ in 0..config.layers {
        shapes.extend([[3 * d, d], [d, d], [f, d], [d, f]]);
    }
    shapes.push([v, d]);
    shapes.push([config.row_words, d]);
    shapes
}

/// Uniform with the variance 1/inputs, the words' and positions' of a tenth the size.
pub(super) fn initial(config: &LanguageConfig, draw: &mut Draw) -> Result<Vec<Tensor>, AttributionError> {
    let shapes = shapes(config);
    let last = shapes.len() - 1;
    let of = |(i, shape): (usize, &[usize; 2]), draw: &mut Draw| {
        let bound = if i == 0 || i == last { 0.3 } else { (3.0 / shape[1] as f64).sqrt() };
        let values: Vec<f32> =
            (0..shape[0] * shape[1]).map(|_| ((2.0 * draw.unit() - 1.0) * bound) as f32).collect();
        tensor(&values, shape)
    };
    shapes.iter().enumerate().map(|entry| of(entry, draw)).collect()
}

/// Logits `[n, t, vocabulary]`. Every matrix is `[out, in]`, or `[n, out, in]` with a copy for each row.
pub(super) fn forward(
    config: &LanguageConfig,
    matrices: &[Tensor],
    batch: &Batch,
) -> Result<Tensor, AttributionError> {
    let mut matrices = matrices.iter();
    let mut next = || matrices.next().ok_or_else(|| AttributionError::Invalid("too few matrices".into()));
    let (n, t) = batch.inputs.size2()?;
    let (d, heads) = (config.width as i64, config.heads as i64);
    let words = batch.inputs.f_one_hot(config.vocabulary as i64)?.f_to_kind(Kind::Float)?;
    let mut x = map(&words, next()?)?;
    let mut layers = vec![];
    for _ in 0..config.layers {
        layers.push([next()?, next()?, next()?, next()?]);
    }
    let (prediction, positions) = (next()?, next()?);
    x = x.f_add(&positions.f_narrow(-2, 0, t)?)?;
    let future = Tensor::f_ones([t, t], (Kind::Bool, Device::Cpu))?.f_triu(1)?;
    for [qkv, out, up, down] in layers {
        let mixed =
            map(&normed(&x)?, qkv)?.f_reshape([n, t, 3, heads, d / heads])?.f_permute([2, 0, 3, 1, 4])?;
        let (q, k, v) = (mixed.f_select(0, 0)?, mixed.f_select(0, 1)?, mixed.f_select(0, 2)?);
        let scores = q.f_matmul(&k.f_transpose(-2, -1)?)?.f_div_scalar(((d / heads) as f64).sqrt())?;
        let scores = scores.f_masked_fill(&future, f64::NEG_INFINITY)?.f_softmax(-1, Kind::Float)?;
        let seen = scores.f_matmul(&v)?.f_permute([0, 2, 1, 3])?.f_reshape([n, t, d])?;
        x = x.f_add(&map(&seen, out)?)?;
        x = x.f_add(&map(&map(&normed(&x)?, up)?.f_gelu("none")?, down)?)?;
    }
    map(&normed(&x)?, prediction)
}

/// `[n, t]` losses of predicting `targets`.
pub(super) fn token_losses(logits: &Tensor, targets: &Tensor) -> Result<Tensor, AttributionError> {
    let chosen = logits.f_log_softmax(-1, Kind::Float)?.f_gather(2, &targets.f_unsqueeze(2)?, false)?;
    Ok(chosen.f_squeeze_dim(2)?.f_neg()?)
}

fn map(x: &Tensor, matrix: &Tensor) -> Result<Tensor, AttributionError> {
    Ok(x.f_matmul(&matrix.f_transpose(-2, -1)?)?)
}

fn normed(x: &Tensor) -> Result<Tensor, AttributionError> {
    let square = x.f_square()?.f_mean_dim([-1i64].as_slice(), true, Kind::Float)?;
    Ok(x.f_mul(&square.f_add_scalar(EPSILON)?.f_rsqrt()?)?)
}
