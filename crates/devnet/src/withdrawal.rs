//! Withdrawals from L2 to L1: start, prove against an output root, finalize.

use std::time::{Duration, Instant};

use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_provider::{DynProvider, Provider};
use alloy_sol_types::{SolEvent, SolValue};
use openledger_abi::{
    L2_TO_L1_MESSAGE_PASSER,
    op::{IL2OutputOracle, IL2ToL1MessagePasser, IOptimismPortal, OutputRootProof, WithdrawalTransaction},
};

use crate::{Call, DevnetError, L1Contracts, Wallet, view};

const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// Gas that finalizing leaves for the target on L1.
const TARGET_GAS: u64 = 100_000;

/// A withdrawal that L2 has recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct Withdrawal {
    /// What L1 will execute.
    pub transaction: WithdrawalTransaction,
    /// Its hash, which the message passer keeps and the portal knows it by.
    pub hash: B256,
    /// The L2 block that recorded it.
    pub l2_block_number: u64,
}

/// A proof of a withdrawal, as the portal takes it.
#[derive(Debug, Clone)]
pub struct WithdrawalProof {
    /// Index of the output root in the oracle.
    pub output_index: U256,
    /// What the output root is made of.
    pub output_root_proof: OutputRootProof,
    /// Trie nodes from the message passer's storage root to the withdrawal.
    pub storage_proof: Vec<Bytes>,
}

/// Burns `amount_wei` of OPEN on L2 for `target` on L1.
pub async fn start_withdrawal(
    l2: &Wallet,
    target: Address,
    amount_wei: U256,
) -> Result<Withdrawal, DevnetError> {
    let label = format!("withdraw OPEN to {target}");
    let call = IL2ToL1MessagePasser::initiateWithdrawalCall {
        _target: target,
        _gasLimit: U256::from(TARGET_GAS),
        _data: Bytes::new(),
    };
    let call = Call::function(label.clone(), L2_TO_L1_MESSAGE_PASSER, &call).with_value(amount_wei);
    let receipt = l2.send(call).await?;
    let fail = |reason: &str| DevnetError::Transaction { label: label.clone(), reason: reason.to_owned() };
    let passed = receipt
        .logs()
        .iter()
        .filter(|log| log.address() == L2_TO_L1_MESSAGE_PASSER)
        .find_map(|log| IL2ToL1MessagePasser::MessagePassed::decode_log(&log.inner).ok())
        .ok_or_else(|| fail("its receipt has no MessagePassed event"))?;
    let l2_block_number = receipt.block_number.ok_or_else(|| fail("its receipt has no block"))?;
    Ok(Withdrawal {
        transaction: WithdrawalTransaction {
            nonce: passed.nonce,
            sender: passed.sender,
            target: passed.target,
            value: passed.value,
            gasLimit: passed.gasLimit,
            data: passed.data.data.clone(),
        },
        hash: passed.withdrawalHash,
        l2_block_number,
    })
}

/// Waits for an output root that covers the withdrawal and builds the proof from L2.
pub async fn build_withdrawal_proof(
    withdrawal: &Withdrawal,
    l1: &DynProvider,
    l2: &DynProvider,
    contracts: &L1Contracts,
    timeout: Duration,
) -> Result<WithdrawalProof, DevnetError> {
    let oracle = contracts.l2_output_oracle;
    let block = U256::from(withdrawal.l2_block_number);
    let what = format!("an output root of L2 block {block} or later");
    poll(&what, timeout, async || {
        Ok(view(l1, oracle, &IL2OutputOracle::latestBlockNumberCall {}).await? >= block)
    })
    .await?;
    let index = IL2OutputOracle::getL2OutputIndexAfterCall { _l2BlockNumber: block };
    let output_index = view(l1, oracle, &index).await?;
    let output = IL2OutputOracle::getL2OutputCall { _l2OutputIndex: output_index };
    let output = view(l1, oracle, &output).await?;
    let number = u64::try_from(output.l2BlockNumber).unwrap_or(u64::MAX);
    let at = BlockId::Number(BlockNumberOrTag::Number(number));
    let header = l2
        .get_block(at)
        .await
        .map_err(DevnetError::rpc("eth_getBlockByNumber on L2"))?
        .ok_or_else(|| DevnetError::Rpc {
            what: format!("L2 block {number}"),
            reason: "not there, but the oracle has its output root".to_owned(),
        })?
        .header;
    let proof = l2
        .get_proof(L2_TO_L1_MESSAGE_PASSER, vec![sent_message_slot(withdrawal.hash)])
        .block_id(at)
        .await
        .map_err(DevnetError::rpc("eth_getProof on L2"))?;
    let output_root_proof = OutputRootProof {
        version: B256::ZERO,
        stateRoot: header.state_root,
        messagePasserStorageRoot: proof.storage_hash,
        latestBlockhash: header.hash,
    };
    let root = keccak256(output_root_proof.abi_encode());
    if root != output.outputRoot {
        return Err(DevnetError::Rpc {
            what: format!("the output root of L2 block {number}"),
            reason: format!("the oracle has {}, this chain gives {root}", output.outputRoot),
        });
    }
    let storage_proof = proof.storage_proof.into_iter().next().map(|slot| slot.proof);
    Ok(WithdrawalProof { output_index, output_root_proof, storage_proof: storage_proof.unwrap_or_default() })
}

