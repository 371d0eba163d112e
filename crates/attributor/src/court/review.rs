//! Runs a receipt again and says whether it holds.

use crate::{
    AttributorError, Case, ClusterDifference, Decision, MAX_CASE_BYTES, RunSettings,
    case::{decide, rerun},
    chain::Chain,
    dispatch,
};
use alloy_primitives::B256;
use alloy_signer_local::PrivateKeySigner;
use openledger_attribution::audit::Weights;
use openledger_model::{Adapter, BaseModel, Device, Gguf, PrefixCache, Tokenizer};
use serde::Serialize;
use std::{collections::BTreeMap, path::PathBuf, time::Instant};

/// How often two tokens may be equally likely before an answer counts as not the model's.
const MAX_TIES: usize = 4;
/// Two tokens whose losses differ by less are equally likely but for rounding, nats.
const TIE_NATS: f64 = 1e-3;

/// What a re-run is made with.
#[derive(Debug, Clone)]
pub struct Review {
    /// The base model, a GGUF file.
    pub model: PathBuf,
    /// Where tensors live.
    pub device: Device,
    /// CPU threads that libtorch uses.
    pub threads: u32,
    /// Most rows that the scalar kernel takes again.
    pub exact_rows: usize,
}

/// Where a case comes from.
#[derive(Debug, Clone)]
pub enum CaseSource {
    /// A file, as the service gives it out.
    File(PathBuf),
    /// The attributor that settled the receipt.
    Service {
        /// Its address.
        url: String,
        /// Its operator's token.
        token: String,
    },
}

/// What `verify` found.
#[derive(Debug, Clone, Serialize)]
pub struct VerifyReport {
    /// The receipt.
    pub receipt: B256,
    /// `agrees` or `differs`.
    pub verdict: &'static str,
    /// The largest difference of a share, parts per million.
    pub worst_share_difference: u32,
    /// What is allowed, parts per million.
    pub band: u32,
    /// Whether the re-run's scores have the receipt's root: they are the same to the billionth.
    pub same_score_root: bool,
    /// Merkle root of the re-run's scores.
    pub score_root: B256,
    /// Whether the answer is what the model gives to the prompt.
    pub answer_is_the_models: bool,
    /// Whether the case was held against the chain; else its own word was taken for what the chain says.
    pub held_against_chain: bool,
    /// The clusters that differ by more than the band, the largest differences first.
    pub differing: Vec<ClusterDifference>,
    /// How many rows the scalar kernel took again.
    pub exact_rows: usize,
    /// How the receipt was computed, as recorded.
    pub recorded: RunSettings,
    /// What chose instructions in this run.
    pub dispatch: BTreeMap<String, String>,
    /// How long it took.
    pub seconds: f64,
}

impl VerifyReport {
    /// Whether the receipt holds.
    pub fn agrees(&self) -> bool {
        self.verdict == "agrees"
    }
}

/// What a re-run found.
#[derive(Debug)]
pub(super) struct Examined {
    pub(super) decision: Decision,
    pub(super) score_root: B256,
    pub(super) answer_is_the_models: bool,
}

impl CaseSource {
    /// Reads the case.
    pub(crate) async fn read(&self, receipt: Option<B256>) -> Result<Case, AttributorError> {
        let bytes = match self {
            Self::File(path) => tokio::fs::read(path)
                .await
                .map_err(|source| AttributorError::Io { path: path.display().to_string(), source })?,
            Self::Service { url, token } => {
                let receipt = receipt.ok_or_else(|| AttributorError::Invalid("name the receipt".into()))?;
                let url = format!("{}/v1/receipts/{receipt}/case", url.trim_end_matches('/'));
                fetch(&url, Some(token), MAX_CASE_BYTES).await?
            }
        };
        parse(&bytes)
    }
}

/// A case from its bytes; what is wrong is named without quoting it.
pub(super) fn parse(bytes: &[u8]) -> Result<Case, AttributorError> {
    serde_json::from_slice(bytes)
        .map_err(|error| AttributorError::Invalid(format!("not a case (line {})", error.line())))
}

