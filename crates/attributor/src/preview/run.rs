//! The contributor's part: everything public is fetched, and everything else stays here.

use super::{
    PublishedSketch,
    estimate::{OwnRow, PaidAnswer, PreviewReport, estimate},
};
use crate::{
    AttributorError, TrainingRecord,
    chain::{Chain, lineage},
    court::fetch,
};
use alloy_primitives::{B256, U256};
use alloy_signer_local::PrivateKeySigner;
use openledger_abi::IAttribution;
use openledger_attribution::{AnswerSketch, ClusterConfig, ClusterRow, Clusters, RowSketch, gradients};
use openledger_model::{Adapter, BaseModel, Device, ModelError, PrefixCache, Sequence};
use std::{path::PathBuf, time::Duration};
use tokio::time::sleep;

/// Rows of one preview, and receipts that they are scored for.
const MAX_ROWS: usize = 4_096;
const MAX_RECEIPTS: usize = 256;
/// Rows whose gradients are held at a time.
const ROWS_AT_A_TIME: usize = 16;
/// Largest answers that are read from the attributor, bytes.
const MAX_LIST_BYTES: usize = 64 << 20;
const MAX_ADAPTER_BYTES: usize = 1 << 30;
const MAX_SKETCH_BYTES: usize = 32 << 20;
/// How often a busy attributor is asked, and how long is waited between.
const TRIES: usize = 60;
const PAUSE: Duration = Duration::from_secs(1);

/// What is previewed.
#[derive(Clone)]
pub struct PreviewPlan {
    /// HTTP endpoint of an L2 node.
    pub l2_rpc: String,
    /// The attributor that serves the model.
    pub attributor: String,
    /// The model, by its number on chain.
    pub model: u64,
    /// The base model, a GGUF file.
    pub base: PathBuf,
    /// Where tensors live.
    pub device: Device,
    /// CPU threads that libtorch uses.
    pub threads: u32,
    /// The latest so many receipts.
    pub receipts: usize,
    /// The rows. They do not leave this process.
    pub rows: Vec<String>,
}

impl std::fmt::Debug for PreviewPlan {
    /// Without the rows.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PreviewPlan").field("model", &self.model).finish_non_exhaustive()
    }
}

/// What the rows would have earned from the model's latest receipts.
pub async fn preview(plan: PreviewPlan) -> Result<PreviewReport, AttributorError> {
    if !(1..=MAX_ROWS).contains(&plan.rows.len()) || !(1..=MAX_RECEIPTS).contains(&plan.receipts) {
        let reason = format!("a preview is of 1 to {MAX_ROWS} rows and of 1 to {MAX_RECEIPTS} receipts");
        return Err(AttributorError::Invalid(reason));
    }
    let chain = Chain::connect(&plan.l2_rpc, PrivateKeySigner::random())?;
    let spec = chain.call(IAttribution::modelOfCall { model: plan.model }).await?.spec;
    let attributor = plan.attributor.trim_end_matches('/').to_owned();
    let name = name_of(&attributor, plan.model).await?;
    let adapter = fetch(&format!("{attributor}/v1/models/{name}/adapter"), None, MAX_ADAPTER_BYTES).await?;
    let weights = fetch_taken(&format!("{attributor}/v1/models/{name}/weights"), MAX_ADAPTER_BYTES).await?;
    let weights = weights.ok_or_else(|| {
        AttributorError::NotFound(format!("{attributor} gives no previews of model {name}"))
    })?;
    let (answers, seeds, missing) = answers(&chain, &attributor, &plan, spec.adapterHash).await?;

    let work = tokio::task::spawn_blocking(move || {
        openledger_model::set_num_threads(i32::try_from(plan.threads).unwrap_or(1));
        let bench = Bench::new(&plan, &adapter, &spec, &weights)?;
        let rows = bench.rows(&plan.rows, seeds)?;
        estimate(plan.model, &rows, answers, missing)
    });
    // Without what the panic says, which may quote a row.
    work.await.map_err(|_| AttributorError::Panicked)?
}

