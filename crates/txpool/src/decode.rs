//! From the bytes that a wallet sends to a transaction with its sender.

use alloy_consensus::transaction::{Recovered, SignerRecoverable};
use alloy_eips::Decodable2718;
use openledger_primitives::{OpenTxEnvelope, recover_senders};

use crate::{PoolConfig, PoolError};

/// Decodes a raw transaction and recovers its sender. `limit` is its greatest size in bytes.
///
/// Costs some 40 µs for the signature: keep it off the async threads, and use [`PoolConfig::decode_all`] for many.
pub fn decode_raw_transaction(raw: &[u8], limit: usize) -> Result<Recovered<OpenTxEnvelope>, PoolError> {
    decode(raw, limit)?.try_into_recovered().map_err(|_| PoolError::InvalidSignature)
}

fn decode(raw: &[u8], limit: usize) -> Result<OpenTxEnvelope, PoolError> {
    if raw.len() > limit {
        return Err(PoolError::Oversized { size: raw.len(), limit });
    }
    match raw.first() {
        None => return Err(PoolError::Decode("no bytes".into())),
        Some(3) => {
            return Err(PoolError::TypeNotSupported("blob transactions (EIP-4844) belong on L1"));
        }
        Some(0x7e) => {
            return Err(PoolError::TypeNotSupported("deposits come from L1 only"));
        }
        Some(1 | 2 | 4 | 0xc0..) => {}
        Some(_) => return Err(PoolError::TypeNotSupported("this chain takes types 0, 1, 2 and 4")),
    }
    let mut rest = raw;
    let transaction =
        OpenTxEnvelope::decode_2718(&mut rest).map_err(|error| PoolError::Decode(error.to_string()))?;
    if !rest.is_empty() {
        return Err(PoolError::Decode(format!("{} bytes after its end", rest.len())));
    }
    Ok(transaction)
}

impl PoolConfig {
    /// [`decode_raw_transaction`] with this pool's limit.
    pub fn decode(&self, raw: &[u8]) -> Result<Recovered<OpenTxEnvelope>, PoolError> {
        decode_raw_transaction(raw, self.max_transaction_bytes)
    }

    /// [`PoolConfig::decode`] of many, in order, whose senders are recovered together: several times as fast.
    pub fn decode_all(&self, raw: &[impl AsRef<[u8]>]) -> Vec<Result<Recovered<OpenTxEnvelope>, PoolError>> {
        let decoded: Vec<_> =
            raw.iter().map(|raw| decode(raw.as_ref(), self.max_transaction_bytes)).collect();
        let transactions: Vec<_> = decoded.iter().flatten().collect();
        let mut senders = recover_senders(&transactions).into_iter();
        let with_sender = |transaction: Result<OpenTxEnvelope, PoolError>| {
            let transaction = transaction?;
            match senders.next() {
                Some(Ok(sender)) => Ok(Recovered::new_unchecked(transaction, sender)),
                _ => Err(PoolError::InvalidSignature),
            }
        };
        decoded.into_iter().map(with_sender).collect()
    }
}
