//! The parameters that the `SystemConfig` contract on L1 sets, as `rollup.json` has them.

use alloy_primitives::{Address, B64, B256};
use serde::{Deserialize, Serialize};

/// The system configuration at one L1 block.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SystemConfig {
    /// Who may post batches.
    #[serde(rename = "batcherAddr", alias = "batcherAddress")]
    pub batcher_address: Address,
    /// L1 fee overhead; not used since Ecotone.
    pub overhead: B256,
    /// L1 fee scalars: version byte, zeros, blob base fee scalar and base fee scalar as `u32` each.
    pub scalar: B256,
    /// Gas limit of an L2 block.
    pub gas_limit: u64,
    /// EIP-1559 denominator and elasticity, big-endian `u32` each; zero means the chain's defaults.
    #[serde(default)]
    pub eip1559_params: B64,
    /// Operator fee: 20 zero bytes, scalar as `u32`, constant as `u64`, big-endian.
    #[serde(default)]
    pub operator_fee_params: B256,
    /// The lowest base fee in wei, from Jovian on.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub min_base_fee: u64,
    /// Gas a byte of calldata stands for in the block's footprint, from Jovian on.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub da_footprint_gas_scalar: u16,
}

/// Left out of JSON, so that readers which do not know Jovian accept the file.
fn is_zero<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl SystemConfig {
    /// The operator fee's scalar, in parts per million of the gas used.
    pub fn operator_fee_scalar(&self) -> u32 {
        let [.., a, b, c, d, _, _, _, _, _, _, _, _] = self.operator_fee_params.0;
        u32::from_be_bytes([a, b, c, d])
    }

    /// The operator fee's constant part, in wei a transaction.
    pub fn operator_fee_constant(&self) -> u64 {
        let [.., a, b, c, d, e, f, g, h] = self.operator_fee_params.0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }

    /// The scalar of L1's base fee in the Ecotone L1 fee, 6 decimals.
    pub fn base_fee_scalar(&self) -> u32 {
        let [.., a, b, c, d] = self.scalar.0;
        u32::from_be_bytes([a, b, c, d])
    }

    /// The scalar of L1's blob base fee in the Ecotone L1 fee, 6 decimals; zero in version 0.
    pub fn blob_base_fee_scalar(&self) -> u32 {
        if self.scalar.0[0] == 0 {
            return 0;
        }
        let [.., a, b, c, d, _, _, _, _] = self.scalar.0;
        u32::from_be_bytes([a, b, c, d])
    }
}
