//! The exact gradient of one sequence's loss in an adapter's numbers, by backpropagation written out.

use openledger_model::Sequence;

use super::{
    arithmetic::{
        Matrix, Tokens, add_scaled, dot, linear, linear_back, normalise, normalise_back, outer, silu,
    },
    attention::{attend, attend_back, rotate},
    weights::{Layer, ScalarLora, Weights},
};
use crate::error::AttributionError;

/// Tokens whose logits are held at a time: a vocabulary of them is large.
const LOGIT_TOKENS: usize = 32;

/// A sequence's gradient.
#[derive(Debug, Clone, PartialEq)]
pub struct ScalarGradient {
    /// Mean loss over the predicted tokens, nats.
    pub loss: f64,
    /// In the order of the adapter's tensors: for each layer, lowest first, A and B of the query, A and B of the value.
    pub values: Vec<f64>,
}

/// What a layer leaves for its backward pass.
struct Trace {
    input: Tokens,
    normed: Tokens,
    down: [Option<Tokens>; 2],
    q: Tokens,
    k: Tokens,
    v: Tokens,
    middle: Tokens,
    gate: Tokens,
    up: Tokens,
}

/// The gradient of the sequence's loss (the mean over its predicted tokens) in the adapter's numbers.
pub fn gradient(
    weights: &Weights,
    lora: &ScalarLora,
    sequence: &Sequence,
) -> Result<ScalarGradient, AttributionError> {
    let invalid = |what: &str| AttributionError::Invalid(what.to_owned());
    let (config, tokens) = (&weights.config, sequence.tokens());
    if tokens.iter().any(|&t| t as usize >= config.vocab_size) || tokens.len() > config.context_tokens {
        return Err(invalid("the sequence does not fit the model"));
    }
    if lora.first_layer + lora.layers.len() != config.n_layers {
        return Err(invalid("the adapter does not fit the model"));
    }
    // Nothing is predicted from the last token.
    let inputs = &tokens[..tokens.len() - 1];
    let mut hidden = Tokens::zeros(inputs.len(), config.d_model);
    for (at, &token) in inputs.iter().enumerate() {
        let row = &weights.embedding.values[token as usize * config.d_model..][..config.d_model];
        hidden.get_mut(at).iter_mut().zip(row).for_each(|(to, &from)| *to = from.into());
    }
    let mut traces = Vec::with_capacity(lora.layers.len());
    for (index, layer) in weights.layers.iter().enumerate() {
        let adapter = index.checked_sub(lora.first_layer).map(|at| &lora.layers[at]);
        let trace;
        (hidden, trace) = forward(weights, layer, adapter, lora.scale, hidden);
        if adapter.is_some() {
            traces.push(trace);
        }
    }
    let (loss, mut d_hidden) = loss_and_gradient(weights, &hidden, sequence);
    let mut layers = Vec::with_capacity(traces.len());
    for (index, trace) in traces.iter().enumerate().rev() {
        let layer = &weights.layers[lora.first_layer + index];
        let part;
        (d_hidden, part) =
            backward(weights, layer, &lora.layers[index], lora.scale, trace, d_hidden, index == 0);
        layers.push(part);
    }
    let values: Vec<f64> = layers.into_iter().rev().flatten().collect();
    if !loss.is_finite() || !values.iter().all(|v| v.is_finite()) {
        return Err(invalid("the gradient is not finite"));
    }
    Ok(ScalarGradient { loss, values })
}

fn forward(
    weights: &Weights,
    layer: &Layer,
    adapter: Option<&[Matrix; 4]>,
    scale: f64,
    input: Tokens,
) -> (Tokens, Trace) {
    let config = &weights.config;
    let normed = normalise(&input, &layer.attention_norm, config.rms_epsilon);
    let (mut q, k, mut v) = (linear(&normed, &layer.q), linear(&normed, &layer.k), linear(&normed, &layer.v));
    let mut down = [None, None];
    if let Some([q_a, q_b, v_a, v_b]) = adapter {
        for (place, (to, a, b)) in down.iter_mut().zip([(&mut q, q_a, q_b), (&mut v, v_a, v_b)]) {
            let low = linear(&normed, a);
            let mut update = linear(&low, b);
            update.scale(scale);
            to.add(&update);
            *place = Some(low);
        }
    }
    let mut k = k;
    rotate(&mut q, config, 1.0);
    rotate(&mut k, config, 1.0);
    let mixed = attend(&q, &k, &v, config);
    let mut middle = input.clone();
    middle.add(&linear(&mixed, &layer.o));
    let second = normalise(&middle, &layer.ffn_norm, config.rms_epsilon);
    let (gate, up) = (linear(&second, &layer.gate), linear(&second, &layer.up));
    let mut active = up.clone();
    active.values.iter_mut().zip(&gate.values).for_each(|(a, g)| *a *= silu(*g).0);
    let mut output = middle.clone();
    output.add(&linear(&active, &layer.down));
    (output, Trace { input, normed, down, q, k, v, middle, gate, up })
}

