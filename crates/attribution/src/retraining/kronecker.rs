//! EK-FAC: a Kronecker-factored eigenbasis for every weight, with the eigenvalues of the true Fisher
//! matrix in that basis. Source: George et al., "Fast Approximate Natural Gradient Descent in a
//! Kronecker-factored Eigenbasis" (2018).

use tch::{Kind, Tensor};

use crate::{
    error::AttributionError,
    retraining::network::{Linearised, Site},
};

/// The factors of all weights.
#[derive(Debug)]
pub(crate) struct Kronecker {
    blocks: Vec<Block>,
}

#[derive(Debug)]
struct Block {
    /// `[out, out]` and `[in, in]`, a direction a column, the flattest first.
    outputs: Tensor,
    inputs: Tensor,
    /// `[out, in]` curvature along each pair of directions.
    eigenvalues: Tensor,
}

impl Kronecker {
    /// Of a model's exact curvature.
    pub(crate) fn new(model: &Linearised) -> Result<Self, AttributionError> {
        Self::of(&model.mixed(&model.curvature_factor(1.0)?)?, model.rows() as f64)
    }

    /// Of the curvature that is the sum of squares of derivatives, over `rows`.
    pub(crate) fn of(sites: &[Site], rows: f64) -> Result<Self, AttributionError> {
        let mut blocks = Vec::with_capacity(sites.len());
        for site in sites {
            let (outputs, _) = site.shape();
            let flat = site.output.f_reshape([-1, outputs])?;
            let (_, output_basis) = second_moment(&flat)?.f_linalg_eigh("L")?;
            let (_, input_basis) = second_moment(&site.input)?.f_linalg_eigh("L")?;
            let size = site.output.size();
            let turned = flat.f_matmul(&output_basis)?.f_square()?.f_reshape(size.as_slice())?;
            let turned = turned.f_sum_dim_intlist(1i64, false, Kind::Float)?;
            let inputs = site.input.f_matmul(&input_basis)?.f_square()?;
            let eigenvalues = turned.f_transpose(0, 1)?.f_matmul(&inputs)?.f_div_scalar(rows)?;
            blocks.push(Block { outputs: output_basis, inputs: input_basis, eigenvalues });
        }
        Ok(Self { blocks })
    }

    /// `[p]` curvature along each pair of directions of every weight.
    pub(crate) fn eigenvalues(&self) -> Result<Tensor, AttributionError> {
        let flat = self.blocks.iter().map(|block| block.eigenvalues.f_reshape([-1]));
        Ok(Tensor::f_cat(&flat.collect::<Result<Vec<_>, _>>()?, 0)?)
    }

    /// Derivatives along the directions in place of the parameters.
    pub(crate) fn turn(&self, sites: &[Site]) -> Result<Vec<Site>, AttributionError> {
        let turned = sites.iter().zip(&self.blocks).map(|(site, block)| {
            let (input, output) =
                (site.input.f_matmul(&block.inputs)?, site.output.f_matmul(&block.outputs)?);
            Ok(Site { input, output })
        });
        turned.collect()
    }

    /// The damped inverse applied to columns `[p, t]`; the damping is a fraction of a weight's mean
    /// eigenvalue.
    pub(crate) fn apply(&self, columns: &Tensor, damping: f64) -> Result<Tensor, AttributionError> {
        let t = columns.size()[1];
        let mut start = 0;
        let mut parts = Vec::with_capacity(self.blocks.len());
        for block in &self.blocks {
            let (outputs, inputs) = (block.outputs.size()[0], block.inputs.size()[0]);
            let part = columns.f_narrow(0, start, outputs * inputs)?.f_transpose(0, 1)?;
            start += outputs * inputs;
            let part = part.f_reshape([t, outputs, inputs])?;
            let mean = block.eigenvalues.f_mean(Kind::Double)?.f_double_value(&[])?;
            let lambda = (damping * mean).max(f64::from(f32::MIN_POSITIVE));
            let turned = block.outputs.f_transpose(0, 1)?.f_matmul(&part)?.f_matmul(&block.inputs)?;
            let turned = turned.f_div(&block.eigenvalues.f_add_scalar(lambda)?)?;
            let back = block.outputs.f_matmul(&turned)?.f_matmul(&block.inputs.f_transpose(0, 1)?)?;
            parts.push(back.f_reshape([t, outputs * inputs])?.f_transpose(0, 1)?);
        }
        Ok(Tensor::f_cat(&parts, 0)?)
    }

    /// A model whose weights are seen only along each side's `directions` steepest directions.
    pub(crate) fn project(
        &self,
        model: &Linearised,
        directions: i64,
    ) -> Result<Linearised, AttributionError> {
        let steepest = |basis: &Tensor| {
            let n = basis.size()[1];
            let kept = directions.min(n);
            basis.f_narrow(1, n - kept, kept)
        };
        let mut sites = Vec::with_capacity(self.blocks.len());
        for (site, block) in model.sites.iter().zip(&self.blocks) {
            sites.push(Site {
                input: site.input.f_matmul(&steepest(&block.inputs)?)?,
                output: site.output.f_matmul(&steepest(&block.outputs)?)?,
            });
        }
        Ok(Linearised { logits: model.logits.shallow_clone(), sites })
    }
}

/// `XᵀX/n` of rows; zero of none.
fn second_moment(rows: &Tensor) -> Result<Tensor, AttributionError> {
    Ok(rows.f_transpose(0, 1)?.f_matmul(rows)?.f_div_scalar(rows.size()[0].max(1) as f64)?)
}
