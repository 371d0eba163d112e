//! Checks that receipts are the ones that a header commits to.

use alloy_consensus::{Header, ReceiptEnvelope, proofs::calculate_receipt_root};
use alloy_primitives::B256;

/// The receipts are not this block's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "receipts of L1 block {number} have root {found}, but its header says {expected}: \
     the L1 endpoint is wrong or in the middle of a reorg"
)]
pub struct ReceiptsError {
    /// The block's number.
    pub number: u64,
    /// Root of the receipts at hand.
    pub found: B256,
    /// Root in the header.
    pub expected: B256,
}

/// Checks `receipts` against the receipts root of `header`.
pub fn verify_receipts(header: &Header, receipts: &[ReceiptEnvelope]) -> Result<(), ReceiptsError> {
    let found = calculate_receipt_root(receipts);
    if found == header.receipts_root {
        return Ok(());
    }
    Err(ReceiptsError { number: header.number, found, expected: header.receipts_root })
}
