//! Rows in 16 bits a number, kept as two planes of 8: a scan reads the coarse plane alone.
//!
//! A number is `scale · (256·coarse + fine)` with one scale a row. The scan multiplies the coarse plane
//! with a query in whole numbers, which no machine rounds, and knows how far off it can be; only rows
//! that may still be among the best are then multiplied exactly.

/// The largest `256·coarse + fine`.
const LIMIT: f32 = 127.0 * 256.0 + 127.0;
/// The most steps of a query's number in the scan.
const QUERY_STEPS: i32 = 2047;
/// Sums are taken in so many lanes, always the same, so that every machine gets the same bits.
const LANES: usize = 8;

/// Appends a row's planes and returns its scale. The row must be finite.
pub(crate) fn encode(row: &[f32], coarse: &mut Vec<i8>, fine: &mut Vec<i8>) -> f32 {
    let largest = row.iter().fold(0.0f32, |m, v| m.max(v.abs()));
    let scale = largest / LIMIT;
    let steps_per_unit = if scale > 0.0 { 1.0 / f64::from(scale) } else { 0.0 };
    for v in row {
        let steps = f64::from(*v) * steps_per_unit;
        // Rounds halves away from zero; the cast cuts off.
        let steps = (steps + 0.5f64.copysign(steps)) as i32;
        let steps = steps.clamp(-LIMIT as i32, LIMIT as i32);
        let high = (steps + 128) >> 8;
        coarse.push(high as i8);
        fine.push((steps - (high << 8)) as i8);
    }
    scale
}

/// The numbers of a row.
pub(crate) fn decode<'a>(scale: f32, coarse: &'a [i8], fine: &'a [i8]) -> impl Iterator<Item = f64> + 'a {
    coarse
        .iter()
        .zip(fine)
        .map(move |(&c, &f)| f64::from(scale) * f64::from((i32::from(c) << 8) + i32::from(f)))
}

/// A query, ready for any number of rows.
#[derive(Debug)]
pub(crate) struct Query {
    exact: Vec<f64>,
    steps: Vec<i16>,
    /// What a coarse product is multiplied by, besides the row's scale.
    coarse_scale: f64,
    /// How far a scaled coarse product can be off, besides the row's scale.
    coarse_error: f64,
}

impl Query {
    /// From finite numbers.
    pub(crate) fn new(query: &[f32]) -> Self {
        let exact: Vec<f64> = query.iter().map(|&v| f64::from(v)).collect();
        let largest = exact.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        let most = QUERY_STEPS.min(i32::MAX / (128 * exact.len().max(1) as i32));
        let step = if largest > 0.0 { largest / f64::from(most) } else { 1.0 };
        let steps: Vec<i16> = exact.iter().map(|v| (v / step).round() as i16).collect();
        let off: f64 = exact.iter().zip(&steps).map(|(v, s)| (v - step * f64::from(*s)).powi(2)).sum();
        let length_1: f64 = exact.iter().map(|v| v.abs()).sum();
        // |fine| ≤ 128, and the coarse plane is no longer than 127·√n; the last part is for rounding.
        let plane = 256.0 * 127.0 * (exact.len() as f64).sqrt();
        let coarse_error = (128.0 * length_1 + plane * off.sqrt()) * (1.0 + 1e-9);
        Self { exact, steps, coarse_scale: 256.0 * step, coarse_error }
    }

    pub(crate) fn len(&self) -> usize {
        self.exact.len()
    }

    /// The largest product that a row can have, from its coarse plane alone.
    pub(crate) fn upper_bound(&self, scale: f32, coarse: &[i8]) -> f64 {
        // Bounded by `most` in `new`; checks for overflow would keep it from being done many numbers at a time.
        let add = |sum: i32, (&c, &q): (&i8, &i16)| sum.wrapping_add(i32::from(c) * i32::from(q));
        let product = coarse.iter().zip(&self.steps).fold(0, add);
        f64::from(scale) * (f64::from(product) * self.coarse_scale + self.coarse_error)
    }

    /// The product with a row.
    pub(crate) fn product(&self, scale: f32, coarse: &[i8], fine: &[i8]) -> f64 {
        let whole = |c: i8, f: i8| f64::from((i32::from(c) << 8) + i32::from(f));
        let mut lanes = [0.0; LANES];
        let rows = coarse.chunks(LANES).zip(fine.chunks(LANES)).zip(self.exact.chunks(LANES));
        for ((coarse, fine), query) in rows {
            for (lane, ((&c, &f), q)) in lanes.iter_mut().zip(coarse.iter().zip(fine).zip(query)) {
                *lane += whole(c, f) * q;
            }
        }
        f64::from(scale) * lanes.iter().sum::<f64>()
    }

    /// The product with numbers in f64.
    pub(crate) fn product_with(&self, numbers: &[f64]) -> f64 {
        let mut lanes = [0.0; LANES];
        let (a, b) = (numbers.chunks_exact(LANES), self.exact.chunks_exact(LANES));
        let rest: f64 = a.remainder().iter().zip(b.remainder()).map(|(x, y)| x * y).sum();
        for (a, b) in a.zip(b) {
            for lane in 0..LANES {
                lanes[lane] += a[lane] * b[lane];
            }
        }
        lanes.iter().sum::<f64>() + rest
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn planes(row: &[f32]) -> (f32, Vec<i8>, Vec<i8>) {
        let (mut coarse, mut fine) = (vec![], vec![]);
        let scale = encode(row, &mut coarse, &mut fine);
        (scale, coarse, fine)
    }

    proptest! {
        #[test]
        fn a_number_is_off_by_half_a_step_of_65278_at_most(
            row in proptest::collection::vec(-1e3f32..1e3, 1..80), power in -30i32..30,
        ) {
            let row: Vec<f32> = row.iter().map(|v| v * 2f32.powi(power)).collect();
            let (scale, coarse, fine) = planes(&row);
            let largest = row.iter().fold(0.0f32, |m, v| m.max(v.abs()));
            for (a, b) in row.iter().zip(decode(scale, &coarse, &fine)) {
                prop_assert!((f64::from(*a) - b).abs() <= f64::from(largest) / 65278.0 * 1.01);
            }
        }

        #[test]
        fn no_product_exceeds_what_the_coarse_plane_says(
            row in proptest::collection::vec(-1f32..1.0, 1..200), seed in 0u64..1000,
        ) {
            let query: Vec<f32> = (0..row.len() as u64)
                .map(|i| ((i * 2_654_435_761 + seed * 40_503) % 1000) as f32 / 500.0 - 1.0)
                .collect();
            let query = Query::new(&query);
            let (scale, coarse, fine) = planes(&row);
            let product = query.product(scale, &coarse, &fine);
            prop_assert!(product <= query.upper_bound(scale, &coarse));
            let numbers: Vec<f64> = decode(scale, &coarse, &fine).collect();
            prop_assert!((product - query.product_with(&numbers)).abs() < 1e-9);
        }
    }

    #[test]
    fn rows_of_zeros_and_of_the_smallest_numbers_stay_finite() {
        for row in [vec![0.0; 9], vec![f32::MIN_POSITIVE / 8.0; 9], vec![f32::MAX; 9]] {
            let (scale, coarse, fine) = planes(&row);
            assert!(decode(scale, &coarse, &fine).all(f64::is_finite));
            let query = Query::new(&[1.0; 9]);
            assert!(query.product(scale, &coarse, &fine) <= query.upper_bound(scale, &coarse));
        }
    }
}
