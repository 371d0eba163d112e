//! The receipt of a transaction, whatever its type.

use alloy_consensus::{Eip658Value, Receipt, ReceiptEnvelope, ReceiptWithBloom, TxReceipt, Typed2718};
use alloy_eips::{
    Decodable2718, Encodable2718,
    eip2718::{Eip2718Error, Eip2718Result},
};
use alloy_primitives::{B256, Bloom, Log, bytes::BufMut};
use alloy_rlp::{Decodable, Encodable};
use op_alloy_consensus::{OpDepositReceipt, OpReceiptEnvelope};

use crate::OpenTxType;

/// The receipt of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenReceipt {
    tx_type: OpenTxType,
    /// The deposit's fields are set in receipts of deposits only.
    inner: ReceiptWithBloom<OpDepositReceipt>,
}

impl OpenReceipt {
    /// The receipt of a transaction that is not a deposit.
    pub fn new(tx_type: OpenTxType, receipt: ReceiptWithBloom<Receipt>) -> Self {
        let ReceiptWithBloom { receipt: inner, logs_bloom } = receipt;
        let receipt = OpDepositReceipt { inner, deposit_nonce: None, deposit_receipt_version: None };
        Self { tx_type, inner: ReceiptWithBloom { receipt, logs_bloom } }
    }

    /// The receipt of a deposit.
    pub const fn deposit(receipt: ReceiptWithBloom<OpDepositReceipt>) -> Self {
        Self { tx_type: OpenTxType::Deposit, inner: receipt }
    }

    /// The type of the transaction.
    pub const fn tx_type(&self) -> OpenTxType {
        self.tx_type
    }

    /// The bloom filter over the logs.
    pub const fn logs_bloom(&self) -> &Bloom {
        &self.inner.logs_bloom
    }

    /// The logs.
    pub fn logs(&self) -> &[Log] {
        &self.inner.receipt.inner.logs
    }

    /// Gas used in the block up to and including the transaction.
    pub const fn cumulative_gas_used(&self) -> u64 {
        self.inner.receipt.inner.cumulative_gas_used
    }

    /// The sender's nonce before a deposit.
    pub const fn deposit_nonce(&self) -> Option<u64> {
        self.inner.receipt.deposit_nonce
    }

    /// The version of a deposit's receipt.
    pub const fn deposit_receipt_version(&self) -> Option<u64> {
        self.inner.receipt.deposit_receipt_version
    }

    /// Puts the state root after the transaction in the place of the status, as before Byzantium.
    pub const fn set_post_state(&mut self, root: B256) {
        self.inner.receipt.inner.status = Eip658Value::PostState(root);
    }

    fn decode_payload(tx_type: OpenTxType, buf: &mut &[u8]) -> alloy_rlp::Result<Self> {
        let inner = ReceiptWithBloom::<OpDepositReceipt>::decode(buf)?;
        let receipt = Self { tx_type, inner };
        if tx_type != OpenTxType::Deposit && receipt.deposit_nonce().is_some() {
            return Err(alloy_rlp::Error::ListLengthMismatch { expected: 4, got: 5 });
        }
        Ok(receipt)
    }
}

impl TxReceipt for OpenReceipt {
    type Log = Log;

    fn status_or_post_state(&self) -> Eip658Value {
        self.inner.receipt.inner.status
    }

    fn status(&self) -> bool {
        self.inner.receipt.inner.status.coerce_status()
    }

    fn bloom(&self) -> Bloom {
        self.inner.logs_bloom
    }

    fn bloom_cheap(&self) -> Option<Bloom> {
        Some(self.inner.logs_bloom)
    }

    fn cumulative_gas_used(&self) -> u64 {
        self.inner.receipt.inner.cumulative_gas_used
    }

    fn logs(&self) -> &[Log] {
        &self.inner.receipt.inner.logs
    }

    fn into_logs(self) -> Vec<Log> {
        self.inner.receipt.inner.logs
    }
}

impl Typed2718 for OpenReceipt {
    fn ty(&self) -> u8 {
        self.tx_type.into()
    }
}

impl alloy_eips::eip2718::IsTyped2718 for OpenReceipt {
    fn is_type(type_id: u8) -> bool {
        <OpenTxType as alloy_eips::eip2718::IsTyped2718>::is_type(type_id)
    }
}

impl Encodable2718 for OpenReceipt {
    fn encode_2718_len(&self) -> usize {
        usize::from(self.tx_type != OpenTxType::Legacy) + self.inner.length()
    }

    fn encode_2718(&self, out: &mut dyn BufMut) {
        if self.tx_type != OpenTxType::Legacy {
            out.put_u8(self.ty());
        }
        self.inner.encode(out);
    }
}

