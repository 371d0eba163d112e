//! One layer, forward with what its backward needs, and backward.

use openledger_matmul::{Right, add_mm, mm};
use tch::{Kind, Tensor};

use crate::{
    config::ModelConfig,
    error::ModelError,
    transformer::{BaseModel, Layer},
};

/// Sequences, padded tokens a sequence, and model width of a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) n: i64,
    pub(super) t: i64,
    pub(super) d: i64,
}

/// One layer's part of a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pass<'a> {
    pub(super) config: &'a ModelConfig,
    pub(super) layer: &'a Layer,
    pub(super) tables: &'a Tables,
    pub(super) shape: Shape,
}

/// What all layers of a batch share.
#[derive(Debug)]
pub(super) struct Tables {
    /// `[T, 1, w/2]` complex: the rotation of each position, and back with the scale of scores.
    turn: Tensor,
    turn_back: Tensor,
    /// `[group·T, T]`: minus infinity where a token may not look.
    mask: Tensor,
}

/// The query, key and value matrices with the adapter in them.
#[derive(Debug)]
pub(super) struct Merged {
    /// `[d + 2·kv, d]`, with the norm's weights; the rows of query and key are laid out so that the two
    /// numbers that turn together are neighbours.
    qkv: Tensor,
    /// `[2r, d]`: the query's and the value's A, with the norm's weights and the scale.
    a: Tensor,
    /// `[d, r]` with rows as `qkv` has them, and `[kv, r]`; both scaled.
    q_b: Tensor,
    v_b: Tensor,
    norm: Tensor,
    /// Puts rows of the query back in order.
    order: Tensor,
}

/// What the forward leaves for the backward.
#[derive(Debug)]
pub(super) struct Kept {
    inverse_1: Tensor,
    normed_1: Tensor,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    weights: Tensor,
    inverse_2: Tensor,
    normed_2: Tensor,
    gate_up: Tensor,
    gated: Tensor,
}

impl Tables {
    pub(super) fn new(model: &BaseModel, shape: Shape) -> Result<Self, ModelError> {
        let config = model.config();
        let half = config.head_width() as i64 / 2;
        let (cos, sin) = model.rope(shape.t)?;
        let (cos, sin) =
            (cos.f_narrow(1, 0, half)?.f_contiguous()?, sin.f_narrow(1, 0, half)?.f_contiguous()?);
        let turn = Tensor::f_complex(&cos, &sin)?.f_unsqueeze(1)?;
        let scale = (config.head_width() as f64).powf(-0.5);
        let back =
            Tensor::f_complex(&cos.f_mul_scalar(scale)?, &sin.f_mul_scalar(-scale)?)?.f_unsqueeze(1)?;
        let group = (config.n_heads / config.n_kv_heads) as i64;
        let mask = model.causal_mask(shape.t, shape.t)?.f_repeat([group, 1])?;
        Ok(Self { turn, turn_back: back, mask })
    }
}

impl Merged {
    pub(super) fn new(
        config: &ModelConfig,
        layer: &Layer,
        [q_a, q_b, v_a, v_b]: [&Tensor; 4],
        scale: f64,
    ) -> Result<Self, ModelError> {
        let (order, places) = interleaved(config, layer.q.device())?;
        let keys = order.f_narrow(0, 0, config.kv_width() as i64)?;
        let merged = |w: &Tensor, a: &Tensor, b: &Tensor| w.f_add(&b.f_matmul(a)?.f_mul_scalar(scale)?);
        let q = merged(&layer.q, q_a, q_b)?.f_index_select(0, &order)?;
        let k = layer.k.f_index_select(0, &keys)?;
        let v = merged(&layer.v, v_a, v_b)?;
        let norm = layer.attention_norm.shallow_clone();
        let qkv = Tensor::f_cat(&[q, k, v], 0)?.f_mul(&norm)?;
        let a = Tensor::f_cat(&[q_a, v_a], 0)?.f_mul(&norm)?.f_mul_scalar(scale)?;
        let q_b = q_b.f_index_select(0, &order)?.f_mul_scalar(scale)?;
        Ok(Self { qkv, a, q_b, v_b: v_b.f_mul_scalar(scale)?, norm, order: places })
    }

