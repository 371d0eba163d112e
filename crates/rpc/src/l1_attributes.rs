//! The L1 attributes that the first transaction of every block carries.

use alloy_primitives::{B256, U256, hex};
use op_revm::L1BlockInfo;
use openledger_primitives::OpenTxEnvelope;

/// L1 attributes as `setL1BlockValuesEcotone`, `…Isthmus` and `…Jovian` pack them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct L1Attributes {
    /// Scalar of the L1 base fee.
    pub base_fee_scalar: u32,
    /// Scalar of the L1 blob base fee.
    pub blob_base_fee_scalar: u32,
    /// Blocks since the first of this L1 origin.
    pub sequence_number: u64,
    /// Timestamp of the L1 origin in seconds.
    pub timestamp: u64,
    /// Number of the L1 origin.
    pub number: u64,
    /// Base fee of the L1 origin in wei.
    pub base_fee: U256,
    /// Blob base fee of the L1 origin in wei.
    pub blob_base_fee: U256,
    /// Hash of the L1 origin.
    pub hash: B256,
    /// Scalar and constant of the operator fee, from Isthmus on.
    pub operator_fee: Option<(u32, u64)>,
    /// Gas of a byte of the data footprint, from Jovian on.
    pub da_footprint_gas_scalar: Option<u16>,
}

fn array<const N: usize>(input: &[u8], at: usize) -> Option<[u8; N]> {
    input.get(at..at + N)?.try_into().ok()
}

impl L1Attributes {
    const ECOTONE: [u8; 4] = hex!("440a5e20");
    const ISTHMUS: [u8; 4] = hex!("098999be");
    const JOVIAN: [u8; 4] = hex!("3db6be2b");

    /// The attributes of a block with these transactions; `None` in genesis.
    pub fn of(transactions: &[OpenTxEnvelope]) -> Option<Self> {
        match transactions.first()? {
            OpenTxEnvelope::Deposit(deposit) => Self::decode(&deposit.input),
            _ => None,
        }
    }

    /// Decodes the calldata.
    pub fn decode(input: &[u8]) -> Option<Self> {
        let selector = array(input, 0)?;
        if ![Self::ECOTONE, Self::ISTHMUS, Self::JOVIAN].contains(&selector) {
            return None;
        }
        let has_operator_fee = selector != Self::ECOTONE;
        Some(Self {
            base_fee_scalar: u32::from_be_bytes(array(input, 4)?),
            blob_base_fee_scalar: u32::from_be_bytes(array(input, 8)?),
            sequence_number: u64::from_be_bytes(array(input, 12)?),
            timestamp: u64::from_be_bytes(array(input, 20)?),
            number: u64::from_be_bytes(array(input, 28)?),
            base_fee: U256::from_be_bytes(array::<32>(input, 36)?),
            blob_base_fee: U256::from_be_bytes(array::<32>(input, 68)?),
            hash: B256::from(array::<32>(input, 100)?),
            operator_fee: if has_operator_fee {
                let constant = u64::from_be_bytes(array(input, 168)?);
                Some((u32::from_be_bytes(array(input, 164)?), constant))
            } else {
                None
            },
            da_footprint_gas_scalar: if selector == Self::JOVIAN {
                Some(u16::from_be_bytes(array(input, 176)?))
            } else {
                None
            },
        })
    }

    /// The fee parameters, for op-revm's fee functions.
    pub fn fee_parameters(&self) -> L1BlockInfo {
        L1BlockInfo {
            l1_base_fee: self.base_fee,
            l1_base_fee_scalar: U256::from(self.base_fee_scalar),
            l1_blob_base_fee: Some(self.blob_base_fee),
            l1_blob_base_fee_scalar: Some(U256::from(self.blob_base_fee_scalar)),
            operator_fee_scalar: self.operator_fee.map(|(scalar, _)| U256::from(scalar)),
            operator_fee_constant: self.operator_fee.map(|(_, constant)| U256::from(constant)),
            da_footprint_gas_scalar: self.da_footprint_gas_scalar,
            ..L1BlockInfo::default()
        }
    }
}
