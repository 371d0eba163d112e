//! The L1 attributes deposit: what every L2 block says about its L1 origin.
//!
//! Calldata since Ecotone is packed, not ABI-encoded; each fork appends fields:
//!
//! | bytes | field |
//! |---|---|
//! | 0..4 | selector |
//! | 4..8, 8..12 | base fee scalar, blob base fee scalar (`u32`) |
//! | 12..20, 20..28, 28..36 | sequence number, L1 timestamp, L1 number (`u64`) |
//! | 36..68, 68..100 | L1 base fee, L1 blob base fee (`uint256`) |
//! | 100..132, 132..164 | L1 block hash, batcher hash |
//! | 164..168, 168..176 | operator fee scalar (`u32`), constant (`u64`), from Isthmus on |
//! | 176..178 | DA footprint gas scalar (`u16`), from Jovian on |

use alloy_op_hardforks::OpHardfork;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, address};
use op_alloy_consensus::{L1InfoDepositSource, TxDeposit};
use openledger_chainspec::{RollupConfig, SystemConfig};

use crate::L1BlockRef;

/// Gas of the L1 attributes deposit, since Regolith.
pub const L1_ATTRIBUTES_GAS_LIMIT: u64 = 1_000_000;

/// Sender of the L1 attributes deposit; nobody has its key.
const DEPOSITOR: Address = address!("deaddeaddeaddeaddeaddeaddeaddeaddead0001");
/// The `L1Block` predeploy.
const L1_BLOCK: Address = address!("4200000000000000000000000000000000000015");

const ECOTONE_SELECTOR: [u8; 4] = [0x44, 0x0a, 0x5e, 0x20];
const ISTHMUS_SELECTOR: [u8; 4] = [0x09, 0x89, 0x99, 0xbe];
const JOVIAN_SELECTOR: [u8; 4] = [0x3d, 0xb6, 0xbe, 0x2b];

const ECOTONE_BYTES: usize = 164;
const ISTHMUS_BYTES: usize = 176;
const JOVIAN_BYTES: usize = 178;

/// Scalar that Jovian uses where the system configuration has none.
const DEFAULT_DA_FOOTPRINT_GAS_SCALAR: u16 = 400;

/// What an L2 block says about its L1 origin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct L1Info {
    /// Number of the L1 origin.
    pub number: u64,
    /// Timestamp of the L1 origin in seconds.
    pub timestamp: u64,
    /// Base fee of the L1 origin in wei.
    pub base_fee_wei: U256,
    /// Hash of the L1 origin.
    pub block_hash: B256,
    /// How many L2 blocks of this epoch stand before.
    pub sequence_number: u64,
    /// The batcher's address, left-padded to a word.
    pub batcher_hash: B256,
    /// Blob base fee of the L1 origin in wei.
    pub blob_base_fee_wei: U256,
    /// Scalar of the blob base fee, 6 decimals.
    pub blob_base_fee_scalar: u32,
    /// Scalar of the base fee, 6 decimals.
    pub base_fee_scalar: u32,
    /// Operator fee: parts per million of the gas used. Isthmus.
    pub operator_fee_scalar: u32,
    /// Operator fee: wei a transaction. Isthmus.
    pub operator_fee_constant: u64,
    /// Gas a byte of calldata stands for; only from Jovian on, which `Some` selects.
    pub da_footprint_gas_scalar: Option<u16>,
}

/// Why calldata is no L1 attributes call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum L1InfoError {
    /// Neither Ecotone's, Isthmus' nor Jovian's function.
    #[error("unknown selector {0:02x?}")]
    Selector([u8; 4]),
    /// Each function has one exact length.
    #[error("{found} bytes where its function has {expected}")]
    Length {
        /// The length at hand.
        found: usize,
        /// The length that the selector asks for.
        expected: usize,
    },
}

impl L1Info {
    /// What an L2 block at `l2_timestamp` says about `origin`.
    pub fn new(
        config: &RollupConfig,
        system_config: &SystemConfig,
        origin: &L1BlockRef,
        base_fee_wei: u64,
        blob_base_fee_wei: u128,
        sequence_number: u64,
        l2_timestamp: u64,
    ) -> Self {
        let scalar = match system_config.da_footprint_gas_scalar {
            0 => DEFAULT_DA_FOOTPRINT_GAS_SCALAR,
            set => set,
        };
        // The block that activates Jovian still runs the old L1Block contract.
        let jovian = config.is_active(OpHardfork::Jovian, l2_timestamp)
            && (l2_timestamp == config.genesis.l2_time
                || config.is_active(OpHardfork::Jovian, l2_timestamp.saturating_sub(config.block_time)));
        Self {
            number: origin.number,
            timestamp: origin.timestamp,
            base_fee_wei: U256::from(base_fee_wei),
            block_hash: origin.hash,
            sequence_number,
            batcher_hash: system_config.batcher_address.into_word(),
            blob_base_fee_wei: U256::from(blob_base_fee_wei),
            blob_base_fee_scalar: system_config.blob_base_fee_scalar(),
            base_fee_scalar: system_config.base_fee_scalar(),
            operator_fee_scalar: system_config.operator_fee_scalar(),
            operator_fee_constant: system_config.operator_fee_constant(),
            da_footprint_gas_scalar: jovian.then_some(scalar),
        }
    }

    /// The batcher's address.
    pub fn batcher_address(&self) -> Address {
        Address::from_word(self.batcher_hash)
    }

