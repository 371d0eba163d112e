//! Executing a given block and comparing it with its header.

use std::fmt::Debug;

use alloy_consensus::{TxReceipt, transaction::Recovered};
use alloy_eips::eip7685::Requests;
use alloy_hardforks::EthereumHardforks;
use alloy_primitives::{Address, B256, Bloom};
use openledger_chainspec::ChainSpec;
use openledger_primitives::OpenReceipt;
use revm::{DatabaseRef, database::BundleState};

use crate::{
    Block, Differences, ExecutionError,
    env::evm_env,
    ethereum,
    header::{blob_gas_used, list_root},
    session::Rejection,
    session::Session,
};

/// What a block gives when it is executed.
#[derive(Debug, Clone)]
pub struct ExecutedBlock {
    /// One receipt a transaction, in order.
    pub receipts: Vec<OpenReceipt>,
    /// Changes of the state, with what they replace.
    pub bundle: BundleState,
    /// Gas used by all transactions.
    pub gas_used: u64,
    /// The Jovian data footprint in gas; 0 before.
    pub da_footprint: u64,
    /// What the block asks of the consensus layer (EIP-7685); nothing on OP chains.
    pub requests: Requests,
}

impl ExecutedBlock {
    /// Root of the receipts' trie, as Canyon encodes those of deposits.
    pub fn receipts_root(&self) -> B256 {
        list_root(&self.receipts)
    }

    /// Bloom filter over the logs of all receipts.
    pub fn logs_bloom(&self) -> Bloom {
        self.receipts.iter().fold(Bloom::ZERO, |bloom, receipt| bloom | receipt.bloom())
    }
}

/// Executes `block` on top of `state`, its parent's, by the OP rules or, where the chain has no `optimism`
/// part, by plain Ethereum's, and compares gas used, receipts root, logs bloom and requests with the header.
///
/// The header must have passed [`validate_header`](crate::validate_header); the state roots are left
/// to the caller. `senders` are those of [`recover_senders`](crate::recover_senders).
pub fn execute_block<D: DatabaseRef + Debug>(
    spec: &ChainSpec,
    state: D,
    block: &Block,
    senders: &[Address],
) -> Result<ExecutedBlock, ExecutionError> {
    let header = &block.header;
    if senders.len() != block.body.transactions.len() {
        return Err(ExecutionError::Internal(format!(
            "{} senders for {} transactions",
            senders.len(),
            block.body.transactions.len()
        )));
    }
    let executed = if spec.is_optimism() {
        execute_op(spec, state, block, senders)?
    } else {
        ethereum::execute(spec, state, block, senders)?
    };

    let mut differences = Differences::default();
    differences.compare("gasUsed", &executed.gas_used, &header.gas_used);
    // Receipts from before Byzantium hold state roots, which only the database can compute.
    if spec.is_optimism() || spec.is_byzantium_active_at_block(header.number) {
        differences.compare("receiptsRoot", &executed.receipts_root(), &header.receipts_root);
    }
    differences.compare("logsBloom", &executed.logs_bloom(), &header.logs_bloom);
    if spec.is_optimism() {
        let blob_gas_used = blob_gas_used(spec, header.timestamp, executed.da_footprint);
        differences.compare("blobGasUsed", &blob_gas_used, &header.blob_gas_used);
    } else if spec.is_prague_active_at_timestamp(header.timestamp) {
        let requests_hash = Some(executed.requests.requests_hash());
        differences.compare("requestsHash", &requests_hash, &header.requests_hash);
    }
    if differences.is_empty() {
        Ok(executed)
    } else {
        Err(ExecutionError::InvalidBlock { number: header.number, differences })
    }
}

fn execute_op<D: DatabaseRef + Debug>(
    spec: &ChainSpec,
    state: D,
    block: &Block,
    senders: &[Address],
) -> Result<ExecutedBlock, ExecutionError> {
    let header = &block.header;
    let mut session = Session::begin(spec, state, evm_env(spec, header), header)?;
    for (index, (tx, sender)) in block.body.transactions.iter().zip(senders).enumerate() {
        let tx = Recovered::new_unchecked(tx.clone(), *sender);
        session.execute(&tx).map_err(|rejection| match rejection {
            Rejection::Invalid(reason) | Rejection::NoRoom(reason) => {
                ExecutionError::InvalidTransaction { index, hash: tx.tx_hash(), reason }
            }
            Rejection::Internal(reason) => ExecutionError::Internal(reason),
        })?;
    }
    session.finish()
}
