//! Products with a linearised model's derivatives that never form them.

use tch::{Kind, Tensor};

use crate::{
    error::AttributionError,
    retraining::network::{Linearised, Site},
};

/// Numbers that a pass over rows holds in an intermediate.
const BLOCK_NUMBERS: i64 = 1 << 23;

impl Linearised {
    /// `[n, classes]` class probabilities at a temperature.
    pub(crate) fn probabilities(&self, temperature: f64) -> Result<Tensor, AttributionError> {
        Ok(self.logits.f_div_scalar(temperature)?.f_softmax(-1, Kind::Float)?)
    }

    /// `[n, classes]`: the loss's derivative in the logits, at a temperature.
    pub(crate) fn residuals(&self, labels: &[usize], temperature: f64) -> Result<Tensor, AttributionError> {
        let labels: Vec<i64> = labels.iter().map(|&label| label as i64).collect();
        let classes = self.logits.size()[1];
        let right = Tensor::f_from_slice(&labels)?.f_one_hot(classes)?.f_to_kind(Kind::Float)?;
        Ok(self.probabilities(temperature)?.f_sub(&right)?)
    }

    /// `[n, classes, classes]` factor F of the softmax's curvature: `F·Fᵀ = diag(p) − p·pᵀ`.
    pub(crate) fn curvature_factor(&self, temperature: f64) -> Result<Tensor, AttributionError> {
        let p = self.probabilities(temperature)?;
        let root = p.f_sqrt()?;
        let outer = p.f_unsqueeze(2)?.f_mul(&root.f_unsqueeze(1)?)?;
        Ok(root.f_diag_embed(0, -2, -1)?.f_sub(&outer)?)
    }

    /// The same sites with a matrix `[n, classes, m]` applied to the class dimension.
    pub(crate) fn mixed(&self, matrix: &Tensor) -> Result<Vec<Site>, AttributionError> {
        let transposed = matrix.f_transpose(1, 2)?;
        self.sites
            .iter()
            .map(|site| {
                let output = transposed.f_bmm(&site.output)?;
                Ok(Site { input: site.input.shallow_clone(), output })
            })
            .collect()
    }

    /// Gradients of `Σ_c weights[n, c]·logit[n, c]`, as sites of one output a row.
    pub(crate) fn weighted(&self, weights: &Tensor) -> Result<Vec<Site>, AttributionError> {
        self.mixed(&weights.f_unsqueeze(2)?)
    }

    /// `[p, n]`: gradients of `Σ_c weights[n, c]·logit[n, c]`, a column a row.
    pub(crate) fn gradients(&self, weights: &Tensor) -> Result<Tensor, AttributionError> {
        columns(&self.weighted(weights)?)
    }

    /// `[n, t]`: products of the gradients that [`Self::gradients`] would give with columns `[p, t]`.
    pub(crate) fn gradient_products(
        &self,
        weights: &Tensor,
        columns: &Tensor,
    ) -> Result<Tensor, AttributionError> {
        row_products(&self.weighted(weights)?, columns)
    }
}

/// `[p, n]`: the derivatives of sites of one output a row, a column a row.
pub(crate) fn columns(sites: &[Site]) -> Result<Tensor, AttributionError> {
    Ok(derivatives(sites, 0, rows_of(sites))?.f_transpose(0, 1)?.f_contiguous()?)
}

/// `[n, t]`: products of the derivatives of sites of one output a row with columns `[p, t]`.
pub(crate) fn row_products(sites: &[Site], columns: &Tensor) -> Result<Tensor, AttributionError> {
    let blocks = row_blocks(rows_of(sites), columns.size()[0])
        .map(|(from, count)| Ok(derivatives(sites, from, count)?.f_matmul(columns)?));
    let blocks = blocks.collect::<Result<Vec<_>, AttributionError>>()?;
    Ok(Tensor::f_cat(&blocks, 0)?)
}

fn rows_of(sites: &[Site]) -> i64 {
    sites.first().map_or(0, |site| site.input.size()[0])
}

/// `[count, p]` derivatives of some rows of sites of one output a row.
fn derivatives(sites: &[Site], from: i64, count: i64) -> Result<Tensor, AttributionError> {
    let mut parts = Vec::with_capacity(sites.len());
    for site in sites {
        // [n, out, 1] × [n, 1, in]
        let output = site.output.f_narrow(0, from, count)?.f_transpose(1, 2)?;
        let outer = output.f_mul(&site.input.f_narrow(0, from, count)?.f_unsqueeze(1)?)?;
        parts.push(outer.f_reshape([count, -1])?);
    }
    Ok(Tensor::f_cat(&parts, 1)?)
}

/// `[n, m, t]`: products of sites whose outputs are `[n, m, out]` with columns `[p, t]`.
pub(crate) fn forward(sites: &[Site], columns: &Tensor) -> Result<Tensor, AttributionError> {
    let t = columns.size()[1];
    let mut start = 0;
    let mut sum: Option<Tensor> = None;
    for site in sites {
        let (outputs, inputs) = site.shape();
        let part = columns.f_narrow(0, start, outputs * inputs)?.f_reshape([outputs, inputs, t])?;
        let part = part.f_transpose(0, 1)?.f_reshape([inputs, outputs * t])?;
        start += outputs * inputs;
        let mut blocks = vec![];
        for (from, count) in row_blocks(site.input.size()[0], outputs * t) {
            let moved = site.input.f_narrow(0, from, count)?.f_matmul(&part)?;
            let moved = moved.f_reshape([count, outputs, t])?;
            blocks.push(site.output.f_narrow(0, from, count)?.f_bmm(&moved)?);
        }
        let product = Tensor::f_cat(&blocks, 0)?;
        sum = Some(match sum {
            Some(sum) => sum.f_add(&product)?,
            None => product,
        });
    }
    sum.ok_or_else(|| AttributionError::Invalid("a model without parameters".into()))
}

/// `[p, t]`: the transposed product, of `[n, m, t]` with sites whose outputs are `[n, m, out]`.
pub(crate) fn backward(sites: &[Site], values: &Tensor) -> Result<Tensor, AttributionError> {
    let t = values.size()[2];
    let mut parts = Vec::with_capacity(sites.len());
    for site in sites {
        let (outputs, inputs) = site.shape();
        let mut sum = Tensor::f_zeros([inputs, outputs * t], (Kind::Float, values.device()))?;
        for (from, count) in row_blocks(values.size()[0], outputs * t) {
            let output = site.output.f_narrow(0, from, count)?.f_transpose(1, 2)?;
            let moved = output.f_bmm(&values.f_narrow(0, from, count)?)?.f_reshape([count, outputs * t])?;
            sum = sum.f_addmm(&site.input.f_narrow(0, from, count)?.f_transpose(0, 1)?, &moved)?;
        }
        let part = sum.f_reshape([inputs, outputs, t])?.f_transpose(0, 1)?;
        parts.push(part.f_reshape([outputs * inputs, t])?);
    }
    Ok(Tensor::f_cat(&parts, 0)?)
}

/// Ranges of rows such that a block of so many numbers a row stays small.
pub(crate) fn row_blocks(rows: i64, numbers_a_row: i64) -> impl Iterator<Item = (i64, i64)> {
    let size = (BLOCK_NUMBERS / numbers_a_row.max(1)).max(1);
    (0..rows).step_by(size as usize).map(move |from| (from, size.min(rows - from)))
}
