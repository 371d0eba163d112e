//! A judge's service: reads evidence, runs receipts again, votes, and moves cases on when their time has run out.

use super::{
    challenge::put_up,
    review::{Examined, Review, fetch, parse},
    sealed::{EvidenceKey, open},
};
use crate::{AttributorError, Case, ClusterCredit, MAX_CASE_BYTES, chain::Chain};
use alloy_primitives::{B256, U256, keccak256};
use alloy_signer_local::PrivateKeySigner;
use alloy_sol_types::SolValue;
use openledger_abi::{IAttribution, ICourt};
use openledger_model::ModelError;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::Duration,
};
use tracing::{info, warn};

/// Blocks in which a judge that was just started looks for cases.
const LOOK_BACK_BLOCKS: u64 = 100_000;
/// Blocks that are looked at again, for a reorganisation may have moved a challenge.
const AGAIN_BLOCKS: u64 = 64;
/// Evidence that cannot be fetched is tried for until so much of the voting period is left: one in so many.
const LAST_PART: u64 = 4;

/// What a judge runs with.
#[derive(Debug, Clone)]
pub struct JudgeConfig {
    /// HTTP endpoint of an L2 node.
    pub l2_rpc: String,
    /// The judge's account.
    pub signer: PrivateKeySigner,
    /// Opens evidence.
    pub key: EvidenceKey,
    /// What re-runs are made with.
    pub review: Review,
    /// Folder of the verdicts it has reached.
    pub datadir: PathBuf,
    /// What it keeps at stake, wei.
    pub stake_wei: U256,
    /// How often it looks at the chain.
    pub poll: Duration,
}

/// What a judge holds of a receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Whether it is wrong.
    pub wrong: bool,
    /// The right shares where it is wrong; none where the evidence is none.
    pub corrected: Vec<ClusterCredit>,
    /// What was found, in words.
    pub reason: String,
}

impl Verdict {
    fn shares(&self) -> Vec<ICourt::CorrectedShare> {
        let share = |credit: &ClusterCredit| ICourt::CorrectedShare {
            contribution: credit.contribution,
            row: credit.row,
            ppm: credit.ppm,
        };
        self.corrected.iter().map(share).collect()
    }
}

/// A judge at work.
#[derive(Debug)]
pub struct Judge {
    config: JudgeConfig,
    chain: Chain,
    seen_to: Option<u64>,
    open: BTreeSet<B256>,
    /// Cases and phases in which this judge has voted, or may not.
    voted: BTreeSet<(B256, u8)>,
    verdicts: BTreeMap<B256, Verdict>,
}

impl Judge {
    /// Puts up the stake.
    pub async fn start(config: JudgeConfig) -> Result<Self, AttributorError> {
        let datadir = config.datadir.clone();
        std::fs::create_dir_all(&datadir)
            .map_err(|source| AttributorError::Io { path: datadir.display().to_string(), source })?;
        let chain = Chain::connect(&config.l2_rpc, config.signer.clone())?;
        put_up(&chain, config.stake_wei).await?;
        info!(judge = %chain.account(), key = %config.key.public(), "judging");
        Ok(Self {
            config,
            chain,
            seen_to: None,
            open: BTreeSet::new(),
            voted: BTreeSet::new(),
            verdicts: BTreeMap::new(),
        })
    }

    /// Judges for ever.
    pub async fn run(mut self) -> AttributorError {
        loop {
            if let Err(error) = self.pass().await {
                warn!(%error, "looking at the court again later");
            }
            tokio::time::sleep(self.config.poll).await;
        }
    }

    /// Looks at every open case once.
    async fn pass(&mut self) -> Result<(), AttributorError> {
        let latest = self.chain.latest().await?;
        let from = self.seen_to.unwrap_or_else(|| latest.saturating_sub(LOOK_BACK_BLOCKS));
        let from = from.saturating_sub(AGAIN_BLOCKS);
        let seen = self.chain.court_events::<ICourt::Challenged>(from..=latest, None).await?;
        self.open.extend(seen.iter().map(|event| event.requestId));
        self.seen_to = Some(latest);
        for request in self.open.clone() {
            match self.step(request, latest).await {
                Ok(true) => {}
                Ok(false) => {
                    self.open.remove(&request);
                }
                // Another judge was faster, or the node is away: the next look decides.
                Err(error) => warn!(%request, %error, "a step is tried again"),
            }
        }
        Ok(())
    }

    /// Does what a case needs now; whether there will be more to do.
    async fn step(&mut self, request: B256, latest: u64) -> Result<bool, AttributorError> {
        let case = self.chain.call(ICourt::caseOfCall { requestId: request }).await?;
        let late = latest > case.deadline;
        match case.phase {
            ICourt::Phase::Judging | ICourt::Phase::Appealed if !late => {
                self.vote(request, &case, latest).await?;
            }
            ICourt::Phase::Final => return self.execute(request, &case).await,
            ICourt::Phase::None => return Ok(false),
            _ if late => {
                self.chain.send(ICourt::advanceCall { requestId: request }, U256::ZERO).await?;
            }
            _ => {}
        }
        Ok(true)
    }

