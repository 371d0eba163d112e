//! The loop that sends, waits, outbids and confirms.

use crate::{FeeLimits, Fees, TxCandidate, TxManagerError};
use alloy_consensus::{
    BlobTransactionSidecarVariant, SignableTransaction, TxEip1559, TxEip4844, TxEip4844WithSidecar,
    TxEnvelope, TypedTransaction,
};
use alloy_eips::{BlockNumberOrTag, Encodable2718, eip7594::BlobTransactionSidecarEip7594};
use alloy_network::TransactionBuilder;
use alloy_primitives::{Address, TxHash};
use alloy_provider::{DynProvider, Provider};
use alloy_rpc_types_eth::{TransactionReceipt, TransactionRequest};
use alloy_signer::SignerSync;
use alloy_signer_local::PrivateKeySigner;
use alloy_transport::TransportError;
use std::{cmp::Ordering, time::Duration};
use tokio::{
    sync::Mutex,
    time::{Instant, sleep},
};
use tracing::{debug, info, warn};

/// Polls in a row after which what the account's nonce says is believed.
const CERTAIN_POLLS: u32 = 5;

/// Timing and bounds.
#[derive(Debug, Clone)]
pub struct TxManagerConfig {
    /// Fee bounds.
    pub limits: FeeLimits,
    /// How long an offer stands before it is raised.
    pub resubmission_timeout: Duration,
    /// How often L1 is asked for receipts.
    pub poll_interval: Duration,
    /// Blocks, the transaction's own included, after which it counts as mined.
    pub confirmations: u64,
    /// How often a candidate is sent at most.
    pub max_attempts: u32,
}

impl Default for TxManagerConfig {
    fn default() -> Self {
        Self {
            limits: FeeLimits::default(),
            resubmission_timeout: Duration::from_secs(48),
            poll_interval: Duration::from_secs(1),
            confirmations: 1,
            max_attempts: 12,
        }
    }
}

/// Sends transactions from one account, one at a time.
#[derive(Debug)]
pub struct TxManager {
    provider: DynProvider,
    signer: PrivateKeySigner,
    chain_id: u64,
    config: TxManagerConfig,
    in_flight: Mutex<()>,
}

impl TxManager {
    /// A manager for the account of `signer` on the chain behind `provider`.
    pub async fn new(
        provider: DynProvider,
        signer: PrivateKeySigner,
        config: TxManagerConfig,
    ) -> Result<Self, TxManagerError> {
        let chain_id = provider.get_chain_id().await?;
        Ok(Self { provider, signer, chain_id, config, in_flight: Mutex::new(()) })
    }

    /// The account that pays.
    pub fn address(&self) -> Address {
        self.signer.address()
    }

    /// Returns once `candidate` is mined with success and confirmed.
    pub async fn send(&self, candidate: &TxCandidate) -> Result<TransactionReceipt, TxManagerError> {
        let _one_at_a_time = self.in_flight.lock().await;
        let sidecar = sidecar(candidate).await?;
        let gas_limit = match candidate.gas_limit {
            Some(gas) => gas,
            None => self.estimate(candidate).await?,
        };
        let nonce = self.provider.get_transaction_count(self.address()).await?;
        let with_blobs = sidecar.is_some();
        let mut fees = self.suggest().await?;
        let mut sent: Vec<TxHash> = Vec::new();
        for attempt in 1..=self.config.max_attempts {
            let tx = self.sign(candidate, sidecar.clone(), nonce, gas_limit, fees)?;
            let hash = *tx.tx_hash();
            match self.provider.send_raw_transaction(&tx.encoded_2718()).await {
                Ok(_) => sent.push(hash),
                Err(error) => match Refusal::of(&error) {
                    Refusal::AlreadyThere => sent.push(hash),
                    Refusal::Outbid => debug!(nonce, attempt, "an earlier offer stands at this nonce"),
                    Refusal::NonceUsed => {}
                    Refusal::Unreachable => warn!(%error, "L1 did not take the transaction, trying again"),
                    Refusal::Final => return Err(TxManagerError::Refused(error.to_string())),
                },
            }
            debug!(%hash, nonce, attempt, tip = fees.tip, max_fee = fees.max_fee, with_blobs, "sent to L1");
            if let Some(receipt) = self.wait(nonce, &sent).await? {
                info!(hash = %receipt.transaction_hash, block = receipt.block_number, gas = receipt.gas_used, "mined on L1");
                return Ok(receipt);
            }
            let today = self.suggest().await.unwrap_or(fees);
            match fees.bumped(today, with_blobs, &self.config.limits) {
                Some(higher) => fees = higher,
                None => warn!(nonce, "the fee limits forbid a higher offer"),
            }
        }
        let attempts = self.config.max_attempts;
        Err(TxManagerError::NotMined { attempts, max_fee_per_gas: fees.max_fee })
    }