    /// Adds the layer's output to `hidden` `[M, d]`.
    pub(super) fn forward(
        &self,
        Pass { config, layer, tables, shape }: Pass<'_>,
        hidden: &mut Tensor,
    ) -> Result<Kept, ModelError> {
        let heads = Heads::new(config, shape);
        let (inverse_1, normed_1) = normalise(hidden, config.rms_epsilon)?;
        let qkv = mm(&normed_1, Right::Transposed(&self.qkv))?;
        heads.turn(&qkv, &tables.turn)?;
        let (q, k, v) = heads.split(&qkv)?;
        let scale = (config.head_width() as f64).powf(-0.5);
        let scores = tables.mask.f_baddbmm(&q, &k.f_transpose(1, 2)?, 1.0, scale)?;
        let weights = scores.f_softmax(-1, Kind::Float)?;
        let mixed = heads.merge(&weights.f_bmm(&v)?)?;
        add_mm(hidden, &mixed, Right::Transposed(&layer.o))?;

        let (inverse_2, normed_2) = normalise(hidden, config.rms_epsilon)?;
        let gate_up = mm(&normed_2.f_mul(&layer.ffn_norm)?, Right::Transposed(&layer.gate_up))?;
        let width = config.d_ff as i64;
        let gated = gate_up.f_narrow(1, 0, width)?.f_silu()?;
        let active = gated.f_mul(&gate_up.f_narrow(1, width, width)?)?;
        add_mm(hidden, &active, Right::Transposed(&layer.down))?;
        Ok(Kept { inverse_1, normed_1, q, k, v, weights, inverse_2, normed_2, gate_up, gated })
    }

    /// Takes `back` `[M, d]` from the layer's output to its input (unless `further` is false: nothing is
    /// below) and returns the gradients of the query's A and B and the value's A and B, a sequence each.
    pub(super) fn backward(
        &self,
        Pass { config, layer, tables, shape }: Pass<'_>,
        kept: Kept,
        back: &mut Tensor,
        further: bool,
    ) -> Result<[Tensor; 4], ModelError> {
        let width = config.d_ff as i64;
        let at_active = mm(back, Right::Plain(&layer.down))?;
        // What came in makes way for what comes back, while it is near.
        let at_gate_up = kept.gate_up;
        let (gate, up) = (at_gate_up.f_narrow(1, 0, width)?, at_gate_up.f_narrow(1, width, width)?);
        let at_gated = at_active.f_mul(&up)?;
        let _ = at_active.f_mul_out(&up, &kept.gated)?;
        let _ = gate.f_silu_backward_grad_input(&gate, &at_gated)?;
        let at_normed = mm(&at_gate_up, Right::Plain(&layer.gate_up))?.f_mul(&layer.ffn_norm)?;
        normalise_back(back, at_normed, &kept.normed_2, &kept.inverse_2)?;

        let heads = Heads::new(config, shape);
        let at_mixed = heads.group(&mm(back, Right::Plain(&layer.o))?)?;
        let at_v = kept.weights.f_transpose(1, 2)?.f_bmm(&at_mixed)?;
        let at_weights = at_mixed.f_bmm(&kept.v.f_transpose(1, 2)?)?;
        let at_scores =
            Tensor::f_internal_softmax_backward_data(&at_weights, &kept.weights, -1, Kind::Float)?;
        let at_q = at_scores.f_bmm(&kept.k)?;
        let at_k = at_scores.f_transpose(1, 2)?.f_bmm(&kept.q)?;
        let at_qkv = heads.join(&at_q, &at_k, &at_v)?;
        heads.turn(&at_qkv, &tables.turn_back)?;

        let gradients = self.adapter_gradients(config, shape, &at_qkv, &kept.normed_1)?;
        if further {
            let at_normed = mm(&at_qkv, Right::Plain(&self.qkv))?;
            normalise_back(back, at_normed, &kept.normed_1, &kept.inverse_1)?;
        }
        Ok(gradients)
    }

