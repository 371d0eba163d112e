//! Receipts without their blooms, which follow from the logs, and with gas as it was used, not added up.

use alloy_consensus::{Eip658Value, Receipt, TxReceipt, Typed2718};
use alloy_primitives::{Address, B256, Log};
use op_alloy_consensus::OpDepositReceipt;
use openledger_primitives::{OpenReceipt, OpenTxType};

use crate::{Result, StorageError};

const SUCCESS: u8 = 0x01;
const HAS_POST_STATE: u8 = 0x02;
const HAS_NONCE: u8 = 0x04;
const HAS_VERSION: u8 = 0x08;

/// The receipts of a block, one after the other: type, flags, gas used, then what the flags say (state root,
/// deposit nonce, deposit receipt version), the number of logs, and of each log its address, the number of
/// topics, the topics, the length of its data, the data. Numbers are LEB128.
pub(crate) fn encode_receipts(receipts: &[OpenReceipt]) -> Vec<u8> {
    let mut out = Vec::with_capacity(receipts.len() * 16);
    let mut gas_before = 0;
    for receipt in receipts {
        let status = receipt.status_or_post_state();
        let (nonce, version) = (receipt.deposit_nonce(), receipt.deposit_receipt_version());
        let mut flags = match status {
            Eip658Value::Eip658(success) => u8::from(success) * SUCCESS,
            Eip658Value::PostState(_) => HAS_POST_STATE,
        };
        flags |= (u8::from(nonce.is_some()) * HAS_NONCE) | (u8::from(version.is_some()) * HAS_VERSION);
        out.extend_from_slice(&[receipt.ty(), flags]);
        // Wraps where a receipt is nonsense, and comes back the same.
        put_number(&mut out, receipt.cumulative_gas_used().wrapping_sub(gas_before));
        gas_before = receipt.cumulative_gas_used();
        if let Eip658Value::PostState(root) = status {
            out.extend_from_slice(root.as_slice());
        }
        for number in [nonce, version].into_iter().flatten() {
            put_number(&mut out, number);
        }
        put_number(&mut out, receipt.logs().len() as u64);
        for log in receipt.logs() {
            out.extend_from_slice(log.address.as_slice());
            put_number(&mut out, log.topics().len() as u64);
            for topic in log.topics() {
                out.extend_from_slice(topic.as_slice());
            }
            put_number(&mut out, log.data.data.len() as u64);
            out.extend_from_slice(&log.data.data);
        }
    }
    out
}

/// The reverse of [`encode_receipts`], for the receipts of block `number`.
pub(crate) fn decode_receipts(number: u64, mut bytes: &[u8]) -> Result<Vec<OpenReceipt>> {
    let mut receipts = Vec::new();
    let mut gas_before = 0;
    while !bytes.is_empty() {
        let receipt = take_receipt(&mut bytes, &mut gas_before);
        let corrupt = || StorageError::corrupt(format!("receipts of block {number}"), "not receipts");
        receipts.push(receipt.ok_or_else(corrupt)?);
    }
    Ok(receipts)
}

fn take_receipt(bytes: &mut &[u8], gas_before: &mut u64) -> Option<OpenReceipt> {
    let [ty, flags] = *bytes.split_off(..2)?.first_chunk()?;
    let tx_type = OpenTxType::try_from(ty).ok()?;
    if flags >= 2 * HAS_VERSION || flags & (SUCCESS | HAS_POST_STATE) == SUCCESS | HAS_POST_STATE {
        return None;
    }
    *gas_before = gas_before.wrapping_add(take_number(bytes)?);
    let status = match flags & HAS_POST_STATE {
        0 => Eip658Value::Eip658(flags & SUCCESS != 0),
        _ => Eip658Value::PostState(B256::from_slice(bytes.split_off(..32)?)),
    };
    let mut optional = |flag| if flags & flag == 0 { Some(None) } else { take_number(bytes).map(Some) };
    let deposit_nonce = optional(HAS_NONCE)?;
    let deposit_receipt_version = optional(HAS_VERSION)?;
    // A log takes 22 bytes at least: no count can make this allocate more than what was read.
    let count = take_number(bytes).filter(|count| *count <= bytes.len() as u64)?;
    let logs = (0..count).map(|_| take_log(bytes)).collect::<Option<Vec<_>>>()?;
    let inner = Receipt { status, cumulative_gas_used: *gas_before, logs };
    if tx_type == OpenTxType::Deposit {
        let receipt = OpDepositReceipt { inner, deposit_nonce, deposit_receipt_version };
        return Some(OpenReceipt::deposit(receipt.into_with_bloom()));
    }
    (flags < HAS_NONCE).then(|| OpenReceipt::new(tx_type, inner.into_with_bloom()))
}

fn take_log(bytes: &mut &[u8]) -> Option<Log> {
    let address = Address::from_slice(bytes.split_off(..20)?);
    let count = usize::try_from(take_number(bytes)?).ok()?.checked_mul(32)?;
    let (topics, _) = bytes.split_off(..count)?.as_chunks::<32>();
    let topics = topics.iter().map(|topic| B256::new(*topic)).collect();
    let length = usize::try_from(take_number(bytes)?).ok()?;
    let data = bytes.split_off(..length)?.to_vec();
    Some(Log::new_unchecked(address, topics, data.into()))
}

fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn take_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let byte = *bytes.split_off_first()?;
        let part = u64::from(byte & 0x7f);
        if part << shift >> shift != part {
            return None;
        }
        number |= part << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn log() -> impl Strategy<Value = Log> {
        let topics = prop::collection::vec(any::<[u8; 32]>().prop_map(B256::new), 0..5);
        (any::<[u8; 20]>(), topics, prop::collection::vec(any::<u8>(), 0..70))
            .prop_map(|(address, topics, data)| Log::new_unchecked(address.into(), topics, data.into()))
    }

    fn receipt() -> impl Strategy<Value = OpenReceipt> {
        let status = prop_oneof![
            any::<bool>().prop_map(Eip658Value::Eip658),
            any::<[u8; 32]>().prop_map(|root| Eip658Value::PostState(root.into())),
        ];
        let ty = prop::sample::select(vec![0_u8, 1, 2, 3, 4, 126]);
        (
            ty,
            status,
            any::<u64>(),
            prop::collection::vec(log(), 0..3),
            any::<Option<u64>>(),
            any::<Option<u64>>(),
        )
            .prop_map(
                |(ty, status, cumulative_gas_used, logs, deposit_nonce, deposit_receipt_version)| {
                    let inner = Receipt { status, cumulative_gas_used, logs };
                    match OpenTxType::try_from(ty).unwrap() {
                        OpenTxType::Deposit => OpenReceipt::deposit(
                            OpDepositReceipt { inner, deposit_nonce, deposit_receipt_version }
                                .into_with_bloom(),
                        ),
                        tx_type => OpenReceipt::new(tx_type, inner.into_with_bloom()),
                    }
                },
            )
    }

    proptest! {
        #[test]
        fn receipts_decode_to_what_was_encoded(receipts in prop::collection::vec(receipt(), 0..4)) {
            let bytes = encode_receipts(&receipts);
            prop_assert_eq!(&decode_receipts(1, &bytes).unwrap(), &receipts);
            if !receipts.is_empty() {
                prop_assert!(decode_receipts(1, &bytes[..bytes.len() - 1]).is_err());
            }
        }

        #[test]
        fn any_bytes_are_receipts_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            let _ = decode_receipts(1, &bytes);
        }
    }
}
