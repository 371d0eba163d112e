//! What this node says of itself.

use serde::Serialize;

/// The answer to `engine_getClientVersionV1`: a client of its own, so that no registered code fits.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ClientVersion {
    pub(crate) code: &'static str,
    pub(crate) name: &'static str,
    pub(crate) version: String,
    pub(crate) commit: String,
}

/// The methods that `engine_exchangeCapabilities` answers; that method itself is not named.
pub(crate) const CAPABILITIES: [&str; 14] = [
    "engine_newPayloadV1",
    "engine_newPayloadV2",
    "engine_newPayloadV3",
    "engine_newPayloadV4",
    "engine_forkchoiceUpdatedV1",
    "engine_forkchoiceUpdatedV2",
    "engine_forkchoiceUpdatedV3",
    "engine_getPayloadV1",
    "engine_getPayloadV2",
    "engine_getPayloadV3",
    "engine_getPayloadV4",
    "engine_getPayloadBodiesByHashV1",
    "engine_getPayloadBodiesByRangeV1",
    "engine_getClientVersionV1",
];
