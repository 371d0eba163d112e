//! `report.json`: what the story did, for people and programs.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, U256};
use serde::{Deserialize, Serialize, Serializer};

use super::Receipt;

/// All of it. Amounts are wei as decimal strings.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Report {
    /// The Datanets.
    pub datanets: Vec<DatanetReport>,
    /// The models.
    pub models: Vec<ModelReport>,
    /// The answers, and who was paid for them.
    pub receipts: Vec<ReceiptReport>,
    /// What was disputed.
    pub court: Option<CourtReport>,
    /// The batches on L1.
    pub batches: Vec<BatchReport>,
    /// What the verifier derived from L1.
    pub verifier: Option<VerifierReport>,
    /// What started its way to L1.
    pub withdrawals: Vec<WithdrawalReport>,
    /// Seconds by step.
    pub seconds: BTreeMap<String, f64>,
}

/// What the court decided, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CourtReport {
    /// Case by case.
    pub disputes: Vec<DisputeReport>,
    /// What contributions had before the first verdict, and after the last.
    pub accrued: Vec<AccruedReport>,
    /// The attestor's bond before its lies.
    #[serde(serialize_with = "decimal")]
    pub bond_before_wei: U256,
    /// The attestor's bond after the verdicts.
    #[serde(serialize_with = "decimal")]
    pub bond_after_wei: U256,
}

/// A case.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DisputeReport {
    /// The receipt.
    pub request_id: B256,
    /// What it was.
    pub receipt: Receipt,
    /// Who challenged it.
    pub challenger: String,
    /// What `attributor verify` said of it.
    pub verified: Option<serde_json::Value>,
    /// What it said with each choice of vector instructions.
    pub dispatched: Vec<DispatchReport>,
    /// Whether the attestor delivered evidence.
    pub evidence_delivered: bool,
    /// Whether the court found it right.
    pub upheld: bool,
    /// What of the bond the receipt held.
    #[serde(serialize_with = "decimal")]
    pub held_wei: U256,
    /// What the challenger put at stake.
    #[serde(serialize_with = "decimal")]
    pub stake_wei: U256,
    /// What of the bond was lost.
    #[serde(serialize_with = "decimal")]
    pub slashed_wei: U256,
    /// What underpaid contributions got of it.
    pub made_whole: Vec<MadeWholeReport>,
    /// What the challenger got of it.
    #[serde(serialize_with = "decimal")]
    pub reward_wei: U256,
    /// What burned: of the bond, or of the stake.
    #[serde(serialize_with = "decimal")]
    pub burned_wei: U256,
}

impl Default for DisputeReport {
    fn default() -> Self {
        Self {
            request_id: B256::ZERO,
            receipt: Receipt::Honest,
            challenger: String::new(),
            verified: None,
            dispatched: Vec::new(),
            evidence_delivered: false,
            upheld: false,
            held_wei: U256::ZERO,
            stake_wei: U256::ZERO,
            slashed_wei: U256::ZERO,
            made_whole: Vec::new(),
            reward_wei: U256::ZERO,
            burned_wei: U256::ZERO,
        }
    }
}

/// A re-run with other vector instructions than the processor's best.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DispatchReport {
    /// libtorch's `ATEN_CPU_CAPABILITY`.
    pub capability: String,
    /// `agrees` or `differs`.
    pub verdict: String,
    /// The largest difference of a share, parts per million.
    pub worst_share_difference: u64,
    /// What is allowed, parts per million.
    pub band: u64,
    /// Merkle root of the re-run's scores.
    pub score_root: B256,
}

/// What an underpaid contribution got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MadeWholeReport {
    /// The contribution.
    pub contribution: u64,
    /// How much.
    #[serde(serialize_with = "decimal")]
    pub wei: U256,
}

/// What a contribution had earned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccruedReport {
    /// The contribution.
    pub contribution: u64,
    /// Before the first verdict.
    #[serde(serialize_with = "decimal")]
    pub before_wei: U256,
    /// After the last.
    #[serde(serialize_with = "decimal")]
    pub after_wei: U256,
}

/// A Datanet after the story.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DatanetReport {
    /// Its name in the story.
    pub name: String,
    /// Its number on chain.
    pub datanet: u64,
    /// Its owner.
    pub owner: Address,
    /// Its latest version.
    pub version: u32,
    /// Rows of that version.
    pub rows: u64,
    /// Near-duplicate clusters of that version.
    pub clusters: u32,
}

