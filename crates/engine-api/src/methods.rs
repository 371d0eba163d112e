//! The table of methods: name, parameters, answer.

use alloy_primitives::{B256, U64};
use alloy_rpc_types_engine::{ForkchoiceState, PayloadId};
use jsonrpsee::{
    RpcModule,
    core::RegisterMethodError,
    types::{ErrorObjectOwned, Params},
};
use op_alloy_rpc_types_engine::OpPayloadAttributes;

use crate::{
    EngineApi, bodies,
    identity::{CAPABILITIES, ClientVersion},
    new_payload::read_payload,
    version::Version,
};

const NEW_PAYLOAD: [(&str, Version); 4] = [
    ("engine_newPayloadV1", Version::V1),
    ("engine_newPayloadV2", Version::V2),
    ("engine_newPayloadV3", Version::V3),
    ("engine_newPayloadV4", Version::V4),
];

const FORKCHOICE_UPDATED: [(&str, Version); 3] = [
    ("engine_forkchoiceUpdatedV1", Version::V1),
    ("engine_forkchoiceUpdatedV2", Version::V2),
    ("engine_forkchoiceUpdatedV3", Version::V3),
];

const GET_PAYLOAD: [(&str, Version); 4] = [
    ("engine_getPayloadV1", Version::V1),
    ("engine_getPayloadV2", Version::V2),
    ("engine_getPayloadV3", Version::V3),
    ("engine_getPayloadV4", Version::V4),
];

/// All methods of the Engine API.
pub(crate) fn module(api: EngineApi) -> Result<RpcModule<EngineApi>, RegisterMethodError> {
    let mut module = RpcModule::new(api);
    for (name, version) in NEW_PAYLOAD {
        module.register_async_method(name, move |params, api, _| async move {
            let received = read_payload(api.spec(), version, &mut params.sequence())?;
            Ok::<_, ErrorObjectOwned>(api.new_payload(received).await?)
        })?;
    }
    for (name, version) in FORKCHOICE_UPDATED {
        module.register_async_method(name, move |params, api, _| async move {
            let (state, attributes) = forkchoice_params(&params)?;
            Ok::<_, ErrorObjectOwned>(api.forkchoice_updated(version, state, attributes).await?)
        })?;
    }
    for (name, version) in GET_PAYLOAD {
        module.register_async_method(name, move |params, api, _| async move {
            let id: PayloadId = params.one()?;
            Ok::<_, ErrorObjectOwned>(api.get_payload(version, id).await?)
        })?;
    }
    module.register_blocking_method("engine_getPayloadBodiesByHashV1", |params, api, _| {
        let hashes: Vec<B256> = params.one()?;
        Ok::<_, ErrorObjectOwned>(bodies::bodies_by_hash(api.engine().database(), &hashes)?)
    })?;
    module.register_blocking_method("engine_getPayloadBodiesByRangeV1", |params, api, _| {
        let (start, count): (U64, U64) = params.parse()?;
        Ok::<_, ErrorObjectOwned>(bodies::bodies_by_range(api.engine().database(), start.to(), count.to())?)
    })?;
    module.register_method("engine_exchangeCapabilities", |_, _, _| CAPABILITIES)?;
    module.register_method("engine_getClientVersionV1", |_, api, _| {
        let (version, commit) = (api.config().version.clone(), api.config().commit.clone());
        vec![ClientVersion { code: "OL", name: "OpenLedger", version, commit }]
    })?;
    Ok(module)
}

fn forkchoice_params(
    params: &Params<'_>,
) -> Result<(ForkchoiceState, Option<OpPayloadAttributes>), ErrorObjectOwned> {
    let mut params = params.sequence();
    Ok((params.next()?, params.optional_next()?))
}
