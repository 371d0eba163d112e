//! Receipts as callers see them, with the OP fields.

use alloy_consensus::{Receipt, ReceiptWithBloom, Transaction, TxReceipt};
use alloy_eips::{BlockId, Encodable2718};
use alloy_op_evm::spec_by_timestamp_after_bedrock;
use alloy_primitives::{Address, B256, Bytes};
use alloy_rpc_types_eth::{Log, TransactionReceipt};
use op_alloy_consensus::OpDepositReceipt;
use op_alloy_rpc_types::L1BlockInfo;
use op_revm::OpSpecId;
use openledger_primitives::{OpenReceipt, OpenTxEnvelope, OpenTxType};
use openledger_storage::Block;
use serde::Serialize;

use crate::{L1Attributes, error::RpcResult, node::Node};

/// Where a block's logs are, for numbering them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogPlace {
    pub(crate) block_hash: B256,
    pub(crate) block_number: u64,
    pub(crate) block_timestamp: u64,
}

impl LogPlace {
    pub(crate) fn log(
        self,
        log: &alloy_primitives::Log,
        transaction_hash: B256,
        transaction_index: usize,
        log_index: usize,
    ) -> Log {
        Log {
            inner: log.clone(),
            block_hash: Some(self.block_hash),
            block_number: Some(self.block_number),
            block_timestamp: Some(self.block_timestamp),
            transaction_hash: Some(transaction_hash),
            transaction_index: Some(transaction_index as u64),
            log_index: Some(log_index as u64),
            removed: false,
        }
    }
}

/// What a transaction paid for its data, by the attributes of its block.
fn l1_fields(
    transaction: &OpenTxEnvelope,
    attributes: Option<&L1Attributes>,
    spec_id: OpSpecId,
) -> L1BlockInfo {
    let Some(attributes) = attributes.filter(|_| !transaction.is_deposit()) else {
        return L1BlockInfo::default();
    };
    let mut parameters = attributes.fee_parameters();
    let encoded = transaction.encoded_2718();
    L1BlockInfo {
        l1_gas_price: Some(attributes.base_fee.saturating_to()),
        l1_gas_used: Some(parameters.data_gas(&encoded, spec_id).saturating_to()),
        l1_fee: Some(parameters.calculate_tx_l1_cost(&encoded, spec_id).saturating_to()),
        l1_fee_scalar: None,
        l1_base_fee_scalar: Some(attributes.base_fee_scalar.into()),
        l1_blob_base_fee: Some(attributes.blob_base_fee.saturating_to()),
        l1_blob_base_fee_scalar: Some(attributes.blob_base_fee_scalar.into()),
        // As op-geth: shown once the operator fee is set.
        operator_fee_scalar: attributes
            .operator_fee
            .filter(|&fee| fee != (0, 0))
            .map(|(scalar, _)| scalar.into()),
        operator_fee_constant: attributes
            .operator_fee
            .filter(|&fee| fee != (0, 0))
            .map(|(_, constant)| constant.into()),
        da_footprint_gas_scalar: attributes.da_footprint_gas_scalar,
    }
}

/// A receipt as the API answers it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ApiReceipt {
    #[serde(flatten)]
    pub(crate) inner: TransactionReceipt<TypedReceipt>,
    #[serde(flatten)]
    l1_block_info: L1BlockInfo,
}

/// What the chain says of a transaction, with its logs in their places.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct TypedReceipt {
    #[serde(rename = "type")]
    tx_type: OpenTxType,
    #[serde(flatten)]
    receipt: ReceiptWithBloom<OpDepositReceipt<Log>>,
}

impl TypedReceipt {
    fn new(receipt: &OpenReceipt, logs: Vec<Log>) -> Self {
        let inner = Receipt {
            status: receipt.status_or_post_state(),
            cumulative_gas_used: receipt.cumulative_gas_used(),
            logs,
        };
        let logs_bloom = *receipt.logs_bloom();
        let receipt_fields = OpDepositReceipt {
            inner,
            deposit_nonce: receipt.deposit_nonce(),
            deposit_receipt_version: receipt.deposit_receipt_version(),
        };
        Self { tx_type: receipt.tx_type(), receipt: ReceiptWithBloom { receipt: receipt_fields, logs_bloom } }
    }
}

impl Node {
    /// `eth_getTransactionReceipt`.
    pub(crate) fn get_receipt(&self, hash: B256) -> RpcResult<Option<ApiReceipt>> {
        let Some((number, index)) = self.database.transaction_position(hash)? else {
            return Ok(None);
        };
        let receipts = self.get_block_receipts(number.into())?;
        let found = receipts.and_then(|all| all.into_iter().nth(index as usize));
        Ok(found.filter(|receipt| receipt.inner.transaction_hash == hash))
    }

    /// `eth_getBlockReceipts`.
    pub(crate) fn get_block_receipts(&self, id: BlockId) -> RpcResult<Option<Vec<ApiReceipt>>> {
        let Some((block, hash)) = self.block(id)? else { return Ok(None) };
        let (senders, receipts) = self.senders_and_receipts(block.header.number)?;
        Ok(Some(self.api_receipts(&block, hash, &senders, &receipts)))
    }

    fn api_receipts(
        &self,
        block: &Block,
        block_hash: B256,
        senders: &[Address],
        receipts: &[OpenReceipt],
    ) -> Vec<ApiReceipt> {
        let header = &block.header;
        let attributes = L1Attributes::of(&block.body.transactions);
        let spec_id = spec_by_timestamp_after_bedrock(&**self.spec(), header.timestamp);
        let place = LogPlace { block_hash, block_number: header.number, block_timestamp: header.timestamp };
        let mut gas_before = 0;
        let mut logs_before = 0;
        let all = block.body.transactions.iter().zip(senders).zip(receipts).enumerate();
        all.map(|(index, ((transaction, &from), receipt))| {
            let hash = transaction.tx_hash();
            let gas_used = receipt.cumulative_gas_used().saturating_sub(gas_before);
            gas_before = receipt.cumulative_gas_used();
            let logs: Vec<_> = receipt
                .logs()
                .iter()
                .enumerate()
                .map(|(at, log)| place.log(log, hash, index, logs_before + at))
                .collect();
            logs_before += logs.len();
            let nonce = receipt.deposit_nonce().unwrap_or_else(|| transaction.nonce());
            let is_deposit = transaction.is_deposit();
            ApiReceipt {
                inner: TransactionReceipt {
                    inner: TypedReceipt::new(receipt, logs),
                    transaction_hash: hash,
                    transaction_index: Some(index as u64),
                    block_hash: Some(block_hash),
                    block_number: Some(header.number),
                    gas_used,
                    effective_gas_price: if is_deposit {
                        0
                    } else {
                        transaction.effective_gas_price(header.base_fee_per_gas)
                    },
                    blob_gas_used: transaction.blob_gas_used(),
                    blob_gas_price: None,
                    from,
                    to: transaction.to(),
                    contract_address: transaction.is_create().then(|| from.create(nonce)),
                },
                l1_block_info: l1_fields(transaction, attributes.as_ref(), spec_id),
            }
        })
        .collect()
    }

    /// `debug_getRawReceipts`.
    pub(crate) fn raw_receipts(&self, id: BlockId) -> RpcResult<Vec<Bytes>> {
        let at = self.locate(id)?;
        let (_, receipts) = self.senders_and_receipts(at.number)?;
        Ok(receipts.iter().map(|receipt| receipt.encoded_2718().into()).collect())
    }
}