/// The gradient in the layer's input (zeros where it is not asked for) and in its adapter.
fn backward(
    weights: &Weights,
    layer: &Layer,
    [q_a, q_b, v_a, v_b]: &[Matrix; 4],
    scale: f64,
    trace: &Trace,
    d_output: Tokens,
    is_lowest: bool,
) -> (Tokens, Vec<f64>) {
    let config = &weights.config;
    let d_active = linear_back(&d_output, &layer.down);
    let (mut d_gate, mut d_up) = (d_active.clone(), d_active);
    for (at, (gate, up)) in trace.gate.values.iter().zip(&trace.up.values).enumerate() {
        let (value, slope) = silu(*gate);
        d_gate.values[at] *= up * slope;
        d_up.values[at] *= value;
    }
    let mut d_second = linear_back(&d_gate, &layer.gate);
    d_second.add(&linear_back(&d_up, &layer.up));
    let mut d_middle = d_output;
    d_middle.add(&normalise_back(&d_second, &trace.middle, &layer.ffn_norm, config.rms_epsilon));

    let d_mixed = linear_back(&d_middle, &layer.o);
    let [mut dq, mut dk, dv] = attend_back(&d_mixed, &trace.q, &trace.k, &trace.v, config);
    rotate(&mut dq, config, -1.0);
    rotate(&mut dk, config, -1.0);
    let mut gradients = Vec::new();
    let mut d_lows = Vec::with_capacity(2);
    for (d, (low, (_, b))) in [&dq, &dv].into_iter().zip(trace.down.iter().zip([(q_a, q_b), (v_a, v_b)])) {
        let mut d_low = linear_back(d, b);
        d_low.scale(scale);
        gradients.extend(outer(&d_low, &trace.normed));
        if let Some(low) = low {
            gradients.extend(outer(d, low).into_iter().map(|v| v * scale));
        }
        d_lows.push(d_low);
    }
    if is_lowest {
        return (Tokens::zeros(0, config.d_model), gradients);
    }
    let mut d_normed = linear_back(&dq, &layer.q);
    d_normed.add(&linear_back(&dk, &layer.k));
    d_normed.add(&linear_back(&dv, &layer.v));
    for (d_low, a) in d_lows.iter().zip([q_a, v_a]) {
        d_normed.add(&linear_back(d_low, a));
    }
    let mut d_input = d_middle;
    d_input.add(&normalise_back(&d_normed, &trace.input, &layer.attention_norm, config.rms_epsilon));
    (d_input, gradients)
}

/// The mean cross-entropy of the predicted tokens, and its gradient in the last layer's output.
fn loss_and_gradient(weights: &Weights, hidden: &Tokens, sequence: &Sequence) -> (f64, Tokens) {
    let config = &weights.config;
    let (tokens, from) = (sequence.tokens(), sequence.predicted_from());
    let part = 1.0 / sequence.n_predicted() as f64;
    let normed = normalise(hidden, &weights.output_norm, config.rms_epsilon);
    let mut d_normed = Tokens::zeros(hidden.count(), config.d_model);
    let mut loss = 0.0;
    let positions: Vec<usize> = (from - 1..tokens.len() - 1).collect();
    let mut word = vec![0.0; config.d_model];
    for some in positions.chunks(LOGIT_TOKENS) {
        let values = some.iter().flat_map(|&at| normed.get(at)).copied().collect();
        let mut logits = linear(&Tokens { width: config.d_model, values }, &weights.embedding);
        for (row, &at) in some.iter().enumerate() {
            let target = tokens[at + 1] as usize;
            let row = logits.get_mut(row);
            let highest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let wanted = row[target] - highest;
            row.iter_mut().for_each(|v| *v = libm::exp(*v - highest));
            let sum: f64 = row.iter().sum();
            loss += (libm::log(sum) - wanted) * part;
            row.iter_mut().for_each(|v| *v *= part / sum);
            row[target] -= part;
        }
        for index in 0..config.vocab_size {
            let values = &weights.embedding.values[index * config.d_model..(index + 1) * config.d_model];
            word.iter_mut().zip(values).for_each(|(to, &from)| *to = from.into());
            for (row, &at) in some.iter().enumerate() {
                add_scaled(d_normed.get_mut(at), logits.get(row)[index], &word);
            }
        }
    }
    debug_assert!(dot(&d_normed.values, &d_normed.values).is_finite());
    (loss, normalise_back(&d_normed, hidden, &weights.output_norm, config.rms_epsilon))
}