    fn adapter_gradients(
        &self,
        config: &ModelConfig,
        shape: Shape,
        at_qkv: &Tensor,
        normed: &Tensor,
    ) -> Result<[Tensor; 4], ModelError> {
        let Shape { n, t, d } = shape;
        let (kv, rank) = (config.kv_width() as i64, self.q_b.size()[1]);
        let (at_q, at_v) = (at_qkv.f_narrow(1, 0, d)?, at_qkv.f_narrow(1, d + kv, kv)?);
        let down = normed.f_mm(&self.a.f_transpose(0, 1)?)?.f_view([n, t, 2 * rank])?;
        let across = |at: &Tensor| at.f_unflatten(0, [n, t])?.f_transpose(1, 2);
        let q_b = across(&at_q)?.f_bmm(&down.f_narrow(2, 0, rank)?)?.f_index_select(1, &self.order)?;
        let v_b = across(&at_v)?.f_bmm(&down.f_narrow(2, rank, rank)?)?;
        let up =
            Tensor::f_cat(&[at_q.f_mm(&self.q_b)?, at_v.f_mm(&self.v_b)?], 1)?.f_view([n, t, 2 * rank])?;
        let a = up.f_transpose(1, 2)?.f_bmm(&normed.f_view([n, t, d])?)?.f_mul(&self.norm)?;
        Ok([a.f_narrow(1, 0, rank)?, q_b, a.f_narrow(1, rank, rank)?, v_b])
    }
}

/// How heads lie in a batch.
#[derive(Debug, Clone, Copy)]
struct Heads {
    shape: Shape,
    kv_heads: i64,
    group: i64,
    width: i64,
}

impl Heads {
    fn new(config: &ModelConfig, shape: Shape) -> Self {
        let (heads, kv_heads) = (config.n_heads as i64, config.n_kv_heads as i64);
        Self { shape, kv_heads, group: heads / kv_heads, width: config.head_width() as i64 }
    }

    /// Turns query and key in `[M, d + 2·kv]` in place.
    fn turn(self, qkv: &Tensor, by: &Tensor) -> Result<(), ModelError> {
        let Shape { n, t, .. } = self.shape;
        let turned = self.kv_heads * (self.group + 1);
        let pairs = qkv.f_view([n, t, turned + self.kv_heads, self.width / 2, 2])?.f_narrow(2, 0, turned)?;
        let _ = pairs.f_view_as_complex()?.f_mul_(by)?;
        Ok(())
    }

    /// `[N·kv, group·T, w]`, `[N·kv, T, w]` twice.
    fn split(self, qkv: &Tensor) -> Result<(Tensor, Tensor, Tensor), ModelError> {
        let kv = self.kv_heads * self.width;
        let d = self.shape.d;
        let q = self.group(&qkv.f_narrow(1, 0, d)?)?;
        let (k, v) = (self.keys(&qkv.f_narrow(1, d, kv)?)?, self.keys(&qkv.f_narrow(1, d + kv, kv)?)?);
        Ok((q, k, v))
    }

    /// `[M, d]` to `[N·kv, group·T, w]`: heads that share a key head are more rows of one product.
    fn group(self, x: &Tensor) -> Result<Tensor, ModelError> {
        let Self { shape: Shape { n, t, .. }, kv_heads, group, width } = self;
        let x = x.f_unflatten(1, [kv_heads, group, width])?.f_unflatten(0, [n, t])?;
        Ok(x.f_permute([0, 2, 3, 1, 4])?.f_reshape([n * kv_heads, group * t, width])?)
    }

