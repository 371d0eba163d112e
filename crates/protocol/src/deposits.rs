//! User deposits: the portal's `TransactionDeposited` logs as L2 transactions.

use alloy_consensus::ReceiptEnvelope;
use alloy_eips::Encodable2718;
use alloy_primitives::{Address, B256, Bytes, Log, TxKind, U256, b256};
use op_alloy_consensus::{TxDeposit, UserDepositSource};

/// `TransactionDeposited(address indexed from, address indexed to, uint256 indexed version, bytes opaqueData)`.
pub const TRANSACTION_DEPOSITED_TOPIC: B256 =
    b256!("b3813568d9991fc951961fcb4c784893574240a28925604d09fc577c55bb7c32");

/// Mint, value, gas limit and the creation flag, before the data.
const OPAQUE_HEADER_BYTES: usize = 32 + 32 + 8 + 1;

/// Why a log of the portal is no deposit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DepositError {
    /// The event has three indexed parameters.
    #[error("a deposit log has {0} topics where it must have 4")]
    Topics(usize),
    /// An indexed address with something in its upper bytes.
    #[error("a deposit log's topic {0} is no address")]
    Address(B256),
    /// Only version 0 is defined.
    #[error("a deposit log has version {0}: only version 0 is known")]
    Version(B256),
    /// The data is not one ABI-encoded `bytes`.
    #[error("a deposit log's data is not ABI-encoded bytes: {0}")]
    Abi(&'static str),
    /// The opaque data is shorter than its fixed part.
    #[error("a deposit log's opaque data has {0} bytes, fewer than {OPAQUE_HEADER_BYTES}")]
    Opaque(usize),
    /// More is minted than any token has.
    #[error("a deposit mints {0} wei, which does not fit 128 bits")]
    Mint(U256),
}

/// The deposits that the logs of one L1 block hold, in order, as EIP-2718 transactions.
///
/// Failed transactions have no logs that count. Logs of other contracts are passed over.
pub fn user_deposits(
    receipts: &[ReceiptEnvelope],
    l1_block_hash: B256,
    portal: Address,
) -> Result<Vec<Bytes>, DepositError> {
    let mut deposits = Vec::new();
    let mut log_index = 0u64;
    for receipt in receipts {
        for log in receipt.logs() {
            let index = log_index;
            log_index += 1;
            let is_deposit = receipt.status()
                && log.address == portal
                && log.topics().first() == Some(&TRANSACTION_DEPOSITED_TOPIC);
            if is_deposit {
                let deposit = decode_deposit_log(log, l1_block_hash, index)?;
                deposits.push(deposit.encoded_2718().into());
            }
        }
    }
    Ok(deposits)
}

/// Reads one `TransactionDeposited` log; `log_index` counts over the whole L1 block.
pub fn decode_deposit_log(log: &Log, l1_block_hash: B256, log_index: u64) -> Result<TxDeposit, DepositError> {
    let &[_, from, to, version] = log.topics() else {
        return Err(DepositError::Topics(log.topics().len()));
    };
    if !version.is_zero() {
        return Err(DepositError::Version(version));
    }
    let from = address_of(from)?;
    let to = address_of(to)?;
    let opaque = abi_bytes(&log.data.data)?;
    let Some((header, input)) = opaque.split_at_checked(OPAQUE_HEADER_BYTES) else {
        return Err(DepositError::Opaque(opaque.len()));
    };
    let mint = U256::from_be_slice(&header[..32]);
    let gas_limit = U256::from_be_slice(&header[64..72]).saturating_to();
    Ok(TxDeposit {
        source_hash: UserDepositSource::new(l1_block_hash, log_index).source_hash(),
        from,
        to: if header[72] == 0 { TxKind::Call(to) } else { TxKind::Create },
        mint: mint.try_into().map_err(|_| DepositError::Mint(mint))?,
        value: U256::from_be_slice(&header[32..64]),
        gas_limit,
        is_system_transaction: false,
        input: Bytes::copy_from_slice(input),
    })
}

fn address_of(topic: B256) -> Result<Address, DepositError> {
    let address = Address::from_word(topic);
    (address.into_word() == topic).then_some(address).ok_or(DepositError::Address(topic))
}

/// The one `bytes` of ABI-encoded data: offset 32, length, content padded with zeros to a word.
fn abi_bytes(data: &[u8]) -> Result<&[u8], DepositError> {
    let Some((offset, rest)) = data.split_first_chunk::<32>() else {
        return Err(DepositError::Abi("no offset"));
    };
    if U256::from_be_bytes(*offset) != U256::from(32) {
        return Err(DepositError::Abi("the offset is not 32"));
    }
    let Some((length, content)) = rest.split_first_chunk::<32>() else {
        return Err(DepositError::Abi("no length"));
    };
    let length: usize = U256::from_be_bytes(*length).saturating_to();
    let Some(padding) = content.len().checked_sub(length) else {
        return Err(DepositError::Abi("shorter than its length says"));
    };
    if padding >= 32 {
        return Err(DepositError::Abi("longer than its length says"));
    }
    Ok(&content[..length])
}

