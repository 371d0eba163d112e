//! The senders of many transactions at once.

use std::borrow::Borrow;

use alloy_consensus::crypto::RecoveryError;
use alloy_primitives::Address;
use openledger_signer_recovery::recover_signers;

use crate::OpenTxEnvelope;

/// The sender of each transaction, in order, on one thread: several times as fast as one after the other where
/// the processor can recover signatures side by side.
pub fn recover_senders<T: Borrow<OpenTxEnvelope>>(transactions: &[T]) -> Vec<Result<Address, RecoveryError>> {
    let mut signed = Vec::with_capacity(transactions.len());
    let unsigned: Vec<Option<Address>> = transactions
        .iter()
        .map(|tx| match tx.borrow().signed() {
            Ok((signature, hash)) => {
                signed.push((*signature, hash));
                None
            }
            Err(from) => Some(from),
        })
        .collect();
    let mut recovered = recover_signers(&signed).into_iter();
    let sender = |unsigned: Option<Address>| match unsigned {
        Some(from) => Ok(from),
        None => recovered.next().unwrap_or_else(|| Err(RecoveryError::new())),
    };
    unsigned.into_iter().map(sender).collect()
}