    /// `[M, kv]` to `[N·kv, T, w]`.
    fn keys(self, x: &Tensor) -> Result<Tensor, ModelError> {
        let Self { shape: Shape { n, t, .. }, kv_heads, width, .. } = self;
        let x = x.f_unflatten(1, [kv_heads, width])?.f_unflatten(0, [n, t])?;
        Ok(x.f_permute([0, 2, 1, 3])?.f_reshape([n * kv_heads, t, width])?)
    }

    /// `[N·kv, group·T, w]` back to `[M, d]`.
    fn merge(self, x: &Tensor) -> Result<Tensor, ModelError> {
        let Shape { n, t, d } = self.shape;
        Ok(self.ungrouped(x)?.f_reshape([n * t, d])?)
    }

    fn ungrouped(self, x: &Tensor) -> Result<Tensor, ModelError> {
        let Self { shape: Shape { n, t, .. }, kv_heads, group, width } = self;
        Ok(x.f_view([n, kv_heads, group, t, width])?.f_permute([0, 3, 1, 2, 4])?)
    }

    /// Query, key and value as `[M, d + 2·kv]`.
    fn join(self, q: &Tensor, k: &Tensor, v: &Tensor) -> Result<Tensor, ModelError> {
        let Self { shape: Shape { n, t, d }, kv_heads, group, width } = self;
        let all = Tensor::f_empty([n, t, d + 2 * kv_heads * width], (Kind::Float, q.device()))?;
        let place = |from: i64, size: i64, shape: &[i64]| all.f_narrow(2, from, size)?.f_unflatten(2, shape);
        place(0, d, &[kv_heads, group, width])?.f_copy_(&self.ungrouped(q)?)?;
        let keys = |x: &Tensor| x.f_view([n, kv_heads, t, width])?.f_permute([0, 2, 1, 3]);
        let kv = kv_heads * width;
        place(d, kv, &[kv_heads, width])?.f_copy_(&keys(k)?)?;
        place(d + kv, kv, &[kv_heads, width])?.f_copy_(&keys(v)?)?;
        Ok(all.f_view([n * t, d + 2 * kv])?)
    }
}

/// One over the root mean square of `[M, d]`'s rows, and the rows multiplied with it.
pub(super) fn normalise(x: &Tensor, epsilon: f64) -> Result<(Tensor, Tensor), ModelError> {
    let square = x.f_square()?.f_mean_dim(-1i64, true, Kind::Float)?;
    let inverse = square.f_add_scalar(epsilon)?.f_rsqrt()?;
    let normed = x.f_mul(&inverse)?;
    Ok((inverse, normed))
}

/// Adds to `back` what comes back through [`normalise`].
pub(super) fn normalise_back(
    back: &mut Tensor,
    at_normed: Tensor,
    normed: &Tensor,
    inverse: &Tensor,
) -> Result<(), ModelError> {
    let along = at_normed.f_mul(normed)?.f_mean_dim(-1i64, true, Kind::Float)?;
    let mut at_normed = at_normed;
    let at = at_normed.f_addcmul_(normed, &along.f_neg()?)?;
    let _ = back.f_addcmul_(&at, inverse)?;
    Ok(())
}

/// The rows of query heads so that the halves of a head alternate, and the way back.
fn interleaved(config: &ModelConfig, device: tch::Device) -> Result<(Tensor, Tensor), ModelError> {
    let (width, half) = (config.head_width() as i64, config.head_width() as i64 / 2);
    let d = config.d_model as i64;
    let order: Vec<i64> = (0..d).map(|at| at / width * width + at % width / 2 + at % 2 * half).collect();
    let mut places = vec![0i64; order.len()];
    for (place, &row) in (0i64..).zip(&order) {
        places[row as usize] = place;
    }
    let tensor = |values: &[i64]| Tensor::f_from_slice(values)?.f_to_device(device);
    Ok((tensor(&order)?, tensor(&places)?))
}