/// A bounded GET.
pub(crate) async fn fetch(url: &str, token: Option<&str>, most: usize) -> Result<Vec<u8>, AttributorError> {
    let away = |error: reqwest::Error| AttributorError::Chain(error.without_url().to_string());
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(std::time::Duration::from_secs(60))
        .build()
        .map_err(away)?;
    let mut request = client.get(url);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let mut response = request.send().await.map_err(away)?;
    let status = response.status();
    let mut bytes = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(away)? {
        if bytes.len() + piece.len() > most {
            return Err(AttributorError::Invalid(format!("{url} gives more than {most} bytes")));
        }
        bytes.extend(piece);
    }
    if !status.is_success() {
        let reason = String::from_utf8_lossy(&bytes[..bytes.len().min(300)]).into_owned();
        return Err(AttributorError::NotFound(format!("{url} answers {status}: {reason}")));
    }
    Ok(bytes)
}

impl Review {
    /// Runs a checked case again, away from the async threads.
    pub(super) async fn examine(&self, case: Case) -> Result<Examined, AttributorError> {
        let review = self.clone();
        let work = tokio::task::spawn_blocking(move || {
            openledger_model::set_num_threads(i32::try_from(review.threads).unwrap_or(1));
            let (model, tokenizer) = BaseModel::load(&review.model, review.device)?;
            let rerun = rerun(&case, &model, &tokenizer)?;
            let weights = || Ok(Weights::from_gguf(&Gguf::open(&review.model)?)?);
            let decision = decide(&case, &rerun, weights, review.exact_rows)?;
            let answer_is_the_models = is_the_models(&case, &model, &tokenizer, &rerun.adapter)?;
            Ok(Examined { decision, score_root: rerun.score_root, answer_is_the_models })
        });
        // Without what the panic says, which may quote a row.
        work.await.map_err(|_| AttributorError::Panicked)?
    }
}

/// Whether the model gives the case's answer. Where two tokens are equally likely but for rounding, either is its.
fn is_the_models(
    case: &Case,
    model: &BaseModel,
    tokenizer: &Tokenizer,
    adapter: &Adapter,
) -> Result<bool, AttributorError> {
    let prompt = tokenizer.chat_prompt(&case.prompt.text)?;
    let answer = &case.answer_tokens;
    let mut done = 0;
    for _ in 0..=MAX_TIES {
        let before = [&prompt, &answer[..done]].concat();
        let given = model.generate(tokenizer, Some(adapter), &before, answer.len() - done)?.tokens;
        let Some(apart) = (0..answer.len() - done).find(|&i| given.get(i) != Some(&answer[done + i])) else {
            return Ok(true);
        };
        let Some(&likeliest) = given.get(apart) else { return Ok(false) };
        let before = [&prompt, &answer[..done + apart]].concat();
        let mut losses = [0.0; 2];
        for (loss, token) in losses.iter_mut().zip([likeliest, answer[done + apart]]) {
            let sequence = tokenizer.answer(&before, &[token])?;
            let mut cache = PrefixCache::new(0, 0);
            *loss = openledger_model::mean_loss(model, Some(adapter), &mut cache, &[sequence])?
                .unwrap_or(f64::INFINITY);
        }
        if losses[1] - losses[0] > TIE_NATS {
            return Ok(false);
        }
        done += apart + 1;
        if done == answer.len() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Runs a receipt again from its case, and holds the case against the chain where there is one.
pub async fn verify(
    review: &Review,
    l2_rpc: Option<&str>,
    receipt: Option<B256>,
    source: &CaseSource,
) -> Result<VerifyReport, AttributorError> {
    let started = Instant::now();
    let case = source.read(receipt).await?;
    if receipt.is_some_and(|receipt| receipt != case.facts.request_id) {
        return Err(AttributorError::Invalid("the case is another receipt's".into()));
    }
    match l2_rpc {
        Some(url) => case.check_against(&Chain::connect(url, PrivateKeySigner::random())?).await?,
        None => case.check()?,
    }
    let (facts, recorded) = (case.facts.clone(), case.settings.clone());
    let found = review.examine(case).await?;
    let agrees = !found.decision.wrong && found.answer_is_the_models;
    Ok(VerifyReport {
        receipt: facts.request_id,
        verdict: if agrees { "agrees" } else { "differs" },
        worst_share_difference: found.decision.worst_ppm,
        band: facts.band_ppm,
        same_score_root: found.score_root == facts.score_root,
        score_root: found.score_root,
        answer_is_the_models: found.answer_is_the_models,
        held_against_chain: l2_rpc.is_some(),
        differing: found.decision.differing,
        exact_rows: found.decision.exact_rows,
        recorded,
        dispatch: dispatch(),
        seconds: started.elapsed().as_secs_f64(),
    })
}