    async fn vote(&mut self, request: B256, case: &ICourt::Case, latest: u64) -> Result<(), AttributorError> {
        let appealed = case.phase == ICourt::Phase::Appealed;
        let phase = (request, u8::from(appealed));
        if self.voted.contains(&phase) {
            return Ok(());
        }
        let set = self.chain.call(ICourt::judgesOfCall { model: case.model, appeal: appealed }).await?;
        if !set.iter().any(|judge| judge.account == self.chain.account()) {
            self.voted.insert(phase);
            return Ok(());
        }
        let verdict = match self.known(request) {
            Some(verdict) => verdict,
            None => self.reach(request, case, latest).await?,
        };
        let corrected = if verdict.wrong { keccak256(verdict.shares().abi_encode()) } else { B256::ZERO };
        let call = ICourt::voteCall { requestId: request, wrong: verdict.wrong, corrected };
        match self.chain.send(call, U256::ZERO).await {
            Ok(_) => info!(%request, wrong = verdict.wrong, reason = verdict.reason, "voted"),
            // It voted in an earlier life, or sat not in the set of when the case was opened.
            Err(AttributorError::Reverted(reason))
                if reason.contains("AlreadyVoted") || reason.contains("NotJudge") => {}
            Err(error) => return Err(error),
        }
        self.voted.insert(phase);
        Ok(())
    }

    /// A verdict of this or an earlier life.
    fn known(&self, request: B256) -> Option<Verdict> {
        self.verdicts
            .get(&request)
            .cloned()
            .or_else(|| serde_json::from_slice(&std::fs::read(self.path(request)).ok()?).ok())
    }

    fn path(&self, request: B256) -> PathBuf {
        self.config.datadir.join(format!("{request:x}.json"))
    }

    /// Reads the evidence and runs the receipt again.
    async fn reach(
        &mut self,
        request: B256,
        case: &ICourt::Case,
        latest: u64,
    ) -> Result<Verdict, AttributorError> {
        let none = |reason: String| Verdict { wrong: true, corrected: Vec::new(), reason };
        let voting = self.chain.call(ICourt::periodsCall {}).await?.voting;
        let verdict = match self.evidence(request, case, latest).await {
            Ok(held) => {
                let band = held.facts.band_ppm;
                match self.config.review.examine(held).await {
                    Ok(Examined { decision: found, .. }) => {
                        let reason = format!("worst share {} ppm off, allowed are {band}", found.worst_ppm);
                        Verdict { wrong: found.wrong, corrected: found.corrected, reason }
                    }
                    Err(AttributorError::Invalid(reason)) => none(reason),
                    Err(AttributorError::Model(error @ ModelError::Adapter(_))) => none(error.to_string()),
                    Err(error) => return Err(error),
                }
            }
            // Evidence that is there and does not hold is none.
            Err(AttributorError::Invalid(reason)) => none(reason),
            Err(error) if latest + voting / LAST_PART < case.deadline => return Err(error),
            Err(error) => none(format!("the evidence cannot be had: {error}")),
        };
        let bytes = serde_json::to_vec(&verdict).map_err(AttributorError::journal)?;
        let path = self.path(request);
        let partial = path.with_extension("partial");
        std::fs::write(&partial, bytes)
            .and_then(|()| std::fs::rename(&partial, &path))
            .map_err(|source| AttributorError::Io { path: path.display().to_string(), source })?;
        self.verdicts.insert(request, verdict.clone());
        Ok(verdict)
    }

    /// The case that the attestor delivered, held against the chain.
    async fn evidence(
        &self,
        request: B256,
        case: &ICourt::Case,
        latest: u64,
    ) -> Result<Case, AttributorError> {
        let from = latest.saturating_sub(LOOK_BACK_BLOCKS);
        let delivered = self.chain.court_events::<ICourt::Delivered>(from..=latest, Some(request)).await?;
        let uri = delivered
            .into_iter()
            .rev()
            .find_map(|event| (event.evidence == case.evidence).then_some(event.uri))
            .ok_or_else(|| AttributorError::NotFound("no delivery of this evidence".into()))?;
        if !uri.starts_with("http://") && !uri.starts_with("https://") {
            return Err(AttributorError::Invalid("the evidence lies at no http address".into()));
        }
        let sealed = fetch(&uri, None, 3 * MAX_CASE_BYTES).await?;
        if keccak256(&sealed) != case.evidence {
            return Err(AttributorError::NotFound("what lies there has not the evidence's hash".into()));
        }
        let held = parse(&open(request, &sealed, &self.config.key)?)?;
        if held.facts.request_id != request {
            return Err(AttributorError::Invalid("the evidence is another receipt's".into()));
        }
        held.check_against(&self.chain).await?;
        Ok(held)
    }

    /// Tells Attribution a final verdict whose shares this judge knows; whether that is still to do.
    async fn execute(&mut self, request: B256, case: &ICourt::Case) -> Result<bool, AttributorError> {
        let receipt = self.chain.call(IAttribution::receiptOfCall { requestId: request }).await?;
        if receipt.status != IAttribution::ReceiptStatus::Frozen {
            return Ok(false);
        }
        let none = Vec::<ICourt::CorrectedShare>::new();
        let corrected =
            if case.verdict == ICourt::Verdict::Right || keccak256(none.abi_encode()) == case.corrected {
                none
            } else {
                match self.known(request).map(|verdict| verdict.shares()) {
                    Some(shares) if keccak256(shares.abi_encode()) == case.corrected => shares,
                    // Those who voted for other shares know them.
                    _ => return Ok(true),
                }
            };
        self.chain.send(ICourt::executeCall { requestId: request, corrected }, U256::ZERO).await?;
        info!(%request, "executed the verdict");
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::b256;

    #[test]
    fn no_shares_hash_as_the_court_has_it() {
        let none = Verdict { wrong: true, corrected: Vec::new(), reason: String::new() };
        // abi.encode of an empty array: its offset and its length.
        let words = [U256::from(32).to_be_bytes::<32>(), [0; 32]].concat();
        assert_eq!(keccak256(none.shares().abi_encode()), keccak256(words));
        assert_eq!(keccak256(b""), b256!("c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"));
    }
}
