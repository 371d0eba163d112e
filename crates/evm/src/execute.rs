//! Executing a given block and comparing it with its header.

use std::fmt::Debug;

use alloy_consensus::{
    TxReceipt,
    proofs::calculate_receipt_root,
    transaction::{Recovered, SignerRecoverable},
};
use alloy_primitives::{Address, B256, Bloom};
use openledger_chainspec::ChainSpec;
use openledger_primitives::OpenReceipt;
use revm::{DatabaseRef, database::BundleState};

use crate::{
    Block, Differences, ExecutionError, env::evm_env, header::blob_gas_used, session::Rejection,
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
}

impl ExecutedBlock {
    /// Root of the receipts' trie, as Canyon encodes those of deposits.
    pub fn receipts_root(&self) -> B256 {
        calculate_receipt_root(&self.receipts)
    }

    /// Bloom filter over the logs of all receipts.
    pub fn logs_bloom(&self) -> Bloom {
        self.receipts.iter().fold(Bloom::ZERO, |bloom, receipt| bloom | receipt.bloom())
    }
}

/// The sender of each transaction of a block, in order.
pub fn recover_senders(block: &Block) -> Result<Vec<Address>, ExecutionError> {
    let recover = |(index, tx): (usize, &openledger_primitives::OpenTxEnvelope)| {
        tx.recover_signer().map_err(|_| ExecutionError::InvalidTransaction {
            index,
            hash: tx.tx_hash(),
            reason: "its signature is not valid".to_owned(),
        })
    };
    block.body.transactions.iter().enumerate().map(recover).collect()
}

/// Executes `block` on top of `state`, its parent's, and compares gas used, receipts root and logs
/// bloom with the header.
///
/// The header must have passed [`validate_header`](crate::validate_header); the state roots are left
/// to the caller. `senders` are those of [`recover_senders`].
pub fn execute_block<D: DatabaseRef + Debug>(
    spec: &ChainSpec,
    state: D,
    block: &Block,
    senders: &[Address],
) -> Result<ExecutedBlock, ExecutionError> {
    let header = &block.header;
    let mut session = Session::begin(spec, state, evm_env(spec, header), header)?;
    if senders.len() != block.body.transactions.len() {
        return Err(ExecutionError::Internal(format!(
            "{} senders for {} transactions",
            senders.len(),
            block.body.transactions.len()
        )));
    }
    for (index, (tx, sender)) in block.body.transactions.iter().zip(senders).enumerate() {
        let tx = Recovered::new_unchecked(tx.clone(), *sender);
        session.execute(&tx).map_err(|rejection| match rejection {
            Rejection::Invalid(reason) | Rejection::NoRoom(reason) => {
                ExecutionError::InvalidTransaction { index, hash: tx.tx_hash(), reason }
            }
            Rejection::Internal(reason) => ExecutionError::Internal(reason),
        })?;
    }
    let executed = session.finish()?;

    let mut differences = Differences::default();
    differences.compare("gasUsed", &executed.gas_used, &header.gas_used);
    differences.compare("receiptsRoot", &executed.receipts_root(), &header.receipts_root);
    differences.compare("logsBloom", &executed.logs_bloom(), &header.logs_bloom);
    let blob_gas_used = blob_gas_used(spec, header.timestamp, executed.da_footprint);
    differences.compare("blobGasUsed", &blob_gas_used, &header.blob_gas_used);
    if differences.is_empty() {
        Ok(executed)
    } else {
        Err(ExecutionError::InvalidBlock { number: header.number, differences })
    }
}
