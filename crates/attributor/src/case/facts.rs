//! What the chain says of a receipt: everything that a case is held against.

use crate::{
    AttributorError, ClusterCredit, DatasetVersion,
    chain::{Chain, lineage},
    dataset,
};
use alloy_primitives::B256;
use openledger_abi::{IAttribution, IPayouts};
use serde::{Deserialize, Serialize};

/// A receipt and its model, as the chain has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// The chain.
    pub chain_id: u64,
    /// The request, which names the receipt.
    pub request_id: B256,
    /// The model asked.
    pub model: u64,
    /// Hash of the base model.
    pub base: B256,
    /// Hash of the adapter.
    pub adapter_hash: B256,
    /// Hash of the method.
    pub method: B256,
    /// What a re-run may differ by, parts per million.
    pub band_ppm: u32,
    /// The model's Datanets, each with the latest version when it was registered.
    pub datasets: Vec<DatasetVersion>,
    /// Hash of the prompt.
    pub prompt_hash: B256,
    /// Hash of the answer's tokens.
    pub answer_hash: B256,
    /// Merkle root of the scores.
    pub score_root: B256,
    /// Share that no cluster earned.
    pub unattributed_ppm: u32,
    /// Share of payees that the receipt does not name one by one.
    pub tail_ppm: u32,
    /// What clusters earned.
    pub shares: Vec<ClusterCredit>,
}

/// A contribution, as the chain has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContributionFacts {
    /// Its number.
    pub contribution: u64,
    /// Its Datanet.
    pub datanet: u64,
    /// Merkle root of its rows.
    pub root: B256,
    /// How many rows.
    pub rows: u32,
    /// Place of its commitment in the chain's order.
    pub priority: u64,
}

impl Facts {
    /// Reads them.
    pub(crate) async fn read(chain: &Chain, request_id: B256) -> Result<Self, AttributorError> {
        let receipt = chain.call(IAttribution::receiptOfCall { requestId: request_id }).await?;
        let request = chain.call(IPayouts::requestOfCall { requestId: request_id }).await?;
        let spec = chain.call(IAttribution::modelOfCall { model: receipt.model }).await?.spec;
        let shares = lineage(chain, request_id, receipt.shareCount).await?;
        Ok(Self {
            chain_id: chain.chain_id().await?,
            request_id,
            model: receipt.model,
            base: spec.base,
            adapter_hash: spec.adapterHash,
            method: spec.method,
            band_ppm: spec.bandPpm,
            datasets: spec
                .datasets
                .iter()
                .map(|d| DatasetVersion { datanet: d.datanet, version: d.version })
                .collect(),
            prompt_hash: request.promptHash,
            answer_hash: receipt.answerHash,
            score_root: receipt.scoreRoot,
            unattributed_ppm: receipt.unattributedPpm,
            tail_ppm: receipt.tailPpm,
            shares,
        })
    }
}

impl ContributionFacts {
    /// Every contribution of these versions, in the order of their numbers.
    pub(crate) async fn read(
        chain: &Chain,
        versions: &[DatasetVersion],
    ) -> Result<Vec<Self>, AttributorError> {
        let mut found = Vec::new();
        for version in versions {
            for held in dataset::contributions(chain, version.datanet).await? {
                if (1..=version.version).contains(&held.info.sinceVersion) {
                    found.push(Self {
                        contribution: held.number,
                        datanet: held.info.datanet,
                        root: held.info.root,
                        rows: held.info.rows,
                        priority: held.info.priority,
                    });
                }
            }
        }
        found.sort_unstable_by_key(|facts| facts.contribution);
        Ok(found)
    }
}
