//! The softmax's curvature as a few directions of each row's logits.
//!
//! `diag(p) − p·pᵀ` is a sum of squares: pivoted Cholesky factorisation takes one direction after the other, always along
//! the class whose curvature still weighs most in the parameters. Where a model is all but sure of a row's class there is
//! next to nothing to take, so over all rows a fifth of the directions carry nearly all of the curvature's trace.

use tch::{Kind, Tensor};

use crate::{
    error::AttributionError,
    retraining::network::{Linearised, Site},
};

/// Directions of which none is left out, where there are no more of them.
const LEAST_DIRECTIONS: usize = 2048;
/// What is left of a row where its factorisation ends, as a part of what may be left out over all rows.
const LEFT_IN_A_ROW: f64 = 0.1;

/// Derivatives along the heaviest directions: sites of inputs `[m, in]` and outputs `[m, 1, out]` with
/// `Σ zᵢ·zᵢᵀ = Σ Jᵢᵀ (diag(pᵢ) − pᵢpᵢᵀ) Jᵢ` but for a part `1 − kept` of the trace. With `kept` one, or of
/// few rows, nothing is left out.
pub(crate) fn directions(
    model: &Linearised,
    temperature: f64,
    kept: f64,
) -> Result<Vec<Site>, AttributionError> {
    let (n, classes) = model.logits.size2()?;
    let probabilities = floats(&model.probabilities(temperature)?)?;
    let weights = floats(&squared_lengths(&model.sites)?)?;
    let (n, classes) = (n as usize, classes as usize);
    let variance = |(&p, &w): (&f32, &f32)| f64::from(p) * (1.0 - f64::from(p)) * f64::from(w);
    let mean = probabilities.iter().zip(&weights).map(variance).sum::<f64>() / n.max(1) as f64;
    let kept = if n * classes.saturating_sub(1) <= LEAST_DIRECTIONS { 1.0 } else { kept };
    let least = LEFT_IN_A_ROW * (1.0 - kept) * mean;
    let rows = probabilities.chunks_exact(classes).zip(weights.chunks_exact(classes));
    let found: Vec<Vec<f32>> = rows.map(|(p, weights)| factor(p, weights, least)).collect();
    let most = found.iter().map(|row| row.len() / classes).max().unwrap_or(0).max(1);

    let mut padded = vec![0.0f32; n * most * classes];
    for (place, row) in padded.chunks_exact_mut(most * classes).zip(&found) {
        place[..row.len()].copy_from_slice(row);
    }
    let shape = [n as i64, most as i64, classes as i64];
    let factors = Tensor::f_from_slice(&padded)?.f_reshape(shape)?.f_transpose(1, 2)?;
    let mixed = model.mixed(&factors)?;
    let chosen = heaviest(&floats(&squared_lengths(&mixed)?)?, kept);
    let rows: Vec<i64> = chosen.iter().map(|at| at / most as i64).collect();
    let (chosen, rows) = (Tensor::f_from_slice(&chosen)?, Tensor::f_from_slice(&rows)?);
    let pick = |site: &Site| -> Result<Site, AttributionError> {
        let (outputs, _) = site.shape();
        let output = site.output.f_reshape([-1, outputs])?.f_index_select(0, &chosen)?;
        Ok(Site { input: site.input.f_index_select(0, &rows)?, output: output.f_unsqueeze(1)? })
    };
    mixed.iter().map(pick).collect()
}

/// `[n, m]`: squared length over all parameters of each row's derivatives.
fn squared_lengths(sites: &[Site]) -> Result<Tensor, AttributionError> {
    let mut sum: Option<Tensor> = None;
    for site in sites {
        let square = |t: &Tensor| t.f_square()?.f_sum_dim_intlist(-1i64, false, Kind::Float);
        let part = square(&site.output)?.f_mul(&square(&site.input)?.f_unsqueeze(1)?)?;
        sum = Some(match sum {
            Some(mut sum) => sum.f_add_(&part)?,
            None => part,
        });
    }
    sum.ok_or_else(|| AttributionError::Invalid("a model without parameters".into()))
}

