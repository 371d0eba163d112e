//! A training's transcript: what decides its steps, and states on the way from which any segment can be taken again.

use crate::{
    AttributorError,
    case::ordered_rows,
    chain::Chain,
    court::{CaseSource, Review},
};
use alloy_primitives::{B256, U256, keccak256};
use alloy_signer_local::PrivateKeySigner;
use openledger_abi::IAttribution;
use openledger_model::{BaseModel, Checkpoint, LoraConfig, PrefixCache, TrainConfig, replay};
use openledger_shares::MerkleTree;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The transcript in a model's folder.
const FILE: &str = "transcript.json";
/// The checkpoints beside it.
const FOLDER: &str = "checkpoints";
/// Checkpoints of one training, but for those at both ends.
const SEGMENTS: usize = 16;
/// Fewest steps between two checkpoints.
const MIN_STEPS: usize = 8;
/// How far a replayed adapter may lie from the recorded one, as a part of its length, on another machine.
const TOLERANCE: f64 = 1e-3;
/// Memory for the lower layers' outputs, bytes.
const PREFIX_CACHE_BYTES: usize = 1 << 30;

/// What decides a training besides rows and base model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hyperparameters {
    rank: usize,
    alpha: f64,
    layers: usize,
    epochs: usize,
    batch_rows: usize,
    learning_rate: f64,
    weight_decay: f64,
    max_gradient_norm: f64,
    seed: u64,
}

/// A training's transcript.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Transcript {
    hyperparameters: Hyperparameters,
    rows: usize,
    /// Steps before each checkpoint.
    steps: Vec<usize>,
    /// Their hashes.
    checkpoints: Vec<B256>,
}

/// What a replay found.
#[derive(Debug, Clone, Serialize)]
pub struct ReplayReport {
    /// The segment, counted from 0.
    pub segment: usize,
    /// Steps taken before it.
    pub from_step: usize,
    /// Steps taken after it.
    pub to_step: usize,
    /// `agrees` or `differs`.
    pub verdict: &'static str,
    /// Whether the replay gave the very state that was recorded.
    pub same_bits: bool,
    /// How far the replayed adapter lies from the recorded one, as a part of its length.
    pub distance: f64,
    /// Whether the checkpoints were held against the root on chain.
    pub held_against_chain: bool,
    /// Losses of the steps.
    pub losses: Vec<f64>,
}

impl ReplayReport {
    /// Whether the segment came out as recorded.
    pub fn agrees(&self) -> bool {
        self.verdict == "agrees"
    }
}

impl From<&TrainConfig> for Hyperparameters {
    fn from(config: &TrainConfig) -> Self {
        Self {
            rank: config.lora.rank,
            alpha: config.lora.alpha,
            layers: config.lora.n_layers,
            epochs: config.epochs,
            batch_rows: config.batch_rows,
            learning_rate: config.learning_rate,
            weight_decay: config.weight_decay,
            max_gradient_norm: config.max_gradient_norm,
            seed: config.seed,
        }
    }
}

impl Hyperparameters {
    fn config(&self) -> TrainConfig {
        TrainConfig {
            lora: LoraConfig { rank: self.rank, alpha: self.alpha, n_layers: self.layers },
            epochs: self.epochs,
            batch_rows: self.batch_rows,
            learning_rate: self.learning_rate,
            weight_decay: self.weight_decay,
            max_gradient_norm: self.max_gradient_norm,
            seed: self.seed,
        }
    }
}

impl Transcript {
    /// A transcript without checkpoints yet, in a folder that is emptied of an earlier training's.
    pub(crate) fn start(model: &Path, config: &TrainConfig, rows: usize) -> Result<Self, AttributorError> {
        let folder = model.join(FOLDER);
        let io = |source| AttributorError::Io { path: folder.display().to_string(), source };
        if folder.exists() {
            std::fs::remove_dir_all(&folder).map_err(io)?;
        }
        std::fs::create_dir_all(&folder).map_err(io)?;
        Ok(Self { hyperparameters: config.into(), rows, steps: Vec::new(), checkpoints: Vec::new() })
    }

    /// Steps between two checkpoints.
    pub(crate) fn every(config: &TrainConfig, rows: usize) -> usize {
        (config.epochs * rows.div_ceil(config.batch_rows.max(1))).div_ceil(SEGMENTS).max(MIN_STEPS)
    }

    /// Keeps a state.
    pub(crate) fn keep(
        &mut self,
        model: &Path,
        checkpoint: &Checkpoint,
    ) -> Result<(), openledger_model::ModelError> {
        checkpoint.save(&file_of(model, checkpoint.step))?;
        self.steps.push(checkpoint.step);
        self.checkpoints.push(checkpoint.hash()?);
        Ok(())
    }

