//! Which version of a method goes with which fork.

use alloy_hardforks::EthereumHardforks;
use openledger_chainspec::ChainSpec;

use crate::{EngineApiError, error::ApiResult};

/// A method's version, or the fork that brought it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Version {
    /// Paris (Bedrock).
    V1 = 1,
    /// Shanghai (Canyon): withdrawals.
    V2 = 2,
    /// Cancun (Ecotone): parent beacon block root, blob gas.
    V3 = 3,
    /// Prague (Isthmus): requests; on OP chains the withdrawals root.
    V4 = 4,
}

impl Version {
    /// The newest version that brought something to blocks at `timestamp`.
    pub(crate) fn of(spec: &ChainSpec, timestamp: u64) -> Self {
        if spec.is_prague_active_at_timestamp(timestamp) {
            Self::V4
        } else if spec.is_cancun_active_at_timestamp(timestamp) {
            Self::V3
        } else if spec.is_shanghai_active_at_timestamp(timestamp) {
            Self::V2
        } else {
            Self::V1
        }
    }

    /// Refuses a payload at `timestamp` that belongs to another version of the method. `V2` takes what
    /// `V1` took.
    pub(crate) fn check_payload(self, spec: &ChainSpec, timestamp: u64) -> ApiResult<()> {
        let of_block = Self::of(spec, timestamp);
        if self == of_block || (self == Self::V2 && of_block == Self::V1) {
            return Ok(());
        }
        Err(EngineApiError::UnsupportedFork(format!(
            "the payload's time {timestamp} needs version {} of this method, not {}",
            of_block as u8, self as u8
        )))
    }

    /// Refuses attributes at `timestamp` that belong to another version of `forkchoiceUpdated`, whose
    /// `V3` is the last.
    pub(crate) fn check_attributes(self, spec: &ChainSpec, timestamp: u64) -> ApiResult<()> {
        let of_block = Self::of(spec, timestamp).min(Self::V3);
        if self == of_block || (self == Self::V2 && of_block == Self::V1) {
            return Ok(());
        }
        Err(EngineApiError::UnsupportedFork(format!(
            "the attributes' time {timestamp} needs version {} of engine_forkchoiceUpdated, not {}",
            of_block as u8, self as u8
        )))
    }
}
