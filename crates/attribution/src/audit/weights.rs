//! A base model's weights and an adapter's, as the scalar kernel reads them.

use openledger_model::{Adapter, Gguf, ModelConfig};
use tch::{Device, Kind, Tensor};

use super::arithmetic::Matrix;
use crate::error::AttributionError;

/// A base model's weights, as its file has them: dequantised to f32, which is exact.
#[derive(Debug)]
pub struct Weights {
    pub(super) config: ModelConfig,
    pub(super) embedding: Matrix,
    pub(super) layers: Vec<Layer>,
    pub(super) output_norm: Vec<f32>,
}

/// One layer's weights, matrices as `[out, in]`.
#[derive(Debug)]
pub(super) struct Layer {
    pub(super) attention_norm: Vec<f32>,
    pub(super) q: Matrix,
    pub(super) k: Matrix,
    pub(super) v: Matrix,
    pub(super) o: Matrix,
    pub(super) ffn_norm: Vec<f32>,
    pub(super) gate: Matrix,
    pub(super) up: Matrix,
    pub(super) down: Matrix,
}

/// An adapter on the query and value projections of the upper layers.
#[derive(Debug, Clone)]
pub struct ScalarLora {
    pub(super) first_layer: usize,
    pub(super) scale: f64,
    pub(super) layers: Vec<[Matrix; 4]>,
}

impl Weights {
    /// Reads a model file.
    pub fn from_gguf(gguf: &Gguf) -> Result<Self, AttributionError> {
        let config = ModelConfig::from_gguf(gguf)?;
        let (d, kv, ff) = (config.d_model, config.kv_width(), config.d_ff);
        let vector = |name: &str| -> Result<Vec<f32>, AttributionError> {
            Ok(gguf.tensor_f32(name, &[d as u64]).map_err(openledger_model::ModelError::from)?)
        };
        let matrix = |name: &str, rows: usize, columns: usize| -> Result<Matrix, AttributionError> {
            let values = gguf
                .tensor_f32(name, &[rows as u64, columns as u64])
                .map_err(openledger_model::ModelError::from)?;
            Ok(Matrix { rows, columns, values })
        };
        let mut layers = Vec::with_capacity(config.n_layers);
        for i in 0..config.n_layers {
            let name = |part: &str| format!("blk.{i}.{part}.weight");
            layers.push(Layer {
                attention_norm: vector(&name("attn_norm"))?,
                q: unpermuted(&matrix(&name("attn_q"), d, d)?, config.n_heads),
                k: unpermuted(&matrix(&name("attn_k"), kv, d)?, config.n_kv_heads),
                v: matrix(&name("attn_v"), kv, d)?,
                o: matrix(&name("attn_output"), d, d)?,
                ffn_norm: vector(&name("ffn_norm"))?,
                gate: matrix(&name("ffn_gate"), ff, d)?,
                up: matrix(&name("ffn_up"), ff, d)?,
                down: matrix(&name("ffn_down"), d, ff)?,
            });
        }
        let embedding = matrix("token_embd.weight", config.vocab_size, d)?;
        let output_norm = vector("output_norm.weight")?;
        Ok(Self { config, embedding, layers, output_norm })
    }
}

impl ScalarLora {
    /// An adapter's numbers.
    pub fn new(adapter: &Adapter) -> Result<Self, AttributionError> {
        let lora = adapter.lora();
        let mut matrices = Vec::with_capacity(lora.tensors.len());
        for tensor in lora.tensors {
            matrices.push(read(tensor)?);
        }
        let mut layers = Vec::new();
        let mut rest = matrices.into_iter();
        while let (Some(q_a), Some(q_b), Some(v_a), Some(v_b)) =
            (rest.next(), rest.next(), rest.next(), rest.next())
        {
            layers.push([q_a, q_b, v_a, v_b]);
        }
        Ok(Self { first_layer: lora.first_layer, scale: lora.scale, layers })
    }
}

fn read(tensor: &Tensor) -> Result<Matrix, AttributionError> {
    let (rows, columns) = tensor.size2()?;
    let flat = tensor.f_detach()?.f_to_device(Device::Cpu)?.f_to_kind(Kind::Float)?.f_contiguous()?;
    let values = Vec::<f32>::try_from(&flat.f_reshape([-1])?)?;
    Ok(Matrix { rows: rows as usize, columns: columns as usize, values })
}

/// The file has rotary pairs as neighbours; the two halves of a head belong apart.
fn unpermuted(weight: &Matrix, heads: usize) -> Matrix {
    let width = weight.rows / heads;
    let mut values = Vec::with_capacity(weight.values.len());
    for head in 0..heads {
        for half in 0..2 {
            for pair in 0..width / 2 {
                let row = head * width + pair * 2 + half;
                values.extend(&weight.values[row * weight.columns..(row + 1) * weight.columns]);
            }
        }
    }
    Matrix { rows: weight.rows, columns: weight.columns, values }
}