    /// Writes the transcript; its Merkle root over the checkpoints.
    pub(crate) fn finish(&self, model: &Path) -> Result<B256, AttributorError> {
        let path = model.join(FILE);
        let bytes = serde_json::to_vec_pretty(self).map_err(AttributorError::journal)?;
        std::fs::write(&path, bytes)
            .map_err(|source| AttributorError::Io { path: path.display().to_string(), source })?;
        self.root()
    }

    fn root(&self) -> Result<B256, AttributorError> {
        let tree = MerkleTree::new(self.checkpoints.clone());
        Ok(tree.map_err(|error| AttributorError::Invalid(error.to_string()))?.root())
    }

    fn read(model: &Path) -> Result<Self, AttributorError> {
        let path = model.join(FILE);
        let bytes = std::fs::read(&path)
            .map_err(|source| AttributorError::Io { path: path.display().to_string(), source })?;
        let read: Self = serde_json::from_slice(&bytes)
            .map_err(|error| AttributorError::Invalid(format!("{}: {error}", path.display())))?;
        if read.steps.len() != read.checkpoints.len() || !read.steps.is_sorted() {
            return Err(AttributorError::Invalid(format!(
                "{}: steps and checkpoints differ",
                path.display()
            )));
        }
        Ok(read)
    }
}

/// What the chain holds of a training.
pub(crate) fn extras(config: &TrainConfig, checkpoints: B256) -> IAttribution::ModelExtras {
    let hyperparameters = serde_json::to_vec(&Hyperparameters::from(config)).unwrap_or_default();
    IAttribution::ModelExtras {
        dataOrderSeed: B256::from(U256::from(config.seed)),
        hyperParameters: keccak256(hyperparameters),
        checkpointRoot: checkpoints,
        ..Default::default()
    }
}

fn file_of(model: &Path, step: usize) -> PathBuf {
    model.join(FOLDER).join(format!("{step:06}.safetensors"))
}

/// Takes a segment of a training again and compares it with what was recorded. The rows come from a case of the model,
/// the transcript from the model's folder.
pub async fn replay_segment(
    review: &Review,
    l2_rpc: Option<&str>,
    source: &CaseSource,
    receipt: Option<B256>,
    model_folder: &Path,
    segment: usize,
) -> Result<ReplayReport, AttributorError> {
    let case = source.read(receipt).await?;
    let transcript = Transcript::read(model_folder)?;
    match l2_rpc {
        Some(url) => {
            let chain = Chain::connect(url, PrivateKeySigner::random())?;
            case.check_against(&chain).await?;
            let standing = chain.call(IAttribution::standingOfCall { model: case.facts.model }).await?;
            let own = extras(&transcript.hyperparameters.config(), transcript.root()?);
            if standing.extras.checkpointRoot != own.checkpointRoot
                || standing.extras.hyperParameters != own.hyperParameters
            {
                return Err(AttributorError::Invalid("the transcript is not what the chain holds".into()));
            }
        }
        None => case.check()?,
    }
    let (review, folder, on_chain) = (review.clone(), model_folder.to_owned(), l2_rpc.is_some());
    let work = tokio::task::spawn_blocking(move || {
        openledger_model::set_num_threads(i32::try_from(review.threads).unwrap_or(1));
        let (model, tokenizer) = BaseModel::load(&review.model, review.device)?;
        let config = transcript.hyperparameters.config();
        let (_, sequences) = ordered_rows(&case, &model, &tokenizer)?;
        if sequences.len() != transcript.rows {
            return Err(AttributorError::Invalid("the case's rows are not the transcript's".into()));
        }
        let (Some(&from), Some(&to)) = (transcript.steps.get(segment), transcript.steps.get(segment + 1))
        else {
            let most = transcript.steps.len().saturating_sub(1);
            return Err(AttributorError::Invalid(format!("--segment {segment}: the training has {most}")));
        };
        let read = |at: usize| -> Result<Checkpoint, AttributorError> {
            let step = transcript.steps[at];
            let checkpoint = Checkpoint::load(&model, config.lora, &file_of(&folder, step))?;
            if checkpoint.step != step || checkpoint.hash()? != transcript.checkpoints[at] {
                return Err(AttributorError::Invalid(format!("the checkpoint of step {step} is another")));
            }
            Ok(checkpoint)
        };
        let (start, recorded) = (read(segment)?, read(segment + 1)?);
        let mut cache = PrefixCache::new(config.lora.first_layer(model.config()), PREFIX_CACHE_BYTES);
        let (replayed, losses) = replay(&model, &mut cache, &sequences, &config, &start, to - from)?;
        let (same_bits, distance) = (replayed.hash()? == recorded.hash()?, replayed.distance(&recorded)?);
        Ok(ReplayReport {
            segment,
            from_step: from,
            to_step: to,
            verdict: if distance <= TOLERANCE { "agrees" } else { "differs" },
            same_bits,
            distance,
            held_against_chain: on_chain,
            losses,
        })
    });
    work.await.map_err(|_| AttributorError::Panicked)?
}

#[cfg(test)]
mod tests;
