//! The damped inverse of the Gauss–Newton matrix, exact where it is steep.
//!
//! In the Kronecker-factored eigenbasis of every weight (see [`super::kronecker`]) nearly all curvature lies along a few
//! hundred of the parameters' directions, and the damping decides along the others. Among the directions steeper than a
//! part of the damping the matrix is taken in full and factored; along each of the others alone, as EK-FAC does. Of the
//! rows' curvature only the heaviest directions are summed (see [`super::directions`]).

use tch::{Device, Kind, Tensor};

use crate::{
    error::AttributionError,
    retraining::{
        directions::directions,
        kronecker::Kronecker,
        network::{Linearised, Site},
        products::{columns, row_blocks, row_products},
    },
};

/// A direction is steep from this part of the damping on. On the digits that is a quarter to a half of the parameters, and
/// scores are within 3 % of the exact matrix's.
const STEEP: f64 = 0.03;
/// The part of the curvature's trace that is summed.
const KEPT_TRACE: f64 = 0.98;
/// The most steep directions; their matrix takes 4·k² bytes.
const MAX_STEEP: usize = 6144;
/// Parts that the matrix of the steep directions is summed in: only its lower half is needed.
const STRIPES: i64 = 4;

/// A factored inverse.
#[derive(Debug)]
pub(crate) struct Steep {
    bases: Kronecker,
    /// `[p, 1]`: curvature along each direction, damped.
    damped: Tensor,
    /// The steep directions, ascending, and the factor of their damped matrix; nothing where none is steep.
    steep: Option<(Tensor, Tensor)>,
}

impl Steep {
    /// Takes and factors the curvature at a temperature of the softmax; nothing where too many directions are steep.
    pub(crate) fn new(
        model: &Linearised,
        temperature: f64,
        damping: f64,
    ) -> Result<Option<Self>, AttributionError> {
        Self::with_parts(model, temperature, damping, KEPT_TRACE, STEEP)
    }

    /// With other parts than the usual; with a kept trace of one and steep from zero on it is the exact inverse.
    pub(crate) fn with_parts(
        model: &Linearised,
        temperature: f64,
        damping: f64,
        kept_trace: f64,
        steep: f64,
    ) -> Result<Option<Self>, AttributionError> {
        if !(damping.is_finite() && damping > 0.0) {
            return Err(AttributionError::Invalid("damping must be positive".into()));
        }
        let rows = model.rows() as f64;
        let rows_directions = directions(model, temperature, kept_trace)?;
        let bases = Kronecker::of(&rows_directions, rows)?;
        let curvatures = bases.eigenvalues()?;
        let found = Vec::<f32>::try_from(&curvatures)?;
        let least = (steep * damping) as f32;
        let chosen: Vec<usize> = (0..found.len()).filter(|&at| found[at] >= least).collect();
        if chosen.len() > MAX_STEEP {
            return Ok(None);
        }
        let damped = curvatures.f_add_scalar(damping)?.f_unsqueeze(1)?;
        if chosen.is_empty() {
            return Ok(Some(Self { bases, damped, steep: None }));
        }
        let matrix = along(&bases.turn(&rows_directions)?, &chosen)?.f_div_scalar(rows)?;
        let _ = matrix.f_diagonal(0, 0, 1)?.f_add_scalar_(damping)?;
        let (factor, info) = matrix.f_linalg_cholesky_ex(false, false)?;
        let failed = info.f_int64_value(&[])?;
        if failed != 0 {
            return Err(AttributionError::NotPositiveDefinite(failed.unsigned_abs() as usize));
        }
        let chosen: Vec<i64> = chosen.into_iter().map(|at| at as i64).collect();
        Ok(Some(Self { bases, damped, steep: Some((Tensor::f_from_slice(&chosen)?, factor)) }))
    }

    /// `[n, t]`: products of the rows' gradients with the inverse applied to the tests', both as sites of one output a row.
    pub(crate) fn scores(&self, rows: &[Site], tests: &[Site]) -> Result<Tensor, AttributionError> {
        let tests = columns(&self.bases.turn(tests)?)?;
        let mut moved = tests.f_div(&self.damped)?;
        if let Some((steep, factor)) = &self.steep {
            let solved = tests.f_index_select(0, steep)?.f_cholesky_solve(factor, false)?;
            moved = moved.f_index_copy_(0, steep, &solved)?;
        }
        row_products(&self.bases.turn(rows)?, &moved)
    }
}

/// `[k, k]` sum of squares of the rows' derivatives along some parameters, ascending; the lower half alone is filled.
fn along(sites: &[Site], chosen: &[usize]) -> Result<Tensor, AttributionError> {
    let k = chosen.len() as i64;
    let rows = sites.first().map_or(0, |site| site.input.size()[0]);
    let places = places(sites, chosen)?;
    let matrix = Tensor::f_zeros([k, k], (Kind::Float, Device::Cpu))?;
    let stripe = (k + STRIPES - 1) / STRIPES;
    for (from, count) in row_blocks(rows, k) {
        let mut parts = Vec::with_capacity(sites.len());
        for (site, (output, input)) in sites.iter().zip(&places) {
            let across = |t: &Tensor| t.f_narrow(0, from, count)?.f_transpose(0, 1)?.f_contiguous();
            let outputs = across(&site.output.f_squeeze_dim(1)?)?.f_index_select(0, output)?;
            parts.push(across(&site.input)?.f_index_select(0, input)?.f_mul(&outputs)?);
        }
        let part = Tensor::f_cat(&parts, 0)?;
        for start in (0..k).step_by(stripe as usize) {
            let height = stripe.min(k - start);
            let upto = part.f_narrow(0, 0, start + height)?;
            let product = part.f_narrow(0, start, height)?.f_matmul(&upto.f_transpose(0, 1)?)?;
            let _ = matrix.f_narrow(0, start, height)?.f_narrow(1, 0, start + height)?.f_add_(&product)?;
        }
    }
    Ok(matrix)
}

/// For each site, the outputs and the inputs whose products are the chosen parameters.
fn places(sites: &[Site], chosen: &[usize]) -> Result<Vec<(Tensor, Tensor)>, AttributionError> {
    let mut rest = chosen;
    let mut start = 0;
    let mut places = Vec::with_capacity(sites.len());
    for site in sites {
        let inputs = site.shape().1;
        let end = start + site.parameters();
        let (own, later) = rest.split_at(rest.partition_point(|&at| (at as i64) < end));
        let list = |place: &dyn Fn(i64) -> i64| {
            Tensor::f_from_slice(&own.iter().map(|&at| place(at as i64 - start)).collect::<Vec<i64>>())
        };
        places.push((list(&|at| at / inputs)?, list(&|at| at % inputs)?));
        (rest, start) = (later, end);
    }
    Ok(places)
}