/// A model after the story.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelReport {
    /// Its name in the story.
    pub name: String,
    /// Its number on chain.
    pub model: u64,
    /// Loss of the first training step, nats a token.
    pub loss_first: f64,
    /// Mean loss of the last tenth of the steps.
    pub loss_last: f64,
    /// Loss on rows that were kept out of training.
    pub held_out: Vec<HeldOutReport>,
    /// Near-duplicate rows that were neither trained on nor scored.
    pub duplicates: usize,
    /// Hash of the adapter.
    pub adapter_hash: B256,
}

/// Loss on rows of one Datanet that were kept out of training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeldOutReport {
    /// The Datanet.
    pub datanet: u64,
    /// How many rows.
    pub rows: usize,
    /// Mean loss of the base model, nats a token.
    pub before: f64,
    /// Mean loss with the adapter.
    pub after: f64,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReceiptReport {
    /// The request.
    pub request_id: B256,
    /// L2 block of receipt, attribution and payments.
    pub block: u64,
    /// The question.
    pub question: String,
    /// The Datanet that the story says it is about.
    pub about: Option<String>,
    /// The answer.
    pub answer: String,
    /// The fee as it was paid in: all that follows sums to it.
    #[serde(serialize_with = "decimal")]
    pub fee_wei: U256,
    /// What the answer cost: the fee less what went back.
    #[serde(serialize_with = "decimal")]
    pub charged_wei: U256,
    /// The platform's part.
    #[serde(serialize_with = "decimal")]
    pub platform_wei: U256,
    /// The model owner's part.
    #[serde(serialize_with = "decimal")]
    pub model_wei: U256,
    /// The stakers' part.
    #[serde(serialize_with = "decimal")]
    pub stakers_wei: U256,
    /// What clusters and, for what no cluster earned, Datanets got.
    pub credited: Vec<CreditReport>,
    /// What went back to the payer of the escrow.
    #[serde(serialize_with = "decimal")]
    pub refunded_wei: U256,
    /// Share that no cluster earned.
    pub unattributed_ppm: u32,
}

/// A payment to an owner of data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CreditReport {
    /// The account's name in the story.
    pub account: String,
    /// The Datanet's name in the story.
    pub datanet: String,
    /// The cluster by its canonical row, `contribution/row`; `None` for a Datanet's part of the unattributed.
    pub cluster: Option<String>,
    /// The cluster's share.
    pub shares_ppm: u32,
    /// The payment.
    #[serde(serialize_with = "decimal")]
    pub wei: U256,
}

/// A batch transaction on L1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BatchReport {
    /// The transaction.
    pub l1_tx: B256,
    /// L1 block.
    pub l1_block: u64,
    /// Blobs it carries.
    pub blobs: usize,
    /// First L2 block of the channel that it carries.
    pub l2_first: u64,
    /// Last L2 block.
    pub l2_last: u64,
}

/// What the verifier derived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerifierReport {
    /// The block compared.
    pub number: u64,
    /// The verifier's hash of it.
    pub hash: B256,
    /// The verifier's state root.
    pub state_root: B256,
    /// Whether the sequencer's are the same.
    pub equals_sequencer: bool,
}

/// A withdrawal that was started on L2.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WithdrawalReport {
    /// Who withdraws.
    pub account: String,
    /// What was claimed before.
    #[serde(serialize_with = "decimal")]
    pub claimed_wei: U256,
    /// What is withdrawn.
    #[serde(serialize_with = "decimal")]
    pub amount_wei: U256,
    /// The withdrawal's hash.
    pub hash: B256,
    /// L2 block that recorded it.
    pub l2_block: u64,
}

fn decimal<S: Serializer>(amount: &U256, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(amount)
}

impl ReceiptReport {
    /// Whether the parts sum to what was charged, and with what went back to the fee, to the wei.
    pub fn adds_up(&self) -> bool {
        let credited = self.credited.iter().fold(U256::ZERO, |sum, credit| sum.saturating_add(credit.wei));
        let parts = [self.platform_wei, self.model_wei, self.stakers_wei, credited];
        let sum = parts.iter().fold(U256::ZERO, |sum, part| sum.saturating_add(*part));
        sum == self.charged_wei && sum.saturating_add(self.refunded_wei) == self.fee_wei
    }

    /// Wei that each Datanet's clusters earned.
    pub fn by_datanet(&self) -> BTreeMap<&str, U256> {
        let mut sums = BTreeMap::new();
        for credit in self.credited.iter().filter(|credit| credit.cluster.is_some()) {
            let sum: &mut U256 = sums.entry(credit.datanet.as_str()).or_default();
            *sum = sum.saturating_add(credit.wei);
        }
        sums
    }
}
