//! Causal attention with rotary embedding and shared key heads, forwards and backwards.

use openledger_model::ModelConfig;

use super::arithmetic::{Tokens, add_scaled, dot};

/// Turns each head's vectors by their token's position; `direction` is 1, or −1 for the gradient.
pub(super) fn rotate(x: &mut Tokens, config: &ModelConfig, direction: f64) {
    let width = config.head_width();
    let half = width / 2;
    for token in 0..x.count() {
        let turns: Vec<(f64, f64)> = (0..half)
            .map(|i| {
                let exponent = -(i as f64) / half as f64;
                let angle = token as f64 * libm::pow(config.rope_theta, exponent);
                (libm::cos(angle), libm::sin(angle) * direction)
            })
            .collect();
        for head in x.get_mut(token).chunks_exact_mut(width) {
            let (real, imaginary) = head.split_at_mut(half);
            for ((a, b), (cos, sin)) in real.iter_mut().zip(imaginary).zip(&turns) {
                (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
            }
        }
    }
}

/// `softmax(q·kᵀ / √width) · v` for each query head.
pub(super) fn attend(q: &Tokens, k: &Tokens, v: &Tokens, config: &ModelConfig) -> Tokens {
    let width = config.head_width();
    let mut mixed = Tokens::zeros(q.count(), q.width);
    for head in 0..config.n_heads {
        let (at, shared) = places(head, config);
        for token in 0..q.count() {
            let weights = weights(q, k, token, at, shared, width);
            let to = &mut mixed.get_mut(token)[at..at + width];
            for (other, weight) in weights.iter().enumerate() {
                add_scaled(to, *weight, &v.get(other)[shared..shared + width]);
            }
        }
    }
    mixed
}

/// The gradients of [`attend`] in q, k and v.
pub(super) fn attend_back(
    d_mixed: &Tokens,
    q: &Tokens,
    k: &Tokens,
    v: &Tokens,
    config: &ModelConfig,
) -> [Tokens; 3] {
    let width = config.head_width();
    let scale = 1.0 / (width as f64).sqrt();
    let mut dq = Tokens::zeros(q.count(), q.width);
    let mut dk = Tokens::zeros(k.count(), k.width);
    let mut dv = Tokens::zeros(v.count(), v.width);
    for head in 0..config.n_heads {
        let (at, shared) = places(head, config);
        for token in 0..q.count() {
            let weights = weights(q, k, token, at, shared, width);
            let d = &d_mixed.get(token)[at..at + width];
            let d_weights: Vec<f64> =
                (0..weights.len()).map(|other| dot(d, &v.get(other)[shared..shared + width])).collect();
            let mean = dot(&weights, &d_weights);
            for (other, (weight, d_weight)) in weights.iter().zip(&d_weights).enumerate() {
                let d_score = weight * (d_weight - mean) * scale;
                add_scaled(&mut dv.get_mut(other)[shared..shared + width], *weight, d);
                let key = &k.get(other)[shared..shared + width];
                add_scaled(&mut dq.get_mut(token)[at..at + width], d_score, key);
                let query = &q.get(token)[at..at + width];
                add_scaled(&mut dk.get_mut(other)[shared..shared + width], d_score, query);
            }
        }
    }
    [dq, dk, dv]
}

/// Where a query head's numbers begin, and those of the key head that it shares.
const fn places(head: usize, config: &ModelConfig) -> (usize, usize) {
    let group = config.n_heads / config.n_kv_heads;
    (head * config.head_width(), head / group * config.head_width())
}

/// How much a token looks at each token up to itself.
fn weights(q: &Tokens, k: &Tokens, token: usize, at: usize, shared: usize, width: usize) -> Vec<f64> {
    let scale = 1.0 / (width as f64).sqrt();
    let query = &q.get(token)[at..at + width];
    let mut weights: Vec<f64> =
        (0..=token).map(|other| dot(query, &k.get(other)[shared..shared + width]) * scale).collect();
    let highest = weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    weights.iter_mut().for_each(|w| *w = libm::exp(*w - highest));
    let sum: f64 = weights.iter().sum();
    weights.iter_mut().for_each(|w| *w /= sum);
    weights
}