/// Columns of a factor of `diag(p) − p·pᵀ`, one after the other, until what is left weighs at most `least`.
fn factor(p: &[f32], weights: &[f32], least: f64) -> Vec<f32> {
    let classes = p.len();
    let mut left: Vec<f64> = p.iter().map(|&p| f64::from(p) * (1.0 - f64::from(p))).collect();
    // Rounding leaves this much of a matrix of rank `classes − 1`.
    let smallest = 1e-12 * left.iter().sum::<f64>();
    let mut columns: Vec<f32> = vec![];
    for done in 0..classes.saturating_sub(1) {
        let (mut pivot, mut heaviest, mut sum) = (0, 0.0, 0.0);
        for (class, (left, weight)) in left.iter().zip(weights).enumerate() {
            let weight = left * f64::from(*weight);
            sum += weight;
            if weight > heaviest {
                (pivot, heaviest) = (class, weight);
            }
        }
        if sum <= least || left[pivot] <= smallest {
            break;
        }
        let scale = 1.0 / left[pivot].sqrt();
        let start = done * classes;
        for class in 0..classes {
            let own = if class == pivot { 1.0 } else { 0.0 };
            let mut entry = f64::from(p[pivot]) * (own - f64::from(p[class]));
            for before in columns[..start].chunks_exact(classes) {
                entry -= f64::from(before[pivot]) * f64::from(before[class]);
            }
            entry *= scale;
            left[class] = (left[class] - entry * entry).max(0.0);
            columns.push(entry as f32);
        }
        left[pivot] = 0.0;
    }
    columns
}

/// Places of the largest masses that make up a part `kept` of their sum, in order of place.
fn heaviest(masses: &[f32], kept: f64) -> Vec<i64> {
    let mut order: Vec<usize> = (0..masses.len()).filter(|&at| masses[at] > 0.0).collect();
    order.sort_by(|&a, &b| masses[b].total_cmp(&masses[a]).then(a.cmp(&b)));
    if kept < 1.0 {
        let mut missing = kept * order.iter().map(|&at| f64::from(masses[at])).sum::<f64>();
        let needed = order.iter().take_while(|&&at| {
            let more = missing > 0.0;
            missing -= f64::from(masses[at]);
            more
        });
        let needed = needed.count().max(LEAST_DIRECTIONS);
        order.truncate(needed);
    }
    order.sort_unstable();
    order.into_iter().map(|at| at as i64).collect()
}

fn floats(tensor: &Tensor) -> Result<Vec<f32>, AttributionError> {
    Ok(Vec::<f32>::try_from(&tensor.f_contiguous()?.f_reshape([-1])?)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn columns_square_to_the_softmax_curvature(
            logits in proptest::collection::vec(-12.0f64..12.0, 2..12),
            weights in proptest::collection::vec(0.01f32..10.0, 12),
        ) {
            let sum: f64 = logits.iter().map(|z| z.exp()).sum();
            let p: Vec<f32> = logits.iter().map(|z| (z.exp() / sum) as f32).collect();
            let n = p.len();
            let columns = factor(&p, &weights[..n], 0.0);
            prop_assert!(columns.len() <= n * (n - 1));
            for (a, b) in (0..n * n).map(|at| (at / n, at % n)) {
                let own = if a == b { f64::from(p[a]) } else { 0.0 };
                let expected = own - f64::from(p[a]) * f64::from(p[b]);
                let found: f64 =
                    columns.chunks(n).map(|column| f64::from(column[a]) * f64::from(column[b])).sum();
                prop_assert!((found - expected).abs() < 1e-6, "{} {}", found, expected);
            }
        }
    }

    #[test]
    fn lightest_directions_are_left_out_up_to_the_allowed_part_of_the_trace() {
        let masses: Vec<f32> = (0..6000).map(|i| 0.998f32.powi((i * 7919) % 6000)).collect();
        let total: f64 = masses.iter().map(|&m| f64::from(m)).sum();
        let chosen = heaviest(&masses, 0.995);
        let sum: f64 = chosen.iter().map(|&at| f64::from(masses[at as usize])).sum();
        assert!(sum >= 0.995 * total && sum < 0.9951 * total);
        assert!(chosen.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(heaviest(&masses, 0.5).len(), LEAST_DIRECTIONS);
        assert_eq!(heaviest(&masses, 1.0).len(), 6000);
        assert_eq!(heaviest(&[0.0, 2.0, 0.0, 1.0], 0.1), [1, 3]);
    }

    #[test]
    fn row_that_the_model_is_sure_of_has_no_directions() {
        assert!(factor(&[1.0, 0.0, 0.0], &[1.0; 3], 0.0).is_empty());
        assert!(factor(&[0.999, 0.001, 0.0], &[1.0; 3], 0.01).is_empty());
        assert_eq!(factor(&[0.5, 0.5], &[1.0; 2], 0.0), [0.5, -0.5]);
    }
}