/// The name by which the attributor serves a model.
async fn name_of(attributor: &str, model: u64) -> Result<String, AttributorError> {
    let list = fetch(&format!("{attributor}/v1/models"), None, MAX_LIST_BYTES).await?;
    let list: Vec<TrainingRecord> = serde_json::from_slice(&list).map_err(|_| {
        AttributorError::Invalid(format!("{attributor} is no attributor: its models cannot be read"))
    })?;
    let own =
        list.into_iter().find(|t| t.trained.as_ref().is_some_and(|trained| trained.model == Some(model)));
    let own =
        own.ok_or_else(|| AttributorError::NotFound(format!("{attributor} does not serve model {model}")))?;
    let fits = own.request.name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if fits {
        Ok(own.request.name)
    } else {
        Err(AttributorError::Invalid("the model's name is no name".into()))
    }
}

/// What the attributor has to take first, if it can. It takes one thing at a time and is asked again while it is busy.
async fn fetch_taken(url: &str, max_bytes: usize) -> Result<Option<Vec<u8>>, AttributorError> {
    for _ in 0..TRIES {
        match fetch(url, None, max_bytes).await {
            Err(AttributorError::NotFound(reason)) if reason.contains(" 404 ") => return Ok(None),
            Err(AttributorError::NotFound(reason)) if reason.contains(" 429 ") => sleep(PAUSE).await,
            bytes => return bytes.map(Some),
        }
    }
    Err(AttributorError::Busy("the attributor takes other previews"))
}

/// How all sketches are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Drawn {
    seed: u64,
    buckets: usize,
    unit: bool,
}

/// The latest receipts with their sketches, how those are drawn, and how many receipts have none.
async fn answers(
    chain: &Chain,
    attributor: &str,
    plan: &PreviewPlan,
    adapter: B256,
) -> Result<(Vec<PaidAnswer>, Option<Drawn>, usize), AttributorError> {
    let page = |offset: U256, limit: usize| IAttribution::receiptsOfModelCall {
        model: plan.model,
        offset,
        limit: U256::from(limit),
    };
    let total = chain.call(page(U256::ZERO, 1)).await?.total;
    let offset = total.saturating_sub(U256::from(plan.receipts));
    let requests = chain.call(page(offset, plan.receipts)).await?.requestIds;
    let (mut found, mut drawn, mut missing) = (Vec::new(), None, 0);
    for request in requests {
        let info = chain.call(IAttribution::receiptOfCall { requestId: request }).await?;
        // What was wrong says nothing about what is right.
        if info.status == IAttribution::ReceiptStatus::Slashed {
            missing += 1;
            continue;
        }
        let url = format!("{attributor}/v1/receipts/{request}/preview");
        let Some(bytes) = fetch_taken(&url, MAX_SKETCH_BYTES).await? else {
            missing += 1;
            continue;
        };
        let invalid =
            |what: &str| AttributorError::Invalid(format!("the sketch of receipt {request} {what}"));
        let sketch: PublishedSketch =
            serde_json::from_slice(&bytes).map_err(|_| invalid("cannot be read"))?;
        if sketch.request_id != request || sketch.adapter_hash != adapter {
            return Err(invalid("is another receipt's or model's"));
        }
        let PublishedSketch { sketch, unit_length: unit, .. } = sketch;
        if !is_sound(&sketch) {
            return Err(invalid("holds figures that no answer has"));
        }
        let own = Drawn { seed: sketch.seed, buckets: sketch.direction.len(), unit };
        if *drawn.get_or_insert(own) != own {
            return Err(invalid("is drawn otherwise than the others"));
        }
        found.push(PaidAnswer {
            request_id: request,
            settled_at: info.settledAt,
            contributors_wei: info.contributorsWei,
            shares: lineage(chain, request, info.shareCount).await?,
            sketch,
        });
    }
    Ok((found, drawn, missing))
}

/// Whether a sketch can be an answer's at all. What its figures are is the attributor's word.
fn is_sound(sketch: &AnswerSketch) -> bool {
    let AnswerSketch { seed: _, rows, lambda, positive, floor, direction } = sketch;
    let not_negative = |figure: &f64| figure.is_finite() && *figure >= 0.0;
    *rows > 0
        && *lambda > 0.0
        && [lambda, positive, floor].into_iter().all(not_negative)
        && !direction.is_empty()
        && direction.iter().all(|sum| sum.is_finite())
}

/// The model, ready to take gradients.
struct Bench {
    model: BaseModel,
    tokenizer: openledger_model::Tokenizer,
    adapter: Adapter,
    weights: Vec<f64>,
}

