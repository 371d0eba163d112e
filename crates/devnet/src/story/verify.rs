//! What the story checks at its end: batches on L1, and the verifier's chain.

use std::time::Duration;

use alloy_consensus::Transaction as _;
use alloy_primitives::{Address, B256};
use alloy_provider::{DynProvider, Provider};
use openledger_chainspec::RollupConfig;
use openledger_l1::{L1Client, L1ClientConfig, L1Source};
use openledger_protocol::{Batch, BatchReader, Channel, L1BlockRef, blob, decode_batcher_transaction};
use serde::Deserialize;
use tokio::time::{Instant, sleep};

use super::{BatchReport, VerifierReport};
use crate::{DevnetError, connect};

const VERIFIED_WITHIN: Duration = Duration::from_secs(120);

#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
struct BlockRoots {
    hash: B256,
    #[serde(with = "alloy_serde::quantity")]
    number: u64,
    state_root: B256,
}

/// Waits until the verifier holds `number` and compares it with the sequencer.
pub(super) async fn verifier(
    sequencer_http: &str,
    verifier_http: &str,
    number: u64,
) -> Result<VerifierReport, DevnetError> {
    let (sequencer, verifier) = (connect(sequencer_http)?, connect(verifier_http)?);
    let deadline = Instant::now() + VERIFIED_WITHIN;
    loop {
        // Either may be away for a moment, as a node is that was killed and is started again.
        if let Ok(Some(derived)) = block(&verifier, number).await
            && let Ok(sealed) = block(&sequencer, number).await
        {
            return Ok(VerifierReport {
                number,
                hash: derived.hash,
                state_root: derived.state_root,
                equals_sequencer: sealed.as_ref() == Some(&derived),
            });
        }
        if Instant::now() >= deadline {
            let what = format!("the verifier to derive block {number}, and the sequencer to show it");
            return Err(DevnetError::Timeout { what, seconds: VERIFIED_WITHIN.as_secs() });
        }
        sleep(Duration::from_millis(500)).await;
    }
}

async fn block(provider: &DynProvider, number: u64) -> Result<Option<BlockRoots>, DevnetError> {
    let found = provider.raw_request("eth_getBlockByNumber".into(), (format!("{number:#x}"), false)).await;
    found.map_err(DevnetError::rpc("eth_getBlockByNumber"))
}

/// Reads every batch transaction from L1 and says which L2 blocks it carries.
pub(super) async fn batches(
    l1_http: &str,
    rollup: &RollupConfig,
    batcher: Address,
) -> Result<Vec<BatchReport>, DevnetError> {
    let failed =
        |error: &dyn std::fmt::Display| DevnetError::Story(format!("reading batches from L1: {error}"));
    let url: url::Url = l1_http.parse().map_err(|error| failed(&error))?;
    let l1 = L1Client::new(L1ClientConfig::new(url.clone(), Some(url))).map_err(|error| failed(&error))?;
    let head = l1.head().await.map_err(|error| failed(&error))?.number;
    let mut reports = Vec::new();
    for number in rollup.genesis.l1.number + 1..=head {
        let Some(header) = l1.block_by_number(number).await.map_err(|error| failed(&error))? else { break };
        let transactions = l1.transactions(&header).await.map_err(|error| failed(&error))?;
        for transaction in transactions.iter() {
            use alloy_consensus::transaction::SignerRecoverable;
            let to_inbox = transaction.to() == Some(rollup.batch_inbox_address);
            if !to_inbox || transaction.recover_signer().ok() != Some(batcher) {
                continue;
            }
            let hashes = transaction.blob_versioned_hashes().unwrap_or_default();
            let blobs = l1.blobs(&header, hashes).await.map_err(|error| failed(&error))?;
            let carried = blobs.iter().filter_map(|blob| blob::decode(blob).ok()).collect::<Vec<_>>();
            if let Some((l2_first, l2_last)) = blocks_of(&carried, rollup) {
                let l1_tx = *transaction.hash();
                reports.push(BatchReport { l1_tx, l1_block: number, blobs: hashes.len(), l2_first, l2_last });
            }
        }
    }
    Ok(reports)
}

/// First and last L2 block of the channel in these blobs; `None` where it is not whole.
fn blocks_of(blobs: &[Vec<u8>], rollup: &RollupConfig) -> Option<(u64, u64)> {
    let mut channel: Option<Channel> = None;
    for blob in blobs {
        for frame in decode_batcher_transaction(blob).ok()? {
            let open = channel.get_or_insert_with(|| Channel::new(frame.channel_id, L1BlockRef::default()));
            open.add(frame).ok()?;
        }
    }
    let mut reader = BatchReader::new(&channel?.into_data()?);
    let mut range: Option<(u64, u64)> = None;
    while let Ok(Some(batch)) = reader.next_batch(rollup.l2_chain_id) {
        let (first, last) = match batch {
            Batch::Span(span) => (
                span.first_timestamp(rollup.genesis.l2_time),
                span.last_timestamp(rollup.genesis.l2_time, rollup.block_time),
            ),
            Batch::Singular(singular) => (singular.timestamp, singular.timestamp),
        };
        let number = |timestamp: u64| {
            rollup.genesis.l2.number
                + timestamp.saturating_sub(rollup.genesis.l2_time) / rollup.block_time.max(1)
        };
        let (first, last) = (number(first), number(last));
        range = Some(range.map_or((first, last), |(low, high)| (low.min(first), high.max(last))));
    }
    range
}