impl Decodable2718 for OpenReceipt {
    fn typed_decode(ty: u8, buf: &mut &[u8]) -> Eip2718Result<Self> {
        let tx_type = OpenTxType::try_from(ty).map_err(|_| Eip2718Error::UnexpectedType(ty))?;
        if tx_type == OpenTxType::Legacy {
            return Err(Eip2718Error::UnexpectedType(0));
        }
        Ok(Self::decode_payload(tx_type, buf)?)
    }

    fn fallback_decode(buf: &mut &[u8]) -> Eip2718Result<Self> {
        Ok(Self::decode_payload(OpenTxType::Legacy, buf)?)
    }
}

impl Encodable for OpenReceipt {
    fn encode(&self, out: &mut dyn BufMut) {
        self.network_encode(out);
    }

    fn length(&self) -> usize {
        self.network_len()
    }
}

impl Decodable for OpenReceipt {
    fn decode(buf: &mut &[u8]) -> alloy_rlp::Result<Self> {
        Ok(Self::network_decode(buf)?)
    }
}

impl From<OpReceiptEnvelope> for OpenReceipt {
    /// Of the type 0x7d, which no chain here has, only the contents are kept.
    fn from(receipt: OpReceiptEnvelope) -> Self {
        match receipt {
            OpReceiptEnvelope::Legacy(receipt) | OpReceiptEnvelope::PostExec(receipt) => {
                Self::new(OpenTxType::Legacy, receipt)
            }
            OpReceiptEnvelope::Eip2930(receipt) => Self::new(OpenTxType::Eip2930, receipt),
            OpReceiptEnvelope::Eip1559(receipt) => Self::new(OpenTxType::Eip1559, receipt),
            OpReceiptEnvelope::Eip7702(receipt) => Self::new(OpenTxType::Eip7702, receipt),
            OpReceiptEnvelope::Deposit(receipt) => Self::deposit(receipt),
        }
    }
}

impl From<ReceiptEnvelope> for OpenReceipt {
    fn from(receipt: ReceiptEnvelope) -> Self {
        match receipt {
            ReceiptEnvelope::Legacy(receipt) => Self::new(OpenTxType::Legacy, receipt),
            ReceiptEnvelope::Eip2930(receipt) => Self::new(OpenTxType::Eip2930, receipt),
            ReceiptEnvelope::Eip1559(receipt) => Self::new(OpenTxType::Eip1559, receipt),
            ReceiptEnvelope::Eip4844(receipt) => Self::new(OpenTxType::Eip4844, receipt),
            ReceiptEnvelope::Eip7702(receipt) => Self::new(OpenTxType::Eip7702, receipt),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::Address;

    use super::*;

    fn receipt(status: Eip658Value) -> Receipt {
        let log = Log::new_unchecked(Address::repeat_byte(1), vec![B256::repeat_byte(2)], vec![3].into());
        Receipt { status, cumulative_gas_used: 21_000, logs: vec![log] }
    }

    #[test]
    fn every_receipt_decodes_to_what_was_encoded() {
        let types = [OpenTxType::Legacy, OpenTxType::Eip1559, OpenTxType::Eip4844];
        let statuses = [true.into(), false.into(), Eip658Value::PostState(B256::repeat_byte(4))];
        let mut all: Vec<OpenReceipt> = types
            .into_iter()
            .flat_map(|ty| statuses.map(|status| OpenReceipt::new(ty, receipt(status).with_bloom())))
            .collect();
        for (deposit_nonce, deposit_receipt_version) in [(None, None), (Some(0), None), (Some(7), Some(1))] {
            let inner = receipt(true.into());
            let deposit = OpDepositReceipt { inner, deposit_nonce, deposit_receipt_version };
            all.push(OpenReceipt::deposit(deposit.with_bloom()));
        }
        for one in &all {
            assert_eq!(&OpenReceipt::decode_2718_exact(&one.encoded_2718()).unwrap(), one);
        }
        assert_eq!(alloy_rlp::decode_exact::<Vec<OpenReceipt>>(alloy_rlp::encode(&all)).unwrap(), all);
    }

    #[test]
    fn encodings_are_those_of_the_narrower_types() {
        let inner = receipt(true.into()).with_bloom();
        let ours = OpenReceipt::from(OpReceiptEnvelope::Eip1559(inner.clone()));
        assert_eq!(ours.encoded_2718(), OpReceiptEnvelope::<Log>::Eip1559(inner.clone()).encoded_2718());
        let ours = OpenReceipt::from(ReceiptEnvelope::Eip4844(inner.clone()));
        assert_eq!(ours.encoded_2718(), ReceiptEnvelope::<Log>::Eip4844(inner).encoded_2718());
    }

    #[test]
    fn a_deposits_fields_in_another_receipt_are_refused() {
        let inner = receipt(true.into());
        let deposit = OpDepositReceipt { inner, deposit_nonce: Some(1), deposit_receipt_version: None };
        let mut bytes = OpenReceipt::deposit(deposit.with_bloom()).encoded_2718();
        bytes[0] = 2;
        assert!(OpenReceipt::decode_2718_exact(&bytes).is_err());
    }
}