/// Proves the withdrawal on L1.
pub async fn prove_withdrawal(
    l1: &Wallet,
    l2: &DynProvider,
    contracts: &L1Contracts,
    withdrawal: &Withdrawal,
    timeout: Duration,
) -> Result<(), DevnetError> {
    let proof = build_withdrawal_proof(withdrawal, l1.provider(), l2, contracts, timeout).await?;
    let call = IOptimismPortal::proveWithdrawalTransactionCall {
        _tx: withdrawal.transaction.clone(),
        _l2OutputIndex: proof.output_index,
        _outputRootProof: proof.output_root_proof,
        _withdrawalProof: proof.storage_proof,
    };
    let label = format!("prove withdrawal {}", withdrawal.hash);
    l1.send(Call::function(label, contracts.optimism_portal, &call)).await.map(drop)
}

/// Waits for the finalization period to pass and finalizes the withdrawal; fails if the target's
/// call on L1 failed, for it is not repeated.
pub async fn finalize_withdrawal(
    l1: &Wallet,
    contracts: &L1Contracts,
    withdrawal: &Withdrawal,
    timeout: Duration,
) -> Result<(), DevnetError> {
    let portal = contracts.optimism_portal;
    let proven = IOptimismPortal::provenWithdrawalsCall { withdrawalHash: withdrawal.hash };
    let proven = l1.view(portal, &proven).await?;
    let period = IL2OutputOracle::FINALIZATION_PERIOD_SECONDSCall {};
    let period = l1.view(contracts.l2_output_oracle, &period).await?;
    let output = IL2OutputOracle::getL2OutputCall { _l2OutputIndex: U256::from(proven.l2OutputIndex) };
    let output = l1.view(contracts.l2_output_oracle, &output).await?;
    let ready_after = U256::from(proven.timestamp.max(output.timestamp)).saturating_add(period);
    let what = format!("the finalization period of withdrawal {}", withdrawal.hash);
    poll(&what, timeout, async || {
        let latest = l1
            .provider()
            .get_block(BlockId::latest())
            .await
            .map_err(DevnetError::rpc("eth_getBlockByNumber"))?;
        Ok(latest.is_some_and(|block| U256::from(block.header.timestamp) > ready_after))
    })
    .await?;
    let label = format!("finalize withdrawal {}", withdrawal.hash);
    let call = IOptimismPortal::finalizeWithdrawalTransactionCall { _tx: withdrawal.transaction.clone() };
    // Not estimated: an estimate would leave the target too little, which the portal takes for done.
    let call = Call::function(label.clone(), portal, &call).with_gas_limit(1_000_000);
    let receipt = l1.send(call).await?;
    let succeeded = receipt
        .logs()
        .iter()
        .find_map(|log| IOptimismPortal::WithdrawalFinalized::decode_log(&log.inner).ok())
        .is_some_and(|event| event.success);
    if succeeded {
        Ok(())
    } else {
        Err(DevnetError::Transaction { label, reason: "the target's call failed".to_owned() })
    }
}

/// Where the message passer keeps whether it has sent a message: a mapping in slot 0.
fn sent_message_slot(hash: B256) -> B256 {
    keccak256((hash, U256::ZERO).abi_encode())
}

async fn poll(
    what: &str,
    timeout: Duration,
    mut done: impl AsyncFnMut() -> Result<bool, DevnetError>,
) -> Result<(), DevnetError> {
    let deadline = Instant::now() + timeout;
    while !done().await? {
        if Instant::now() >= deadline {
            return Err(DevnetError::Timeout { what: what.to_owned(), seconds: timeout.as_secs() });
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    Ok(())
}