/// The log that the portal would emit for `deposit`: what tests and the devnet feed the decoder.
pub fn encode_deposit_log(portal: Address, deposit: &TxDeposit) -> Log {
    let mut opaque = Vec::with_capacity(OPAQUE_HEADER_BYTES + deposit.input.len());
    opaque.extend(U256::from(deposit.mint).to_be_bytes::<32>());
    opaque.extend(deposit.value.to_be_bytes::<32>());
    opaque.extend(deposit.gas_limit.to_be_bytes());
    opaque.push(u8::from(deposit.to.is_create()));
    opaque.extend(&deposit.input);

    let mut data = Vec::new();
    data.extend(U256::from(32).to_be_bytes::<32>());
    data.extend(U256::from(opaque.len()).to_be_bytes::<32>());
    data.extend(&opaque);
    data.resize(data.len().next_multiple_of(32), 0);
    let to = deposit.to.to().copied().unwrap_or_default();
    let topics = vec![TRANSACTION_DEPOSITED_TOPIC, deposit.from.into_word(), to.into_word(), B256::ZERO];
    Log::new_unchecked(portal, topics, data.into())
}

#[cfg(test)]
mod tests {
    use alloy_consensus::{Receipt, ReceiptWithBloom};
    use alloy_eips::Decodable2718;
    use alloy_primitives::keccak256;
    use op_alloy_consensus::OpTxEnvelope;
    use proptest::prelude::*;

    use super::*;

    const PORTAL: Address = Address::repeat_byte(0x77);

    fn receipt(status: bool, logs: Vec<Log>) -> ReceiptEnvelope {
        let receipt = Receipt { status: status.into(), cumulative_gas_used: 0, logs };
        ReceiptEnvelope::Eip1559(ReceiptWithBloom::from(receipt))
    }

    fn deposit(mint: u128) -> TxDeposit {
        TxDeposit {
            from: Address::repeat_byte(1),
            to: TxKind::Call(Address::repeat_byte(2)),
            mint,
            value: U256::from(5),
            gas_limit: 21_000,
            input: vec![1, 2, 3].into(),
            ..Default::default()
        }
    }

    #[test]
    fn the_topic_is_the_event_signature() {
        let signature = b"TransactionDeposited(address,address,uint256,bytes)";
        assert_eq!(keccak256(signature), TRANSACTION_DEPOSITED_TOPIC);
    }

    #[test]
    fn log_index_counts_every_log_of_the_block_and_failed_transactions_deposit_nothing() {
        let other = Log::new_unchecked(Address::ZERO, vec![], Bytes::new());
        let hash = B256::repeat_byte(9);
        let receipts = [
            receipt(true, vec![other.clone(), other]),
            receipt(false, vec![encode_deposit_log(PORTAL, &deposit(1))]),
            receipt(true, vec![encode_deposit_log(PORTAL, &deposit(2))]),
        ];
        let found = user_deposits(&receipts, hash, PORTAL).unwrap();
        assert_eq!(found.len(), 1);
        let OpTxEnvelope::Deposit(tx) = OpTxEnvelope::decode_2718_exact(&found[0]).unwrap() else {
            panic!("not a deposit");
        };
        assert_eq!(tx.mint, 2);
        assert_eq!(tx.source_hash, UserDepositSource::new(hash, 3).source_hash());
    }

    #[test]
    fn a_later_version_is_refused() {
        let mut log = encode_deposit_log(PORTAL, &deposit(1));
        let mut topics = log.topics().to_vec();
        topics[3] = B256::with_last_byte(1);
        log = Log::new_unchecked(PORTAL, topics, log.data.data);
        assert!(matches!(decode_deposit_log(&log, B256::ZERO, 0), Err(DepositError::Version(_))));
    }

    proptest! {
        #[test]
        fn a_deposit_survives_its_log(
            mint in any::<u128>(), value in any::<[u8; 32]>(), gas in any::<u64>(),
            create in any::<bool>(), input in prop::collection::vec(any::<u8>(), 0..100),
        ) {
            let deposit = TxDeposit {
                source_hash: UserDepositSource::new(B256::ZERO, 7).source_hash(),
                to: if create { TxKind::Create } else { TxKind::Call(Address::repeat_byte(2)) },
                value: U256::from_be_bytes(value),
                gas_limit: gas,
                input: input.into(),
                ..deposit(mint)
            };
            let log = encode_deposit_log(PORTAL, &deposit);
            prop_assert_eq!(decode_deposit_log(&log, B256::ZERO, 7), Ok(deposit));
        }

        #[test]
        fn any_log_data_ends_in_a_deposit_or_an_error(
            data in prop::collection::vec(any::<u8>(), 0..300), fix_offset in any::<bool>(),
        ) {
            let mut data = data;
            if fix_offset && data.len() > 63 {
                data[..63].fill(0);
                data[31] = 32;
            }
            let topics = vec![TRANSACTION_DEPOSITED_TOPIC, B256::ZERO, B256::ZERO, B256::ZERO];
            let log = Log::new_unchecked(PORTAL, topics, data.into());
            let _ = decode_deposit_log(&log, B256::ZERO, 0);
        }
    }
}
