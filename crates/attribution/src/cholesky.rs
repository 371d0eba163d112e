//! Cholesky factorisation in plain f64, in a fixed order of operations.

use crate::error::AttributionError;

/// The lower factor of a symmetric positive definite matrix.
#[derive(Debug, Clone)]
pub struct Cholesky {
    n: usize,
    /// Row-major; what lies above the diagonal is not used.
    lower: Vec<f64>,
}

impl Cholesky {
    /// Factors a row-major `n`×`n` matrix, of which only the lower triangle is read.
    pub fn factor(n: usize, mut matrix: Vec<f64>) -> Result<Self, AttributionError> {
        if n.checked_mul(n) != Some(matrix.len()) || n == 0 {
            return Err(AttributionError::Invalid(format!("{} numbers are no {n}×{n} matrix", matrix.len())));
        }
        for i in 0..n {
            let (above, row) = matrix.split_at_mut(i * n);
            let row = &mut row[..n];
            for j in 0..i {
                let other = &above[j * n..j * n + j + 1];
                let sum = dot(&row[..j], &other[..j]);
                row[j] = (row[j] - sum) / other[j];
            }
            let pivot = row[i] - dot(&row[..i], &row[..i]);
            if !(pivot.is_finite() && pivot > 0.0) {
                return Err(AttributionError::NotPositiveDefinite(i));
            }
            row[i] = pivot.sqrt();
        }
        Ok(Self { n, lower: matrix })
    }

    /// Solves for one right-hand side.
    pub fn solve(&self, right: &[f64]) -> Result<Vec<f64>, AttributionError> {
        let n = self.n;
        if right.len() != n {
            return Err(AttributionError::Invalid(format!("{} numbers for {n} rows", right.len())));
        }
        let mut x = right.to_vec();
        for i in 0..n {
            let row = &self.lower[i * n..i * n + i + 1];
            x[i] = (x[i] - dot(&row[..i], &x[..i])) / row[i];
        }
        for i in (0..n).rev() {
            x[i] /= self.lower[i * n + i];
            let value = x[i];
            for (j, entry) in x[..i].iter_mut().enumerate() {
                *entry -= self.lower[i * n + j] * value;
            }
        }
        Ok(x)
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn solution_of_a_damped_gram_matrix_satisfies_its_equations(
            g in proptest::collection::vec(-3.0f64..3.0, 7 * 4),
            right in proptest::collection::vec(-5.0f64..5.0, 7),
        ) {
            let rows: Vec<&[f64]> = g.chunks(4).collect();
            let mut matrix: Vec<f64> =
                (0..49).map(|at| dot(rows[at / 7], rows[at % 7])).collect();
            for i in 0..7 {
                matrix[i * 8] += 0.1;
            }
            let x = Cholesky::factor(7, matrix.clone()).unwrap().solve(&right).unwrap();
            for (row, expected) in matrix.chunks(7).zip(&right) {
                prop_assert!((dot(row, &x) - expected).abs() < 1e-8);
            }
        }
    }

    #[test]
    fn singular_and_misshapen_matrices_are_refused() {
        let singular = Cholesky::factor(2, vec![1.0, 1.0, 1.0, 1.0]);
        assert!(matches!(singular, Err(AttributionError::NotPositiveDefinite(1))));
        assert!(Cholesky::factor(2, vec![1.0; 3]).is_err());
        assert!(Cholesky::factor(0, vec![]).is_err());
        assert!(Cholesky::factor(1, vec![f64::NAN]).is_err());
        assert!(Cholesky::factor(1, vec![1.0]).unwrap().solve(&[1.0, 2.0]).is_err());
    }
}