    /// Calldata of `setL1BlockValuesIsthmus()`, or `setL1BlockValuesJovian()` with a DA footprint.
    pub fn encode(&self) -> Bytes {
        let mut data = Vec::with_capacity(JOVIAN_BYTES);
        data.extend(match self.da_footprint_gas_scalar {
            Some(_) => JOVIAN_SELECTOR,
            None => ISTHMUS_SELECTOR,
        });
        data.extend(self.base_fee_scalar.to_be_bytes());
        data.extend(self.blob_base_fee_scalar.to_be_bytes());
        data.extend(self.sequence_number.to_be_bytes());
        data.extend(self.timestamp.to_be_bytes());
        data.extend(self.number.to_be_bytes());
        data.extend(self.base_fee_wei.to_be_bytes::<32>());
        data.extend(self.blob_base_fee_wei.to_be_bytes::<32>());
        data.extend(self.block_hash);
        data.extend(self.batcher_hash);
        data.extend(self.operator_fee_scalar.to_be_bytes());
        data.extend(self.operator_fee_constant.to_be_bytes());
        if let Some(scalar) = self.da_footprint_gas_scalar {
            data.extend(scalar.to_be_bytes());
        }
        data.into()
    }

    /// Reads the calldata of any fork since Ecotone.
    pub fn decode(data: &[u8]) -> Result<Self, L1InfoError> {
        let mut reader = Reader(data);
        let selector = reader.take();
        let expected = match selector {
            ECOTONE_SELECTOR => ECOTONE_BYTES,
            ISTHMUS_SELECTOR => ISTHMUS_BYTES,
            JOVIAN_SELECTOR => JOVIAN_BYTES,
            _ => return Err(L1InfoError::Selector(selector)),
        };
        if data.len() != expected {
            return Err(L1InfoError::Length { found: data.len(), expected });
        }
        Ok(Self {
            base_fee_scalar: u32::from_be_bytes(reader.take()),
            blob_base_fee_scalar: u32::from_be_bytes(reader.take()),
            sequence_number: u64::from_be_bytes(reader.take()),
            timestamp: u64::from_be_bytes(reader.take()),
            number: u64::from_be_bytes(reader.take()),
            base_fee_wei: U256::from_be_bytes::<32>(reader.take()),
            blob_base_fee_wei: U256::from_be_bytes::<32>(reader.take()),
            block_hash: B256::new(reader.take()),
            batcher_hash: B256::new(reader.take()),
            // Past the end of an Ecotone call the reader yields zeros.
            operator_fee_scalar: u32::from_be_bytes(reader.take()),
            operator_fee_constant: u64::from_be_bytes(reader.take()),
            da_footprint_gas_scalar: (expected == JOVIAN_BYTES).then(|| u16::from_be_bytes(reader.take())),
        })
    }

    /// The deposit that carries this into an L2 block.
    pub fn to_deposit(&self) -> TxDeposit {
        TxDeposit {
            source_hash: L1InfoDepositSource::new(self.block_hash, self.sequence_number).source_hash(),
            from: DEPOSITOR,
            to: TxKind::Call(L1_BLOCK),
            mint: 0,
            value: U256::ZERO,
            gas_limit: L1_ATTRIBUTES_GAS_LIMIT,
            is_system_transaction: false,
            input: self.encode(),
        }
    }
}

/// Takes arrays off the front of a slice; zeros once it is used up.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        match self.0.split_first_chunk::<N>() {
            Some((head, rest)) => {
                self.0 = rest;
                *head
            }
            None => {
                self.0 = &[];
                [0; N]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_ecotone_call_of_op_mainnet_is_read() {
        // L1 attributes of OP Mainnet block 118,000,000's era, as published in op-node's tests.
        let data = alloy_primitives::hex!(
            "440a5e2000000558000c5fc5000000000000000500000000661c277300000000012bec20000000000000000000000000000000000000000000000000000000026e9f109900000000000000000000000000000000000000000000000000000000000000011c4c84c50740386c7dc081efddd644405f04cde73e30a2e381737acce9f5add30000000000000000000000006887246668a3b87f54deb3b94ba47a6f63f32985"
        );
        let info = L1Info::decode(&data).unwrap();
        assert_eq!(info.number, 19_655_712);
        assert_eq!(info.sequence_number, 5);
        assert_eq!(info.base_fee_scalar, 1368);
        assert_eq!(info.blob_base_fee_scalar, 810_949);
        assert_eq!(info.batcher_address(), address!("6887246668a3b87f54deb3b94ba47a6f63f32985"));
        assert_eq!(info.operator_fee_constant, 0);
    }

    proptest! {
        #[test]
        fn l1_info_survives_its_encoding(
            numbers in any::<(u64, u64, u64, u64, u32, u32, u32)>(),
            hashes in any::<([u8; 32], [u8; 32], [u8; 32], [u8; 32])>(),
            footprint in any::<Option<u16>>(),
        ) {
            let info = L1Info {
                number: numbers.0,
                timestamp: numbers.1,
                base_fee_wei: U256::from_be_bytes(hashes.0),
                block_hash: B256::new(hashes.1),
                sequence_number: numbers.2,
                batcher_hash: B256::new(hashes.2),
                blob_base_fee_wei: U256::from_be_bytes(hashes.3),
                blob_base_fee_scalar: numbers.4,
                base_fee_scalar: numbers.5,
                operator_fee_scalar: numbers.6,
                operator_fee_constant: numbers.3,
                da_footprint_gas_scalar: footprint,
            };
            prop_assert_eq!(L1Info::decode(&info.encode()), Ok(info));
        }

        #[test]
        fn decoding_any_bytes_ends_in_a_value_or_an_error(
            selector in prop_oneof![
                Just(ECOTONE_SELECTOR), Just(ISTHMUS_SELECTOR), Just(JOVIAN_SELECTOR), any::<[u8; 4]>()
            ],
            rest in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let _ = L1Info::decode(&[&selector[..], &rest].concat());
        }
    }
}
