//! What goes over HTTP and into the journal.

use alloy_primitives::{Address, B256, Bytes, U256};
use openledger_abi::IPayouts;
use openledger_content_store::Row;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What on chain rows belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnChain {
    /// The contribution of this number: the rows are revealed.
    Contribution(u64),
    /// A commitment to them that the owner made with this salt and has not revealed yet.
    #[schema(value_type = String)]
    CommitmentSalt(B256),
}

/// Rows offered by their owner.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContributionUpload {
    /// The Datanet they are for.
    pub datanet: u64,
    /// Who owns them.
    #[schema(value_type = String)]
    pub owner: Address,
    /// Their Merkle root.
    #[schema(value_type = String)]
    pub root: B256,
    /// What on chain they belong to.
    pub on_chain: OnChain,
    /// The rows, in order.
    #[schema(value_type = Vec<Object>)]
    pub rows: Vec<Row>,
    /// The owner's EIP-191 signature over [`upload_message`].
    #[schema(value_type = String)]
    pub signature: Bytes,
}

/// The text that an owner signs to upload rows.
pub fn upload_message(datanet: u64, root: B256) -> String {
    format!("OpenLedger: keep my rows\ndatanet: {datanet}\nroot: {root}")
}

/// The text that a payer signs to have a request answered.
pub fn answer_message(request_id: B256) -> String {
    format!("OpenLedger: answer my request\nrequest: {request_id}")
}

/// Training knobs; what is left out takes the service's default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TrainingSettings {
    /// LoRA rank.
    pub rank: Option<usize>,
    /// Upper layers that carry the adapter.
    pub layers: Option<usize>,
    /// Passes over the rows.
    pub epochs: Option<usize>,
    /// Peak learning rate.
    pub learning_rate: Option<f64>,
    /// Seed of the first values and of the order of rows.
    pub seed: Option<u64>,
}

/// An order to train and register a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrainingRequest {
    /// Name, unique here: letters, digits, `-` and `_`, at most 64.
    pub name: String,
    /// Datanets, ascending.
    pub datanets: Vec<u64>,
    /// Knobs.
    #[serde(default)]
    pub training: TrainingSettings,
}

/// A version of a Datanet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DatasetVersion {
    /// The Datanet.
    pub datanet: u64,
    /// Its version.
    pub version: u32,
}

/// Loss on rows of one Datanet that were kept out of training.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HeldOut {
    /// The Datanet.
    pub datanet: u64,
    /// How many rows.
    pub rows: usize,
    /// Mean loss of the base model, nats a token.
    pub before: f64,
    /// Mean loss with the adapter.
    pub after: f64,
}

/// A row by its place on chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct RowRef {
    /// The contribution.
    pub contribution: u64,
    /// Index in it.
    pub row: u32,
}

/// A trained model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ModelRecord {
    /// Number on chain; `None` until registered.
    pub model: Option<u64>,
    /// What it was trained on.
    pub datasets: Vec<DatasetVersion>,
    /// Hash of the adapter.
    #[schema(value_type = String)]
    pub adapter_hash: B256,
    /// Hash of the training transcript.
    #[schema(value_type = String)]
    pub training_hash: B256,
    /// Merkle root over the training's checkpoints.
    #[serde(default)]
    #[schema(value_type = String)]
    pub checkpoint_root: B256,
    /// Loss of the first step.
    pub loss_first: f64,
    /// Mean loss of the last tenth of the steps.
    pub loss_last: f64,
    /// Loss on rows kept out of training.
    pub held_out: Vec<HeldOut>,
    /// The rows that gradients are kept of, one a cluster, in their order.
    pub rows: Vec<RowRef>,
    /// Near-duplicates of them that were left out.
    pub duplicates: usize,
    /// Rows left out because the model cannot take them: longer than its context, or empty.
    #[serde(default)]
    pub misfits: usize,
    /// Seconds by phase.
    #[schema(value_type = Vec<Vec<Object>>)]
    pub seconds: Vec<(String, f64)>,
}

