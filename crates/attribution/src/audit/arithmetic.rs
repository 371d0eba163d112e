//! Products and normalisation of small dense matrices, in a fixed order.

/// Partial sums of a product: enough for the processor to overlap them, and part of the result's definition.
const LANES: usize = 8;

/// A weight matrix `[rows, columns]` as it is stored: every f32 is an f64 exactly.
#[derive(Debug, Clone)]
pub(super) struct Matrix {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) values: Vec<f32>,
}

impl Matrix {
    fn row(&self, index: usize, into: &mut [f64]) {
        let row = &self.values[index * self.columns..(index + 1) * self.columns];
        into.iter_mut().zip(row).for_each(|(to, &from)| *to = from.into());
    }
}

/// A vector a token.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tokens {
    pub(super) width: usize,
    pub(super) values: Vec<f64>,
}

impl Tokens {
    pub(super) fn zeros(count: usize, width: usize) -> Self {
        Self { width, values: vec![0.0; count * width] }
    }

    pub(super) fn count(&self) -> usize {
        self.values.len() / self.width
    }

    pub(super) fn get(&self, token: usize) -> &[f64] {
        &self.values[token * self.width..(token + 1) * self.width]
    }

    pub(super) fn get_mut(&mut self, token: usize) -> &mut [f64] {
        &mut self.values[token * self.width..(token + 1) * self.width]
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.values.iter_mut().zip(&other.values).for_each(|(a, b)| *a += b);
    }

    pub(super) fn scale(&mut self, factor: f64) {
        self.values.iter_mut().for_each(|v| *v *= factor);
    }
}

/// Inner product.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.0; LANES];
    let (mut a, mut b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    for (x, y) in a.by_ref().zip(b.by_ref()) {
        for (lane, (x, y)) in lanes.iter_mut().zip(x.iter().zip(y)) {
            *lane += x * y;
        }
    }
    let rest: f64 = a.remainder().iter().zip(b.remainder()).map(|(x, y)| x * y).sum();
    lanes.iter().sum::<f64>() + rest
}

/// `to += factor · from`.
pub(super) fn add_scaled(to: &mut [f64], factor: f64, from: &[f64]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to += factor * from);
}

/// `x · Wᵀ`.
pub(super) fn linear(x: &Tokens, weight: &Matrix) -> Tokens {
    let mut out = Tokens::zeros(x.count(), weight.rows);
    let mut row = vec![0.0; weight.columns];
    for output in 0..weight.rows {
        weight.row(output, &mut row);
        for token in 0..x.count() {
            out.values[token * weight.rows + output] = dot(x.get(token), &row);
        }
    }
    out
}

/// `dy · W`: the gradient of [`linear`] in its input.
pub(super) fn linear_back(dy: &Tokens, weight: &Matrix) -> Tokens {
    let mut dx = Tokens::zeros(dy.count(), weight.columns);
    let mut row = vec![0.0; weight.columns];
    for output in 0..weight.rows {
        weight.row(output, &mut row);
        for token in 0..dy.count() {
            add_scaled(dx.get_mut(token), dy.values[token * weight.rows + output], &row);
        }
    }
    dx
}

/// `Σ dyᵀ · x` over tokens: the gradient of [`linear`] in its weight, `[outputs, inputs]`.
pub(super) fn outer(dy: &Tokens, x: &Tokens) -> Vec<f64> {
    let mut sum = vec![0.0; dy.width * x.width];
    for token in 0..x.count() {
        for (row, &factor) in sum.chunks_exact_mut(x.width).zip(dy.get(token)) {
            add_scaled(row, factor, x.get(token));
        }
    }
    sum
}

/// RMS normalisation: `x / √(mean x² + ε) · w`.
pub(super) fn normalise(x: &Tokens, weight: &[f32], epsilon: f64) -> Tokens {
    let mut out = Tokens::zeros(x.count(), x.width);
    for token in 0..x.count() {
        let row = x.get(token);
        let scale = inverse_rms(row, epsilon);
        for (to, (value, weight)) in out.get_mut(token).iter_mut().zip(row.iter().zip(weight)) {
            *to = value * scale * f64::from(*weight);
        }
    }
    out
}

/// The gradient of [`normalise`] in `x`.
pub(super) fn normalise_back(dy: &Tokens, x: &Tokens, weight: &[f32], epsilon: f64) -> Tokens {
    let mut dx = Tokens::zeros(x.count(), x.width);
    for token in 0..x.count() {
        let row = x.get(token);
        let scale = inverse_rms(row, epsilon);
        let g: Vec<f64> = dy.get(token).iter().zip(weight).map(|(d, w)| d * f64::from(*w)).collect();
        let along = dot(&g, row) * scale * scale / x.width as f64;
        for (to, (g, value)) in dx.get_mut(token).iter_mut().zip(g.iter().zip(row)) {
            *to = scale * (g - value * along);
        }
    }
    dx
}

fn inverse_rms(row: &[f64], epsilon: f64) -> f64 {
    1.0 / (dot(row, row) / row.len() as f64 + epsilon).sqrt()
}

/// `x · σ(x)` and its derivative.
pub(super) fn silu(x: f64) -> (f64, f64) {
    let sigmoid = 1.0 / (1.0 + libm::exp(-x));
    (x * sigmoid, sigmoid * (1.0 + x * (1.0 - sigmoid)))
}
