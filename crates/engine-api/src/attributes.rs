//! The shape of payload attributes, version by version.

use op_alloy_rpc_types_engine::OpPayloadAttributes;
use openledger_chainspec::ChainSpec;

use crate::{EngineApiError, error::ApiResult, version::Version};

/// Checks that `attributes` have what `version` and the forks at their time ask for. What depends on
/// the parent is checked by building.
pub(crate) fn check_attributes(
    spec: &ChainSpec,
    version: Version,
    attributes: &OpPayloadAttributes,
) -> ApiResult<()> {
    let invalid = |reason: &str| Err(EngineApiError::InvalidAttributes(reason.to_owned()));
    let base = &attributes.payload_attributes;
    let shanghai = Version::of(spec, base.timestamp) >= Version::V2;
    match version {
        Version::V1 if base.withdrawals.is_some() => return invalid("V1 has no withdrawals"),
        Version::V1 | Version::V2 if base.parent_beacon_block_root.is_some() => {
            return invalid("parentBeaconBlockRoot comes with V3");
        }
        Version::V2 if base.withdrawals.is_some() != shanghai => {
            return invalid(if shanghai {
                "withdrawals are missing"
            } else {
                "withdrawals are given before Shanghai"
            });
        }
        Version::V3 | Version::V4 if base.withdrawals.is_none() => return invalid("withdrawals are missing"),
        Version::V3 | Version::V4 if base.parent_beacon_block_root.is_none() => {
            return invalid("parentBeaconBlockRoot is missing");
        }
        _ => {}
    }
    version.check_attributes(spec, base.timestamp)?;
    if spec.is_optimism() && attributes.gas_limit.is_none() {
        return invalid("gasLimit is missing");
    }
    Ok(())
}
