//! The base fee of the next block: EIP-1559 with the parameters that Holocene and Jovian put in the
//! parent's `extra_data`.

use alloy_consensus::Header;
use alloy_eips::{calc_next_block_base_fee, eip1559::BaseFeeParams};
use alloy_op_hardforks::OpHardforks;
use alloy_primitives::{B64, Bytes};
use op_alloy_consensus::{
    EIP1559ParamError, decode_holocene_extra_data, decode_jovian_extra_data, encode_holocene_extra_data,
    encode_jovian_extra_data,
};
use thiserror::Error;

use crate::ChainSpec;

/// A header whose `extra_data` breaks the rules of its fork.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ExtraDataError {
    /// Wrong length or version byte for the fork.
    #[error("extra_data: {0}")]
    Encoding(#[from] EIP1559ParamError),
    /// The denominator is zero, which no header may say.
    #[error("extra_data: EIP-1559 denominator is zero")]
    ZeroDenominator,
    /// The elasticity is zero, which would make the gas target infinite.
    #[error("extra_data: EIP-1559 elasticity is zero")]
    ZeroElasticity,
    /// Longer than the 32 bytes that plain Ethereum allows.
    #[error("extra_data has {0} bytes, more than 32")]
    TooLong(usize),
}

impl ChainSpec {
    /// The base fee in wei of the block after `parent`.
    ///
    /// `parent` is a validated header; where its `extra_data` is malformed nonetheless, the chain's
    /// default parameters apply.
    pub fn next_base_fee(&self, parent: &Header) -> u64 {
        let Some(base_fee) = parent.base_fee_per_gas else {
            return alloy_eips::eip1559::INITIAL_BASE_FEE;
        };
        let (params, min_base_fee) =
            self.base_fee_params_of(parent).unwrap_or_else(|_| (self.default_base_fee_params(), 0));
        let gas_used = if self.is_jovian_active_at_timestamp(parent.timestamp) {
            // Jovian keeps the data footprint in this field, and prices whichever is scarcer.
            parent.gas_used.max(parent.blob_gas_used.unwrap_or_default())
        } else {
            parent.gas_used
        };
        calc_next_block_base_fee(gas_used, parent.gas_limit, base_fee, params).max(min_base_fee)
    }

    /// The EIP-1559 parameters in force after `header`, and the lowest base fee in wei.
    ///
    /// Fails where `extra_data` breaks the rules of the header's fork, so it serves header validation.
    pub fn base_fee_params_of(&self, header: &Header) -> Result<(BaseFeeParams, u64), ExtraDataError> {
        self.decode_extra_data(header.timestamp, &header.extra_data)
    }

    /// The chain's EIP-1559 parameters where the system configuration sets none.
    pub fn default_base_fee_params(&self) -> BaseFeeParams {
        self.optimism().map_or_else(BaseFeeParams::ethereum, |config| config.base_fee_params())
    }

    /// The `extra_data` of a header at `timestamp` from the parameters of the payload attributes,
    /// zero meaning the chain's defaults; empty before Holocene.
    ///
    /// `min_base_fee` in wei counts from Jovian on only.
    pub fn encode_extra_data(
        &self,
        timestamp: u64,
        eip_1559_params: B64,
        min_base_fee: Option<u64>,
    ) -> Result<Bytes, ExtraDataError> {
        let defaults = self.default_base_fee_params();
        if self.is_jovian_active_at_timestamp(timestamp) {
            let min_base_fee = min_base_fee.unwrap_or_default();
            Ok(encode_jovian_extra_data(eip_1559_params, defaults, min_base_fee)?)
        } else if self.is_holocene_active_at_timestamp(timestamp) {
            Ok(encode_holocene_extra_data(eip_1559_params, defaults)?)
        } else {
            Ok(Bytes::new())
        }
    }

    pub(crate) fn decode_extra_data(
        &self,
        timestamp: u64,
        extra_data: &[u8],
    ) -> Result<(BaseFeeParams, u64), ExtraDataError> {
        let (elasticity, denominator, min_base_fee) = if self.is_jovian_active_at_timestamp(timestamp) {
            decode_jovian_extra_data(extra_data)?
        } else if self.is_holocene_active_at_timestamp(timestamp) {
            let (elasticity, denominator) = decode_holocene_extra_data(extra_data)?;
            (elasticity, denominator, 0)
        } else if extra_data.len() > 32 {
            return Err(ExtraDataError::TooLong(extra_data.len()));
        } else {
            return Ok((self.default_base_fee_params(), 0));
        };
        if denominator == 0 {
            return Err(ExtraDataError::ZeroDenominator);
        }
        if elasticity == 0 {
            return Err(ExtraDataError::ZeroElasticity);
        }
        Ok((BaseFeeParams::new(u128::from(denominator), u128::from(elasticity)), min_base_fee))
    }
}
