//! L1 retrieval: what the batcher sent in a block, in calldata or blobs.

use std::{collections::HashMap, sync::Arc};

use alloy_consensus::{Transaction, Typed2718, transaction::SignerRecoverable};
use alloy_eips::eip4844::Blob;
use alloy_primitives::{Address, B256, Bytes};
use openledger_l1::L1Transaction;
use openledger_protocol::blob;
use tracing::debug;

/// Legacy, access list, dynamic fee and blob transactions may carry batches.
const LAST_BATCHER_TYPE: u8 = 3;

/// The batcher's transactions to the inbox. Anyone can send there; only the signature counts.
fn batcher_transactions(
    transactions: &[L1Transaction],
    inbox: Address,
    batcher: Address,
) -> Vec<&L1Transaction> {
    let is_batcher = |tx: &L1Transaction| {
        tx.to() == Some(inbox)
            && tx.ty() <= LAST_BATCHER_TYPE
            && tx.recover_signer().is_ok_and(|sender| sender == batcher)
    };
    transactions.iter().filter(|tx| is_batcher(tx)).collect()
}

/// The versioned hashes of the batcher's blobs, in order.
pub(crate) fn batcher_blobs(transactions: &[L1Transaction], inbox: Address, batcher: Address) -> Vec<B256> {
    let transactions = batcher_transactions(transactions, inbox, batcher);
    let hashes = transactions.into_iter().filter_map(|tx| tx.blob_versioned_hashes());
    hashes.flatten().copied().collect()
}

/// What the batcher sent, in order. A blob that carries nothing readable is passed over; the calldata
/// of a blob transaction has no meaning.
pub(crate) fn batcher_data(
    transactions: &[L1Transaction],
    blobs: &HashMap<B256, Arc<Blob>>,
    inbox: Address,
    batcher: Address,
) -> Vec<Bytes> {
    let mut data = Vec::new();
    for tx in batcher_transactions(transactions, inbox, batcher) {
        let Some(hashes) = tx.blob_versioned_hashes() else {
            data.push(tx.input().clone());
            continue;
        };
        for hash in hashes {
            match blobs.get(hash).map(|blob| blob::decode(blob)) {
                Some(Ok(bytes)) => data.push(bytes.into()),
                Some(Err(error)) => debug!(%hash, %error, "passing over a blob of the batcher"),
                None => debug!(%hash, "blob was not handed over"),
            }
        }
    }
    data
}
