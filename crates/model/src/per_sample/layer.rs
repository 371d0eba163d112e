//! One layer, forward with what its backward needs, and backward.

use openledger_matmul::{Lower, Right, add_mm, lower_mm, lower_product, mm_into, strided};
use tch::{Kind, Tensor};

use crate::{
    config::ModelConfig,
    error::ModelError,
    transformer::{BaseModel, Layer},
};

/// Sequences, padded tokens a sequence, and model width of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// `[T, T]`: minus infinity where a token may not look.
    mask: Tensor,
}

/// Room for what a layer needs while it is computed.
#[derive(Debug)]
pub(super) struct Scratch {
    /// `[M, ff]` each.
    wide: [Tensor; 2],
    /// `[M, d]`: what attention mixed, the normed input with the norm's weights, and on the way back what comes back at the
    /// normed inputs and at what attention mixed. None of these is needed once the next is written.
    narrow: Tensor,
    /// `[M, d + 2·kv]`
    at_qkv: Tensor,
    /// `[N, kv, group, T, T]` each: what comes back at attention's weights, and at its scores. Where a token may not look the
    /// first holds zeros or anything finite, and is multiplied with weights of zero.
    at_weights: Tensor,
    at_scores: Tensor,
}

impl Scratch {
    pub(super) fn new(config: &ModelConfig, shape: Shape, device: tch::Device) -> Result<Self, ModelError> {
        let rows = shape.n * shape.t;
        let weights = Heads::new(config, shape).weights();
        let ff = config.d_ff as i64;
        Ok(Self {
            wide: [strided(rows, ff, device)?, strided(rows, ff, device)?],
            narrow: strided(rows, shape.d, device)?,
            at_qkv: strided(rows, shape.d + 2 * config.kv_width() as i64, device)?,
            at_weights: Tensor::f_zeros(weights, (Kind::Float, device))?,
            at_scores: Tensor::f_empty(weights, (Kind::Float, device))?,
        })
    }
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

/// Room for what the forward of a layer leaves for the backward. It serves batch after batch of the same shape: memory that is
/// returned comes back from the system page by page, each cleared.
#[derive(Debug)]
pub(super) struct Kept {
    /// `[M, 1]`: what [`normalise`] multiplied the attention's and the feed-forward's input with.
    inverse: [Tensor; 2],
    /// `[M, d]` each.
    normed: [Tensor; 2],
    /// `[M, d + 2·kv]`
    qkv: Tensor,
    /// `[N, kv, group, T, T]`: where each token looks.
    weights: Tensor,
    /// `[M, 2·ff]`
    gate_up: Tensor,
    /// `[M, ff]`
    gated: Tensor,
}

impl Kept {
    pub(super) fn new(config: &ModelConfig, shape: Shape, device: tch::Device) -> Result<Self, ModelError> {
        let Shape { n, t, d } = shape;
        let room = |columns: i64| strided(n * t, columns, device);
        let heads = Heads::new(config, shape);
        Ok(Self {
            inverse: [room(1)?, room(1)?],
            normed: [room(d)?, room(d)?],
            qkv: room(d + 2 * config.kv_width() as i64)?,
            weights: Tensor::f_empty(heads.weights(), (Kind::Float, device))?,
            gate_up: room(2 * config.d_ff as i64)?,
            gated: room(config.d_ff as i64)?,
        })
    }
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
        let mask = model.causal_mask(shape.t, shape.t)?;
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
        kept: &mut Kept,
        scratch: &mut Scratch,
    ) -> Result<(), ModelError> {
        let Kept { inverse, normed, qkv, weights, gate_up, gated } = kept;
        let heads = Heads::new(config, shape);
        normalise_into(hidden, config.rms_epsilon, &mut inverse[0], &mut normed[0])?;
        mm_into(qkv, &normed[0], Right::Transposed(&self.qkv))?;
        heads.turn(qkv, &tables.turn)?;
        let [key, value] = [heads.keys(qkv)?, heads.values(qkv)?];
        let scale = (config.head_width() as f64).powf(-0.5);
        weights.f_copy_(&tables.mask.f_expand_as(&*weights)?)?;
        for at in 0..heads.group {
            lower_product(&mut weights.f_select(2, at)?, &heads.queries(qkv, at)?, &key, scale, true)?;
        }
        let _ = weights.f_internal_softmax_out(weights, -1, false)?;
        let mixed = &scratch.narrow;
        for at in 0..heads.group {
            let weights = weights.f_select(2, at)?;
            lower_mm(&mut heads.queries(mixed, at)?, Lower::Plain(&weights), &value, false)?;
        }
        add_mm(hidden, mixed, Right::Transposed(&layer.o))?;

        normalise_into(hidden, config.rms_epsilon, &mut inverse[1], &mut normed[1])?;
        let weighted = normed[1].f_mul_out(&scratch.narrow, &layer.ffn_norm)?;
        mm_into(gate_up, &weighted, Right::Transposed(&layer.gate_up))?;
        let width = config.d_ff as i64;
        let _ = gate_up.f_narrow(1, 0, width)?.f_silu_out(gated)?;
        let active = gated.f_mul_out(&scratch.wide[0], &gate_up.f_narrow(1, width, width)?)?;
        add_mm(hidden, &active, Right::Transposed(&layer.down))?;
        Ok(())
    }

