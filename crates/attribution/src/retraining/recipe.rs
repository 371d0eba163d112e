//! What a task's training recipe does to a quadratic loss, along each direction of its curvature.

use crate::retraining::{scoring::weight_decay, task::ModelKind};

const MOMENTUM: f64 = 0.9;
const BATCH_ROWS: usize = 50;

/// For each curvature λ, where training from zero on `(λ + L2)/2·x² − x` ends: 1/(λ + L2) where it
/// converges, less where it stops before. That is the response to a small lasting pull, which a row's
/// gradient is.
pub(crate) fn responses(kind: ModelKind, rows: usize, curvatures: &[f64]) -> Vec<f32> {
    let (epochs, rate) = match kind {
        ModelKind::LogisticRegression => (0, 0.0),
        ModelKind::Mlp => (40, 0.1),
        ModelKind::Lora => (20, 0.01),
    };
    let steps = epochs * rows.div_ceil(BATCH_ROWS);
    curvatures
        .iter()
        .map(|&lambda| response(lambda.max(0.0) + weight_decay(kind), rate, steps) as f32)
        .collect()
}

fn response(curvature: f64, rate: f64, steps: usize) -> f64 {
    let converged = 1.0 / curvature;
    let (mut x, mut velocity) = (0.0f64, 0.0f64);
    for step in 0..steps {
        velocity = MOMENTUM * velocity + curvature * x - 1.0;
        x -= rate * (1.0 - step as f64 / steps as f64) * velocity;
    }
    // Too steep a direction oscillates; the real loss is flatter further out and settles.
    if steps > 0 && x.is_finite() && (0.0..=2.0 * converged).contains(&x) { x } else { converged }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steep_directions_converge_and_flat_ones_stop_early() {
        let steep = response(1.0, 0.1, 800);
        assert!((steep - 1.0).abs() < 1e-3, "{steep}");
        // Momentum 0.9 makes the rate tenfold; falling linearly halves it: x ≈ steps·rate·10/2.
        let flat = response(1e-6, 0.1, 800);
        assert!((flat / 400.0 - 1.0).abs() < 0.05, "{flat}");
        assert_eq!(responses(ModelKind::LogisticRegression, 1000, &[0.001]), [500.0]);
    }
}
