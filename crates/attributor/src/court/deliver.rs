//! The attestor's part: evidence for every challenge of one of its receipts, in time.

use super::sealed::seal;
use crate::{AttributorError, case::collect, service::Shared};
use alloy_primitives::{Address, B256, U256, keccak256};
use openledger_abi::ICourt;
use std::collections::{BTreeMap, BTreeSet};
use tracing::{info, warn};

/// Blocks that are looked at again, for a reorganisation may have moved a challenge.
const AGAIN_BLOCKS: u64 = 64;

/// The challenges that were seen.
#[derive(Debug, Default)]
pub(crate) struct Deliveries {
    seen_to: Option<u64>,
    open: BTreeSet<B256>,
}

impl Deliveries {
    /// Looks for challenges and delivers what they ask for.
    pub(crate) async fn follow(&mut self, shared: &Shared) -> Result<(), AttributorError> {
        let latest = shared.chain.latest().await?;
        let from = match self.seen_to {
            Some(seen) => seen.saturating_sub(AGAIN_BLOCKS),
            // What an earlier life of this process has missed may still be in time.
            None => latest
                .saturating_sub(AGAIN_BLOCKS + shared.chain.call(ICourt::periodsCall {}).await?.evidence),
        };
        let seen = shared.chain.court_events::<ICourt::Challenged>(from..=latest, None).await?;
        self.open.extend(seen.iter().map(|event| event.requestId));
        self.seen_to = Some(latest);
        for request in self.open.clone() {
            match deliver(shared, request, latest).await {
                Ok(()) => {}
                Err(error) if error.is_retryable() => {
                    warn!(%request, %error, "evidence is delivered later");
                    continue;
                }
                Err(error) => warn!(%request, %error, "no evidence can be delivered"),
            }
            self.open.remove(&request);
        }
        Ok(())
    }
}

async fn deliver(shared: &Shared, request: B256, latest: u64) -> Result<(), AttributorError> {
    let case = shared.chain.call(ICourt::caseOfCall { requestId: request }).await?;
    let waits = case.phase == ICourt::Phase::Evidence && case.attestor == shared.chain.account();
    if !waits || latest > case.deadline {
        return Ok(());
    }
    // Who hears an appeal reads the same evidence.
    let mut judges: BTreeMap<Address, B256> = BTreeMap::new();
    for appeal in [false, true] {
        let set = shared.chain.call(ICourt::judgesOfCall { model: case.model, appeal }).await?;
        judges.extend(set.iter().map(|judge| (judge.account, judge.key)));
    }
    let content = serde_json::to_vec(&collect(shared, request).await?).map_err(AttributorError::journal)?;
    let evidence = seal(request, &content, &judges.into_iter().collect::<Vec<_>>())?;
    let hash = keccak256(&evidence);
    let path = shared.evidence.join(format!("{request:x}.json"));
    let io = |source| AttributorError::Io { path: path.display().to_string(), source };
    tokio::fs::create_dir_all(&shared.evidence).await.map_err(io)?;
    let partial = path.with_extension("partial");
    tokio::fs::write(&partial, evidence).await.map_err(io)?;
    tokio::fs::rename(&partial, &path).await.map_err(io)?;
    let uri = format!("{}/v1/evidence/{request}", shared.public_url);
    let call = ICourt::deliverCall { requestId: request, evidence: hash, uri };
    shared.chain.send(call, U256::ZERO).await?;
    info!(%request, "delivered evidence");
    Ok(())
}