    /// Waits for any of `sent` to be confirmed; `None` when the offer should be raised.
    async fn wait(&self, nonce: u64, sent: &[TxHash]) -> Result<Option<TransactionReceipt>, TxManagerError> {
        let deadline = Instant::now() + self.config.resubmission_timeout;
        let (mut taken, mut gaps) = (0, 0);
        loop {
            let mut mined = false;
            for hash in sent.iter().rev() {
                let Ok(Some(receipt)) = self.provider.get_transaction_receipt(*hash).await else { continue };
                mined = true;
                let head = self.provider.get_block_number().await.unwrap_or_default();
                let Some(block) = receipt.block_number else { continue };
                if head.saturating_add(1) >= block.saturating_add(self.config.confirmations) {
                    if !receipt.status() {
                        return Err(TxManagerError::Reverted(*hash));
                    }
                    return Ok(Some(receipt));
                }
            }
            if !mined {
                let used = self.provider.get_transaction_count(self.address()).await;
                match used.map(|used| used.cmp(&nonce)) {
                    Ok(Ordering::Greater) => taken += 1,
                    Ok(Ordering::Less) => gaps += 1,
                    _ => (taken, gaps) = (0, 0),
                }
                // A node's nonce may run ahead of its receipts: it must say the same several times.
                if taken >= CERTAIN_POLLS {
                    return Err(TxManagerError::NonceTaken { nonce });
                }
                if gaps >= CERTAIN_POLLS {
                    return Err(TxManagerError::NonceGap { nonce });
                }
                if Instant::now() >= deadline {
                    return Ok(None);
                }
            }
            sleep(self.config.poll_interval).await;
        }
    }

    async fn suggest(&self) -> Result<Fees, TxManagerError> {
        let history = self.provider.get_fee_history(1, BlockNumberOrTag::Latest, &[]).await?;
        let base_fee = history.base_fee_per_gas.last().copied().unwrap_or_default();
        let blob_base_fee = history.base_fee_per_blob_gas.last().copied().unwrap_or_default();
        let tip = self.provider.get_max_priority_fee_per_gas().await.unwrap_or_default();
        Ok(Fees::suggest(base_fee, blob_base_fee, tip, &self.config.limits))
    }

    async fn estimate(&self, candidate: &TxCandidate) -> Result<u64, TxManagerError> {
        let request = TransactionRequest::default()
            .with_from(self.address())
            .with_to(candidate.to)
            .with_value(candidate.value)
            .with_input(candidate.data.clone());
        let gas = self.provider.estimate_gas(request).await.map_err(|error| match Refusal::of(&error) {
            Refusal::Unreachable => error.into(),
            _ => TxManagerError::Refused(error.to_string()),
        })?;
        Ok(gas.saturating_add(gas / 5))
    }

    fn sign(
        &self,
        candidate: &TxCandidate,
        sidecar: Option<BlobTransactionSidecarVariant>,
        nonce: u64,
        gas_limit: u64,
        fees: Fees,
    ) -> Result<TxEnvelope, TxManagerError> {
        let tx: TypedTransaction = match sidecar {
            None => TxEip1559 {
                chain_id: self.chain_id,
                nonce,
                gas_limit,
                max_fee_per_gas: fees.max_fee,
                max_priority_fee_per_gas: fees.tip,
                to: candidate.to.into(),
                value: candidate.value,
                input: candidate.data.clone(),
                ..Default::default()
            }
            .into(),
            Some(sidecar) => {
                let tx = TxEip4844 {
                    chain_id: self.chain_id,
                    nonce,
                    gas_limit,
                    max_fee_per_gas: fees.max_fee,
                    max_priority_fee_per_gas: fees.tip,
                    max_fee_per_blob_gas: fees.blob_fee,
                    to: candidate.to,
                    value: candidate.value,
                    input: candidate.data.clone(),
                    blob_versioned_hashes: sidecar.versioned_hashes().collect(),
                    ..Default::default()
                };
                TxEip4844WithSidecar::from_tx_and_sidecar(tx, sidecar).into()
            }
        };
        let signature = self.signer.sign_hash_sync(&tx.signature_hash())?;
        Ok(tx.into_signed(signature).into())
    }
}

/// Commitments and cell proofs take tenths of a second a blob, so they are computed off the async threads.
async fn sidecar(candidate: &TxCandidate) -> Result<Option<BlobTransactionSidecarVariant>, TxManagerError> {
    if candidate.blobs.is_empty() {
        return Ok(None);
    }
    let blobs = candidate.blobs.clone();
    let sidecar = tokio::task::spawn_blocking(move || BlobTransactionSidecarEip7594::try_from_blobs(blobs))
        .await
        .map_err(|error| TxManagerError::Blobs(error.to_string()))?
        .map_err(|error| TxManagerError::Blobs(error.to_string()))?;
    Ok(Some(BlobTransactionSidecarVariant::Eip7594(sidecar)))
}

/// What an L1 node's refusal means; nodes differ in words, so the common ones are matched.
enum Refusal {
    AlreadyThere,
    Outbid,
    NonceUsed,
    Unreachable,
    Final,
}

impl Refusal {
    fn of(error: &TransportError) -> Self {
        let Some(response) = error.as_error_resp() else { return Self::Unreachable };
        let message = response.message.to_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
        if says(&["already known", "already imported", "already exists"]) {
            Self::AlreadyThere
        } else if says(&["underpriced", "fee too low", "max fee per gas less than block base fee"]) {
            Self::Outbid
        } else if says(&["nonce too low"]) {
            Self::NonceUsed
        } else if says(&["timeout", "rate limit", "header not found", "internal error"]) {
            Self::Unreachable
        } else {
            Self::Final
        }
    }
}
