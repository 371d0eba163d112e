//! The challenger's transactions, and those by which a model gets its judges.

use super::review::{CaseSource, Review};
use crate::{AttributorError, ClusterDifference, chain::Chain};
use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_signer_local::PrivateKeySigner;
use openledger_abi::ICourt;
use serde::{Deserialize, Serialize};

/// What was sent.
#[derive(Debug, Clone, Serialize)]
pub struct ChallengeReport {
    /// The receipt.
    pub receipt: B256,
    /// The transaction.
    pub transaction: B256,
    /// Its block.
    pub block: u64,
    /// What the challenger put at stake, wei.
    pub stake_wei: String,
    /// Hash of the grounds, which follow the transaction's arguments as JSON.
    pub grounds: B256,
    /// The clusters that differ; empty where the receipt was not run again.
    pub differing: Vec<ClusterDifference>,
}

/// Why a receipt is challenged; published with the challenge.
#[derive(Debug, Serialize, Deserialize)]
struct Grounds {
    receipt: B256,
    differing: Vec<ClusterDifference>,
}

/// A judge by account and key, as a file names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Appointment {
    /// The judge's account.
    pub account: Address,
    /// Its X25519 public key for evidence.
    pub key: B256,
}

/// A model's judges.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JudgeSets {
    /// Who judges first.
    pub first: Vec<Appointment>,
    /// Who hears an appeal: more judges than the first.
    pub appeal: Vec<Appointment>,
}

/// Challenges a receipt. Where there is a case it is run again first, and a receipt that holds is not challenged unless
/// `anyway`.
pub async fn challenge(
    l2_rpc: &str,
    signer: PrivateKeySigner,
    receipt: B256,
    reviewed: Option<(&Review, &CaseSource)>,
    anyway: bool,
) -> Result<ChallengeReport, AttributorError> {
    let chain = Chain::connect(l2_rpc, signer)?;
    let mut differing = Vec::new();
    if let Some((review, source)) = reviewed {
        let case = source.read(Some(receipt)).await?;
        case.check_against(&chain).await?;
        let found = review.examine(case).await?.decision;
        if !found.wrong && !anyway {
            let worst = found.worst_ppm;
            let reason =
                format!("the receipt holds (worst share {worst} ppm off): a challenge would lose its stake");
            return Err(AttributorError::Conflict(reason));
        }
        differing = found.differing;
    }
    let grounds = serde_json::to_vec(&Grounds { receipt, differing: differing.clone() })
        .map_err(AttributorError::journal)?;
    let hash = keccak256(&grounds);
    let stake = chain.call(ICourt::challengeStakeCall {}).await?;
    let call = ICourt::challengeCall { requestId: receipt, grounds: hash };
    let sent = chain.send_with(call, stake, &grounds).await?;
    Ok(ChallengeReport {
        receipt,
        transaction: sent.transaction_hash,
        block: sent.block_number.unwrap_or_default(),
        stake_wei: stake.to_string(),
        grounds: hash,
        differing,
    })
}

/// Appeals the first set's verdict; the transaction.
pub async fn appeal(l2_rpc: &str, signer: PrivateKeySigner, receipt: B256) -> Result<B256, AttributorError> {
    let chain = Chain::connect(l2_rpc, signer)?;
    let bond = chain.call(ICourt::appealBondCall {}).await?;
    Ok(chain.send(ICourt::appealCall { requestId: receipt }, bond).await?.transaction_hash)
}

/// Names a model's judges, who must hold stakes; the model's owner's. The transaction.
pub async fn appoint(
    l2_rpc: &str,
    signer: PrivateKeySigner,
    model: u64,
    sets: &JudgeSets,
) -> Result<B256, AttributorError> {
    let chain = Chain::connect(l2_rpc, signer)?;
    let ascending = |set: &[Appointment]| {
        let mut set = set.to_vec();
        set.sort_unstable_by_key(|judge| judge.account);
        set.iter().map(|judge| ICourt::Judge { account: judge.account, key: judge.key }).collect()
    };
    let call =
        ICourt::setJudgesCall { model, first: ascending(&sets.first), appeal: ascending(&sets.appeal) };
    Ok(chain.send(call, U256::ZERO).await?.transaction_hash)
}

/// Puts up what is missing to a judge's stake.
pub async fn stake(l2_rpc: &str, signer: PrivateKeySigner, wanted: U256) -> Result<(), AttributorError> {
    put_up(&Chain::connect(l2_rpc, signer)?, wanted).await
}

pub(super) async fn put_up(chain: &Chain, wanted: U256) -> Result<(), AttributorError> {
    chain.nothing_pending().await?;
    let held = chain.call(ICourt::stakeOfCall { account: chain.account() }).await?.total;
    if held < wanted {
        chain.send(ICourt::stakeCall {}, wanted - held).await?;
    }
    Ok(())
}
