//! Blocks as callers see them.

use alloy_consensus::{Sealed, transaction::Recovered};
use alloy_eips::BlockId;
use alloy_primitives::{Address, B256};
use alloy_rlp::Encodable;
use alloy_rpc_types_eth::{Block as RpcBlock, BlockTransactions, Header as RpcHeader};
use openledger_primitives::OpenReceipt;
use openledger_storage::Block;

use crate::{
    error::{RpcError, RpcResult},
    node::Node,
    transactions::{Transaction, mined_transaction},
};

/// A block as the API answers it.
pub(crate) type ApiBlock = RpcBlock<Transaction>;

/// A header as the API answers it.
pub(crate) fn api_header(header: alloy_consensus::Header, hash: B256, size: usize) -> RpcHeader {
    let mut header = RpcHeader::from_sealed(Sealed::new_unchecked(header, hash));
    header.size = (size > 0).then(|| alloy_primitives::U256::from(size));
    header
}

impl Node {
    /// `eth_getBlockByNumber`, `eth_getBlockByHash`.
    pub(crate) fn get_block(&self, id: BlockId, full: bool) -> RpcResult<Option<ApiBlock>> {
        let Some((block, hash)) = self.block(id)? else { return Ok(None) };
        let size = block.length();
        let header = block.header.clone();
        let transactions = if full {
            let (senders, receipts) = self.senders_and_receipts(header.number)?;
            let all = block.body.transactions.iter().zip(&senders).zip(&receipts).enumerate();
            let api = all.map(|(index, ((transaction, &sender), receipt))| {
                let transaction = Recovered::new_unchecked(transaction.clone(), sender);
                mined_transaction(transaction, &header, hash, index, receipt)
            });
            BlockTransactions::Full(api.collect())
        } else {
            let hashes = block.body.transactions.iter().map(|transaction| transaction.tx_hash());
            BlockTransactions::Hashes(hashes.collect())
        };
        let withdrawals = block.body.withdrawals;
        Ok(Some(RpcBlock {
            header: api_header(header, hash, size),
            uncles: Vec::new(),
            transactions,
            withdrawals,
        }))
    }

    /// Senders and receipts of a block that is on the chain.
    pub(crate) fn senders_and_receipts(&self, number: u64) -> RpcResult<(Vec<Address>, Vec<OpenReceipt>)> {
        let missing = || RpcError::Internal(format!("block {number} was taken back, ask again"));
        let senders = self.database.senders_of(number)?.ok_or_else(missing)?;
        let receipts = self.database.receipts_of(number)?.ok_or_else(missing)?;
        Ok((senders, receipts))
    }

    /// `eth_getBlockTransactionCountBy…`.
    pub(crate) fn transaction_count(&self, id: BlockId) -> RpcResult<Option<usize>> {
        let Some(at) = self.find(id)? else { return Ok(None) };
        // Each transaction has its sender, and these are quicker to read than the block.
        Ok(self.database.senders_of(at.number)?.map(|senders| senders.len()))
    }

    /// `debug_getRawBlock`.
    pub(crate) fn raw_block(&self, id: BlockId) -> RpcResult<Vec<u8>> {
        let (block, _) = self.block(id)?.ok_or(RpcError::BlockNotFound(id))?;
        Ok(alloy_rlp::encode(&block))
    }

    /// The header of a block that is at hand.
    pub(crate) fn news_header(block: &Block) -> RpcHeader {
        let hash = block.header.hash_slow();
        api_header(block.header.clone(), hash, block.length())
    }
}