/// Where a training stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum TrainingState {
    /// Waiting for the model's thread or the chain.
    Queued,
    /// Steps are being taken.
    Training {
        /// Steps taken.
        step: usize,
        /// Steps in all.
        steps: usize,
        /// Loss of the last step.
        loss: f64,
    },
    /// Gradients of all rows are being taken.
    Scoring {
        /// Rows done.
        done: usize,
        /// Rows in all.
        rows: usize,
    },
    /// Registered on chain and ready to answer.
    Ready,
    /// It cannot succeed as ordered.
    Failed {
        /// Why.
        reason: String,
    },
}

/// A training in the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TrainingRecord {
    /// The order.
    pub request: TrainingRequest,
    /// Where it stands.
    #[serde(flatten)]
    pub state: TrainingState,
    /// The model, once trained.
    pub trained: Option<ModelRecord>,
}

/// The prompt of an escrowed request.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerRequest {
    /// The request on chain.
    #[schema(value_type = String)]
    pub request_id: B256,
    /// The prompt.
    pub prompt: String,
    /// The salt of the prompt's hash on chain.
    #[schema(value_type = String)]
    pub salt: B256,
    /// The payer's EIP-191 signature over [`answer_message`].
    #[schema(value_type = String)]
    pub signature: Bytes,
}

impl std::fmt::Debug for AnswerRequest {
    /// Without the prompt and its salt.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AnswerRequest").field("request_id", &self.request_id).finish_non_exhaustive()
    }
}

/// A cluster's part of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClusterCredit {
    /// Contribution of the canonical row.
    pub contribution: u64,
    /// The canonical row.
    pub row: u32,
    /// Share of the answer, parts per million.
    pub ppm: u32,
}

/// Where a request stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum AnswerState {
    /// Waiting.
    Queued,
    /// Answered, scored and settled on chain.
    Settled {
        /// Block of the receipt.
        block: u64,
        /// Transaction of the receipt.
        #[schema(value_type = String)]
        transaction: B256,
    },
    /// It cannot be settled; the payer gets a refund after the deadline.
    Failed {
        /// Why.
        reason: String,
    },
}

/// A request in the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AnswerRecord {
    /// The request.
    #[schema(value_type = String)]
    pub request_id: B256,
    /// The model asked.
    pub model: u64,
    /// Who pays.
    #[schema(value_type = String)]
    pub payer: Address,
    /// Most the answer may cost, wei.
    #[schema(value_type = String)]
    pub max_fee_wei: U256,
    /// Unix seconds from which on it cannot be settled.
    #[serde(default)]
    pub deadline: u64,
    /// Where it stands.
    #[serde(flatten)]
    pub state: AnswerState,
    /// Root under which the prompt is stored.
    #[schema(value_type = String)]
    pub prompt_root: B256,
    /// Root under which the answer is stored, once there is one.
    #[schema(value_type = Option<String>)]
    pub answer_root: Option<B256>,
    /// Root under which is stored what a re-run needs, once there is an answer.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub inputs_root: Option<B256>,
    /// Hash of the answer, once there is one; written before anything is sent, so that a receipt is of this answer.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub answer_hash: Option<B256>,
    /// Merkle root of the scores, once there is an answer.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub score_root: Option<B256>,
    /// Tokens of the prompt, as the model sees it.
    pub tokens_in: u32,
    /// Tokens of the answer.
    pub tokens_out: u32,
    /// Share that no cluster earned, parts per million.
    pub unattributed_ppm: u32,
    /// What clusters earned.
    pub credits: Vec<ClusterCredit>,
}

impl AnswerRecord {
    /// A request that was just taken.
    pub(crate) fn queued(request_id: B256, escrow: &IPayouts::Request, prompt_root: B256) -> Self {
        Self {
            request_id,
            model: escrow.model,
            payer: escrow.payer,
            max_fee_wei: escrow.maxFee,
            deadline: escrow.deadline,
            state: AnswerState::Queued,
            prompt_root,
            answer_root: None,
            inputs_root: None,
            answer_hash: None,
            score_root: None,
            tokens_in: 0,
            tokens_out: 0,
            unattributed_ppm: 0,
            credits: Vec::new(),
        }
    }
}
