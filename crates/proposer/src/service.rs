//! The loop: wait for the next block to be safe, propose its output root.

use crate::ProposerError;
use alloy_eips::BlockNumberOrTag;
use alloy_network::TransactionBuilder;
use alloy_primitives::{Address, B256, U256};
use alloy_provider::{DynProvider, Provider};
use alloy_rpc_types_eth::TransactionRequest;
use alloy_sol_types::SolCall;
use openledger_abi::op::IL2OutputOracle;
use openledger_protocol::output_root_v0;
use openledger_tx_manager::{TxCandidate, TxManager};
use serde::Deserialize;
use std::time::Duration;
use tokio::time::sleep;
use tracing::{debug, info, warn};

/// Settings of the loop.
#[derive(Debug, Clone)]
pub struct ProposerConfig {
    /// The oracle's address on L1.
    pub oracle: Address,
    /// How often L1 and L2 are looked at.
    pub poll_interval: Duration,
}

/// Proposes one chain's output roots.
#[derive(Debug)]
pub struct Proposer {
    config: ProposerConfig,
    l1: DynProvider,
    l2: DynProvider,
    transactions: TxManager,
}

/// The part of an L2 header that an output root is made of.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct L2Header {
    hash: B256,
    #[serde(with = "alloy_serde::quantity")]
    number: u64,
    state_root: B256,
    withdrawals_root: Option<B256>,
}

impl Proposer {
    /// A proposer over these endpoints.
    pub fn new(config: ProposerConfig, l1: DynProvider, l2: DynProvider, transactions: TxManager) -> Self {
        Self { config, l1, l2, transactions }
    }

    /// Runs for ever; every failure is logged and tried again.
    pub async fn run(self) {
        info!(account = %self.transactions.address(), oracle = %self.config.oracle, "proposer started");
        loop {
            match self.propose().await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => warn!(%error, "no proposal, trying again"),
            }
            sleep(self.config.poll_interval).await;
        }
    }

    /// Proposes the next output if its block is safe.
    async fn propose(&self) -> Result<bool, ProposerError> {
        let next = self.view(IL2OutputOracle::nextBlockNumberCall {}).await?;
        let number =
            u64::try_from(next).map_err(|_| ProposerError::L1(format!("next block number is {next}")))?;
        let safe = self.header(BlockNumberOrTag::Safe).await?;
        if safe.number < number {
            debug!(safe = safe.number, next = number, "the next output's block is not safe yet");
            return Ok(false);
        }
        let block = self.header(BlockNumberOrTag::Number(number)).await?;
        let message_passer = block.withdrawals_root.ok_or_else(|| {
            ProposerError::L2(format!("block {number} has no withdrawals root (before Isthmus?)"))
        })?;
        let root = output_root_v0(block.state_root, message_passer, block.hash);
        let l1 = self
            .l1
            .get_block_by_number(BlockNumberOrTag::Latest)
            .await
            .map_err(|e| ProposerError::L1(e.to_string()))?
            .ok_or_else(|| ProposerError::L1("it has no block".into()))?;
        let call = IL2OutputOracle::proposeL2OutputCall {
            _outputRoot: root,
            _l2BlockNumber: next,
            _l1BlockHash: l1.header.hash,
            _l1BlockNumber: U256::from(l1.header.number),
        };
        let candidate =
            TxCandidate { to: self.config.oracle, data: call.abi_encode().into(), ..Default::default() };
        let receipt = self.transactions.send(&candidate).await?;
        info!(l2_block = number, %root, l1_tx = %receipt.transaction_hash, "proposed an output root");
        Ok(true)
    }

    async fn view<C: SolCall>(&self, call: C) -> Result<C::Return, ProposerError> {
        let request = TransactionRequest::default().with_to(self.config.oracle).with_input(call.abi_encode());
        let output = self.l1.call(request).await.map_err(|e| ProposerError::L1(e.to_string()))?;
        C::abi_decode_returns(&output).map_err(|e| ProposerError::L1(format!("the oracle's answer: {e}")))
    }

    async fn header(&self, tag: BlockNumberOrTag) -> Result<L2Header, ProposerError> {
        let header: Option<L2Header> = self
            .l2
            .raw_request("eth_getBlockByNumber".into(), (tag, false))
            .await
            .map_err(|e| ProposerError::L2(e.to_string()))?;
        header.ok_or_else(|| ProposerError::L2(format!("it has no block {tag}")))
    }
}
