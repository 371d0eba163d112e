//! Blobs over the beacon API.

use std::{sync::Arc, time::Duration};

use alloy_consensus::{Header, Sealed};
use alloy_eips::eip4844::{BYTES_PER_BLOB, Blob};
use alloy_primitives::{B256, Bytes};
use reqwest::{StatusCode, Url};
use serde::Deserialize;
use tokio::sync::OnceCell;
use tracing::warn;

use crate::{L1Error, endpoint::redacted, kzg::versioned_hash_of};

/// A block's blobs as hex with room to spare; the schedule would have to grow far beyond today's.
const MAX_RESPONSE_BYTES: usize = 64 << 20;

/// A beacon node, or anvil, which serves as much of one.
#[derive(Debug)]
pub struct BeaconClient {
    base: Url,
    http: reqwest::Client,
    slots: OnceCell<Option<Slots>>,
}

/// How time maps to slots.
#[derive(Debug, Clone, Copy)]
struct Slots {
    genesis_seconds: u64,
    seconds_per_slot: u64,
}

#[derive(Debug, Deserialize)]
struct Data<T> {
    data: T,
}

#[derive(Debug, Deserialize)]
struct Genesis {
    genesis_time: String,
}

#[derive(Debug, Deserialize)]
struct Spec {
    #[serde(rename = "SECONDS_PER_SLOT")]
    seconds_per_slot: String,
}

#[derive(Debug, Deserialize)]
struct Sidecar {
    blob: Bytes,
}

impl BeaconClient {
    /// A client of the node at `base`, whose requests take at most `timeout` each.
    pub fn new(base: Url, timeout: Duration) -> Result<Self, L1Error> {
        let endpoint = redacted(&base);
        let http = reqwest::Client::builder()
            .timeout(timeout)
            .build()
            .map_err(|error| L1Error::Endpoint { endpoint, reason: error.to_string() })?;
        Ok(Self { base, http, slots: OnceCell::new() })
    }

    /// The blobs of a block with the given versioned hashes, in that order.
    pub async fn blobs(&self, header: &Sealed<Header>, hashes: &[B256]) -> Result<Vec<Arc<Blob>>, L1Error> {
        if hashes.is_empty() {
            return Ok(Vec::new());
        }
        let block_id = self.block_id(header).await?;
        let candidates = match self.by_hashes(block_id, hashes).await? {
            Some(blobs) => blobs,
            None => self.sidecars(block_id).await?.unwrap_or_default(),
        };
        let wanted = hashes.to_vec();
        let number = header.number;
        let matching = move || match_blobs(candidates, &wanted, number);
        tokio::task::spawn_blocking(matching).await.map_err(|error| L1Error::Kzg(error.to_string()))?
    }

    async fn by_hashes(&self, id: u64, hashes: &[B256]) -> Result<Option<Vec<Bytes>>, L1Error> {
        let query: Vec<String> = hashes.iter().map(|hash| format!("versioned_hashes={hash}")).collect();
        let path = format!("eth/v1/beacon/blobs/{id}?{}", query.join("&"));
        Ok(self.get::<Data<Vec<Bytes>>>(&path).await?.map(|response| response.data))
    }

    async fn sidecars(&self, id: u64) -> Result<Option<Vec<Bytes>>, L1Error> {
        let path = format!("eth/v1/beacon/blob_sidecars/{id}");
        let response = self.get::<Data<Vec<Sidecar>>>(&path).await?;
        Ok(response.map(|response| response.data.into_iter().map(|s| s.blob).collect()))
    }

    /// The slot of a block; its number where the node knows no slots.
    async fn block_id(&self, header: &Header) -> Result<u64, L1Error> {
        let slots = self.slots.get_or_try_init(|| self.fetch_slots()).await?;
        let slot = slots.and_then(|slots| {
            header.timestamp.checked_sub(slots.genesis_seconds)?.checked_div(slots.seconds_per_slot)
        });
        Ok(slot.unwrap_or(header.number))
    }

    async fn fetch_slots(&self) -> Result<Option<Slots>, L1Error> {
        let Some(spec) = self.get::<Data<Spec>>("eth/v1/config/spec").await? else {
            return Ok(None);
        };
        let Some(genesis) = self.get::<Data<Genesis>>("eth/v1/beacon/genesis").await? else {
            return Ok(None);
        };
        let parse = |value: &str| value.parse().map_err(|_| self.unreachable("malformed number"));
        Ok(Some(Slots {
            genesis_seconds: parse(&genesis.data.genesis_time)?,
            seconds_per_slot: parse(&spec.data.seconds_per_slot)?,
        }))
    }

    /// `None` when the node does not have what is asked for.
    async fn get<T: for<'de> Deserialize<'de>>(&self, path: &str) -> Result<Option<T>, L1Error> {
        // A base with a path of its own keeps it.
        let base = self.base.as_str().trim_end_matches('/');
        let url =
            Url::parse(&format!("{base}/{path}")).map_err(|error| self.unreachable(&error.to_string()))?;
        let failed = |error: reqwest::Error| self.unreachable(&error.without_url().to_string());
        let mut response = self.http.get(url).send().await.map_err(failed)?;
        match response.status() {
            StatusCode::NOT_FOUND | StatusCode::GONE | StatusCode::METHOD_NOT_ALLOWED => {
                return Ok(None);
            }
            status if !status.is_success() => {
                return Err(self.unreachable(&format!("answers {status}")));
            }
            _ => {}
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > MAX_RESPONSE_BYTES {
                return Err(self.unreachable("answers with more bytes than any block's blobs"));
            }
            body.extend(&chunk);
        }
        let parsed = serde_json::from_slice(&body);
        parsed.map(Some).map_err(|error| self.unreachable(&format!("unreadable answer: {error}")))
    }

    fn unreachable(&self, reason: &str) -> L1Error {
        L1Error::Unreachable { endpoint: redacted(&self.base), reason: reason.to_owned() }
    }
}

/// Finds each wanted blob by computing what its hash would be: the node is not trusted.
fn match_blobs(candidates: Vec<Bytes>, wanted: &[B256], block: u64) -> Result<Vec<Arc<Blob>>, L1Error> {
    let mut found: Vec<Option<Arc<Blob>>> = vec![None; wanted.len()];
    for bytes in candidates {
        if found.iter().all(Option::is_some) {
            break;
        }
        if bytes.len() != BYTES_PER_BLOB {
            warn!(bytes = bytes.len(), block, "beacon node serves a blob of a wrong size");
            continue;
        }
        let blob = Arc::new(Blob::from_slice(&bytes));
        // A blob with an element outside the field has no commitment, so it is none of ours.
        let Ok(hash) = versioned_hash_of(&blob) else { continue };
        for (slot, _) in found.iter_mut().zip(wanted).filter(|(_, wanted)| **wanted == hash) {
            *slot = Some(blob.clone());
        }
    }
    let with_hash = found.into_iter().zip(wanted);
    with_hash.map(|(blob, &hash)| blob.ok_or(L1Error::MissingBlob { hash, block })).collect()
}