    /// Takes `back` `[M, d]` from the layer's output to its input (unless `further` is false: nothing is
    /// below) and returns the gradients of the query's A and B and the value's A and B, a sequence each.
    pub(super) fn backward(
        &self,
        Pass { config, layer, tables, shape }: Pass<'_>,
        kept: &mut Kept,
        scratch: &mut Scratch,
        back: &mut Tensor,
        further: bool,
    ) -> Result<[Tensor; 4], ModelError> {
        let Kept { inverse, normed, qkv, weights, gate_up, gated } = kept;
        let width = config.d_ff as i64;
        let [mut at_active, at_gated] = scratch.wide.each_ref().map(Tensor::shallow_clone);
        mm_into(&mut at_active, back, Right::Plain(&layer.down))?;
        // What came in makes way for what comes back, while it is near.
        let at_gate_up = gate_up;
        let (gate, up) = (at_gate_up.f_narrow(1, 0, width)?, at_gate_up.f_narrow(1, width, width)?);
        let at_gated = at_active.f_mul_out(&at_gated, &up)?;
        let _ = at_active.f_mul_out(&up, gated)?;
        let _ = gate.f_silu_backward_grad_input(&gate, &at_gated)?;
        let mut at_normed = scratch.narrow.shallow_clone();
        mm_into(&mut at_normed, at_gate_up, Right::Plain(&layer.gate_up))?;
        let at_normed = at_normed.f_mul_(&layer.ffn_norm)?;
        normalise_back(back, at_normed, &normed[1], &inverse[1])?;

        let heads = Heads::new(config, shape);
        let [key, value] = [heads.keys(qkv)?, heads.values(qkv)?];
        let mut at_mixed = scratch.narrow.shallow_clone();
        mm_into(&mut at_mixed, back, Right::Plain(&layer.o))?;
        for at in 0..heads.group {
            let mut at_weights = scratch.at_weights.f_select(2, at)?;
            lower_product(&mut at_weights, &heads.queries(&at_mixed, at)?, &value, 1.0, false)?;
        }
        let at_scores = Tensor::f_internal_softmax_backward_data_out(
            &scratch.at_scores,
            &scratch.at_weights,
            weights,
            -1,
            Kind::Float,
        )?;
        let at_qkv = &scratch.at_qkv;
        let [mut at_key, mut at_value] = [heads.keys(at_qkv)?, heads.values(at_qkv)?];
        for at in 0..heads.group {
            let (at_scores, weights) = (at_scores.f_select(2, at)?, weights.f_select(2, at)?);
            let (query, at_mixed) = (heads.queries(qkv, at)?, heads.queries(&at_mixed, at)?);
            lower_mm(&mut heads.queries(at_qkv, at)?, Lower::Plain(&at_scores), &key, false)?;
            lower_mm(&mut at_key, Lower::Transposed(&at_scores), &query, at > 0)?;
            lower_mm(&mut at_value, Lower::Transposed(&weights), &at_mixed, at > 0)?;
        }
        heads.turn(at_qkv, &tables.turn_back)?;

        let gradients = self.adapter_gradients(config, shape, at_qkv, &normed[0])?;
        if further {
            let mut at_normed = at_mixed;
            mm_into(&mut at_normed, at_qkv, Right::Plain(&self.qkv))?;
            normalise_back(back, at_normed, &normed[0], &inverse[0])?;
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

    /// The shape of attention's weights.
    fn weights(self) -> [i64; 5] {
        let Self { shape: Shape { n, t, .. }, kv_heads, group, .. } = self;
        [n, kv_heads, group, t, t]
    }

    /// `[N, kv, T, w]` of the queries at the front of each row: of each key head, one of those that share it.
    fn queries(self, x: &Tensor, of_group: i64) -> Result<Tensor, ModelError> {
        let Self { shape: Shape { n, t, d }, kv_heads, group, width } = self;
        let x = x.f_narrow(1, 0, d)?.f_unflatten(1, [kv_heads, group, width])?.f_unflatten(0, [n, t])?;
        Ok(x.f_select(3, of_group)?.f_transpose(1, 2)?)
    }

    /// `[N, kv, T, w]` of the keys that follow them.
    fn keys(self, x: &Tensor) -> Result<Tensor, ModelError> {
        self.of_key_heads(x, self.shape.d)
    }

    /// `[N, kv, T, w]` of the values at the end.
    fn values(self, x: &Tensor) -> Result<Tensor, ModelError> {
        self.of_key_heads(x, self.shape.d + self.kv_heads * self.width)
    }

    fn of_key_heads(self, x: &Tensor, from: i64) -> Result<Tensor, ModelError> {
        let Self { shape: Shape { n, t, .. }, kv_heads, width, .. } = self;
        let x = x.f_narrow(1, from, kv_heads * width)?.f_unflatten(1, [kv_heads, width])?;
        Ok(x.f_unflatten(0, [n, t])?.f_transpose(1, 2)?)
    }
}

/// One over the root mean square of `[M, d]`'s rows, and the rows multiplied with it.
pub(super) fn normalise(x: &Tensor, epsilon: f64) -> Result<(Tensor, Tensor), ModelError> {
    let (mut inverse, mut normed) = (x.f_narrow(-1, 0, 1)?.f_empty_like()?, x.f_empty_like()?);
    normalise_into(x, epsilon, &mut inverse, &mut normed)?;
    Ok((inverse, normed))
}

fn normalise_into(
    x: &Tensor,
    epsilon: f64,
    inverse: &mut Tensor,
    normed: &mut Tensor,
) -> Result<(), ModelError> {
    let square = x.f_square()?.f_mean_dim(-1i64, true, Kind::Float)?;
    let _ = square.f_add_scalar(epsilon)?.f_rsqrt_out(inverse)?;
    let _ = x.f_mul_out(normed, inverse)?;
    Ok(())
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
