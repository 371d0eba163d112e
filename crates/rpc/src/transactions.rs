//! Transactions as callers see them, mined and pooled.

use alloy_consensus::{
    Header,
    transaction::{Recovered, TransactionInfo},
};
use alloy_eips::{BlockId, Encodable2718};
use alloy_primitives::{B256, Bytes};
use op_alloy_consensus::transaction::{OpDepositInfo, OpTransactionInfo};
use openledger_primitives::{OpenReceipt, OpenTxEnvelope};

use crate::{error::RpcResult, node::Node};

/// A transaction as the API answers it.
pub(crate) type Transaction = op_alloy_rpc_types::Transaction<OpenTxEnvelope>;

/// A transaction of a block as the API answers it.
pub(crate) fn mined_transaction(
    transaction: Recovered<OpenTxEnvelope>,
    header: &Header,
    block_hash: B256,
    index: usize,
    receipt: &OpenReceipt,
) -> Transaction {
    let info = TransactionInfo {
        hash: Some(transaction.tx_hash()),
        index: Some(index as u64),
        block_hash: Some(block_hash),
        block_number: Some(header.number),
        base_fee: header.base_fee_per_gas,
        block_timestamp: Some(header.timestamp),
    };
    let deposit = OpDepositInfo {
        deposit_nonce: receipt.deposit_nonce(),
        deposit_receipt_version: receipt.deposit_receipt_version(),
    };
    Transaction::from_transaction(transaction, OpTransactionInfo::new(info, deposit))
}

impl Node {
    /// `eth_getTransactionByHash`.
    pub(crate) fn get_transaction(&self, hash: B256) -> RpcResult<Option<Transaction>> {
        if let Some((number, index)) = self.database.transaction_position(hash)? {
            return self.transaction_in(number.into(), index as usize);
        }
        Ok(self.pool.get(&hash).map(|pooled| {
            let transaction = pooled.transaction().clone();
            Transaction::from_transaction(transaction, OpTransactionInfo::default())
        }))
    }

    /// `eth_getTransactionByBlock…AndIndex`.
    pub(crate) fn transaction_in(&self, id: BlockId, index: usize) -> RpcResult<Option<Transaction>> {
        let Some((mut block, hash)) = self.block(id)? else { return Ok(None) };
        if index >= block.body.transactions.len() {
            return Ok(None);
        }
        let (senders, receipts) = self.senders_and_receipts(block.header.number)?;
        let (Some(&sender), Some(receipt)) = (senders.get(index), receipts.get(index)) else {
            return Ok(None);
        };
        let transaction = block.body.transactions.swap_remove(index);
        let transaction = Recovered::new_unchecked(transaction, sender);
        Ok(Some(mined_transaction(transaction, &block.header, hash, index, receipt)))
    }

    /// `eth_getRawTransactionByHash`, `debug_getRawTransaction`.
    pub(crate) fn raw_transaction(&self, hash: B256) -> RpcResult<Option<Bytes>> {
        if let Some((number, index)) = self.database.transaction_position(hash)? {
            let block = self.database.block_by_number(number)?;
            let found = block.as_ref().and_then(|one| one.body.transactions.get(index as usize));
            return Ok(found.map(|transaction| transaction.encoded_2718().into()));
        }
        Ok(self.pool.get(&hash).map(|pooled| pooled.transaction().encoded_2718().into()))
    }
}