impl Bench {
    fn new(
        plan: &PreviewPlan,
        adapter: &[u8],
        spec: &IAttribution::ModelSpec,
        weights: &[u8],
    ) -> Result<Self, AttributorError> {
        let (model, tokenizer) = BaseModel::load(&plan.base, plan.device)?;
        if model.hash() != spec.base {
            let reason =
                format!("model {} is over base {}, this file is {}", plan.model, spec.base, model.hash());
            return Err(AttributorError::Conflict(reason));
        }
        let io = |source| AttributorError::Io { path: "a temporary folder".into(), source };
        let folder = tempfile::tempdir().map_err(io)?;
        let file = folder.path().join("adapter.safetensors");
        std::fs::write(&file, adapter).map_err(io)?;
        let adapter = Adapter::load(&model, &file)?;
        if adapter.hash()? != spec.adapterHash {
            return Err(AttributorError::Invalid(
                "the attributor's adapter is not the model's on chain".into(),
            ));
        }
        let words = weights.chunks_exact(8);
        let exact = words.remainder().is_empty() && weights.len() / 8 == adapter.n_parameters();
        let weights: Vec<f64> =
            words.map(|w| f64::from_le_bytes([w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7]])).collect();
        if !exact || !weights.iter().all(|weight| weight.is_finite() && *weight >= 0.0) {
            return Err(AttributorError::Invalid(
                "the attributor's weights are not those of this adapter".into(),
            ));
        }
        Ok(Self { model, tokenizer, adapter, weights })
    }

    /// Sketches rows; those that would earn nothing whatever is asked are left out.
    fn rows(&self, texts: &[String], drawn: Option<Drawn>) -> Result<Vec<OwnRow>, AttributorError> {
        let views: Vec<ClusterRow<'_>> =
            texts.iter().zip(0..).map(|(text, at)| ClusterRow { text, priority: (at, 0) }).collect();
        let clusters = Clusters::find(&views, ClusterConfig::default(), &[])?;
        let mut rows: Vec<OwnRow> = Vec::with_capacity(texts.len());
        let mut sequences: Vec<(usize, Sequence)> = Vec::new();
        for (at, text) in texts.iter().enumerate() {
            let canonical = clusters.canonical()[clusters.cluster_of()[at]];
            rows.push(OwnRow::LeftOut("no receipt to score it for".into()));
            if canonical != at {
                rows[at] = OwnRow::LeftOut(format!("a near-duplicate of row {canonical}"));
                continue;
            }
            match self.tokenizer.row(text) {
                Ok(sequence) if sequence.tokens().len() <= self.model.config().context_tokens => {
                    sequences.push((at, sequence));
                }
                Ok(_) => rows[at] = OwnRow::LeftOut("longer than the model's context".into()),
                Err(ModelError::Invalid(reason)) => rows[at] = OwnRow::LeftOut(reason),
                Err(error) => return Err(error.into()),
            }
        }
        let Some(Drawn { seed, buckets, unit }) = drawn else { return Ok(rows) };
        let mut cache = PrefixCache::new(self.adapter.config().first_layer(self.model.config()), 0);
        for some in sequences.chunks(ROWS_AT_A_TIME) {
            let some_sequences: Vec<&Sequence> = some.iter().map(|(_, sequence)| sequence).collect();
            let taken = gradients(&self.model, &self.adapter, &mut cache, &some_sequences)?;
            for ((at, _), gradient) in some.iter().zip(taken.values().chunks(self.weights.len().max(1))) {
                rows[*at] = OwnRow::Scored(RowSketch::of(gradient, &self.weights, unit, buckets, seed)?);
            }
        }
        Ok(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sketch_with_figures_that_no_answer_has_is_refused() {
        let sound =
            AnswerSketch { seed: 0, rows: 3, lambda: 0.5, positive: 0.0, floor: 0.0, direction: vec![0.1] };
        assert!(is_sound(&sound));
        for wrong in [
            AnswerSketch { rows: 0, ..sound.clone() },
            AnswerSketch { lambda: 0.0, ..sound.clone() },
            AnswerSketch { lambda: f64::NAN, ..sound.clone() },
            AnswerSketch { positive: -1.0, ..sound.clone() },
            AnswerSketch { positive: f64::INFINITY, ..sound.clone() },
            AnswerSketch { floor: -1e-9, ..sound.clone() },
            AnswerSketch { direction: vec![f32::NAN], ..sound.clone() },
            AnswerSketch { direction: vec![], ..sound },
        ] {
            assert!(!is_sound(&wrong), "{wrong:?}");
        }
    }
}
