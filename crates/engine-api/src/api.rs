//! What the methods do, apart from how their parameters are written.

use std::{sync::Arc, time::Duration};

use alloy_primitives::B256;
use alloy_rpc_types_engine::{
    BlobsBundleV1, ExecutionPayloadEnvelopeV2, ExecutionPayloadFieldV2, ExecutionPayloadV1,
    ExecutionPayloadV3, ForkchoiceState, ForkchoiceUpdated, PayloadId, PayloadStatus, PayloadStatusEnum,
};
use op_alloy_rpc_types_engine::{
    OpExecutionPayloadEnvelopeV3, OpExecutionPayloadEnvelopeV4, OpExecutionPayloadV4, OpPayloadAttributes,
};
use openledger_chainspec::ChainSpec;
use openledger_engine::{self as engine, BuiltBlock, EngineHandle, Forkchoice, ForkchoiceStatus};
use openledger_txpool::TxPool;
use serde::Serialize;
use serde_json::{Value, json};
use tracing::{debug, info};

use crate::{
    EngineApiError,
    attributes::check_attributes,
    error::ApiResult,
    methods,
    new_payload::ReceivedPayload,
    payloads::{Improvement, Payloads},
    version::Version,
};

/// Bounds and identity of the Engine API.
#[derive(Debug, Clone)]
pub struct EngineApiConfig {
    /// Payloads that can be fetched at a time.
    pub max_payloads: usize,
    /// Transactions of the pool that are looked at for one payload.
    pub max_transactions: usize,
    /// Pause between two builds of one payload.
    pub rebuild_pause: Duration,
    /// How long fetching a payload waits for the first build with the pool's transactions.
    pub fetch_patience: Duration,
    /// Version that `engine_getClientVersionV1` answers.
    pub version: String,
    /// First four bytes of the commit this was built from, in hex; zeros where unknown.
    pub commit: String,
}

impl Default for EngineApiConfig {
    fn default() -> Self {
        Self {
            max_payloads: 16,
            max_transactions: 20_000,
            rebuild_pause: Duration::from_millis(500),
            fetch_patience: Duration::from_secs(2),
            version: concat!("v", env!("CARGO_PKG_VERSION")).to_owned(),
            commit: "00000000".to_owned(),
        }
    }
}

/// The Engine API of one engine. Cheap to clone.
#[derive(Debug, Clone)]
pub struct EngineApi {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    engine: EngineHandle,
    pool: Option<TxPool>,
    config: EngineApiConfig,
    payloads: Payloads,
}

impl EngineApi {
    /// The API of `engine`. Payloads take transactions of `pool` where there is one.
    pub fn new(engine: EngineHandle, pool: Option<TxPool>, config: EngineApiConfig) -> Self {
        let payloads = Payloads::new(config.max_payloads);
        Self { inner: Arc::new(Inner { engine, pool, config, payloads }) }
    }

    /// Calls a method without a server, as the conformance runner and tests do. `params` is a list; the
    /// answer is `{"result": …}` or `{"error": {"code", "message", "data"}}`.
    pub async fn call(&self, method: &str, params: Value) -> Value {
        let refused = |reason: String| json!({ "error": { "code": -32603, "message": reason } });
        let methods = match methods::module(self.clone()) {
            Ok(module) => module,
            Err(error) => return refused(error.to_string()),
        };
        let request = json!({ "jsonrpc": "2.0", "id": 0, "method": method, "params": params });
        let answer = match methods.raw_json_request(&request.to_string(), 1).await {
            Ok((answer, _)) => serde_json::from_str::<Value>(answer.get()),
            Err(error) => return refused(error.to_string()),
        };
        match answer {
            Ok(Value::Object(mut answer)) => match answer.remove("error") {
                Some(error) => json!({ "error": error }),
                None => json!({ "result": answer.remove("result") }),
            },
            Ok(_) => refused("the answer is no object".to_owned()),
            Err(error) => refused(error.to_string()),
        }
    }

    pub(crate) fn engine(&self) -> &EngineHandle {
        &self.inner.engine
    }

    pub(crate) fn config(&self) -> &EngineApiConfig {
        &self.inner.config
    }

    pub(crate) fn spec(&self) -> &ChainSpec {
        self.inner.engine.database().spec()
    }

    /// `engine_newPayload`.
    pub(crate) async fn new_payload(&self, received: ReceivedPayload) -> ApiResult<PayloadStatus> {
        let (block, hash) = match received {
            ReceivedPayload::Block { block, hash } => (*block, hash),
            ReceivedPayload::Malformed(validation_error) => {
                return Ok(PayloadStatus::from_status(PayloadStatusEnum::Invalid { validation_error }));
            }
        };
        let number = block.header.number;
        let status = match self.engine().new_payload(block, hash).await? {
            engine::PayloadStatus::Valid(id) => PayloadStatus::new(PayloadStatusEnum::Valid, Some(id.hash)),
            engine::PayloadStatus::Accepted => PayloadStatus::from_status(PayloadStatusEnum::Accepted),
            engine::PayloadStatus::Syncing => PayloadStatus::from_status(PayloadStatusEnum::Syncing),
            engine::PayloadStatus::Invalid { latest_valid, reason } => invalid(latest_valid, reason),
        };
        debug!(number, %hash, %status, "new payload");
        Ok(status)
    }

    /// `engine_forkchoiceUpdated`. What is wrong with the attributes is told after the forkchoice took
    /// effect.
    pub(crate) async fn forkchoice_updated(
        &self,
        version: Version,
        state: ForkchoiceState,
        attributes: Option<OpPayloadAttributes>,
    ) -> ApiResult<ForkchoiceUpdated> {
        if state.head_block_hash.is_zero() {
            let reason = "headBlockHash is zero".to_owned();
            return Ok(ForkchoiceUpdated::new(invalid(None, reason)));
        }
        let update = Forkchoice {
            head: state.head_block_hash,
            safe: state.safe_block_hash,
            finalized: state.finalized_block_hash,
        };
        let head = match self.engine().forkchoice(update).await? {
            ForkchoiceStatus::Valid(head) => head,
            ForkchoiceStatus::Syncing => {
                return Ok(ForkchoiceUpdated::from_status(PayloadStatusEnum::Syncing));
            }
            ForkchoiceStatus::Invalid { latest_valid, reason } => {
                return Ok(ForkchoiceUpdated::new(invalid(latest_valid, reason)));
            }
        };
        let updated =
            ForkchoiceUpdated::from_status(PayloadStatusEnum::Valid).with_latest_valid_hash(head.hash);
        let Some(attributes) = attributes else { return Ok(updated) };
        check_attributes(self.spec(), version, &attributes)?;
        let id = self.start_payload(version, head.hash, attributes).await?;
        Ok(updated.with_payload_id(id))
    }

    async fn start_payload(
        &self,
        version: Version,
        parent: B256,
        attributes: OpPayloadAttributes,
    ) -> ApiResult<PayloadId> {
        let id = attributes.payload_id(&parent, version as u8);
        if self.inner.payloads.get(id).is_some() {
            return Ok(id);
        }
        let built = self.engine().build(parent, attributes.clone(), Vec::new()).await?;
        let number = built.block.header.number;
        let pool = self.inner.pool.as_ref().filter(|_| !attributes.no_tx_pool.unwrap_or_default());
        let improvement = pool.map(|pool| Improvement {
            engine: self.engine().clone(),
            pool: pool.clone(),
            parent,
            base_fee_wei: built.block.header.base_fee_per_gas.unwrap_or_default(),
            attributes,
            max_transactions: self.config().max_transactions,
            pause: self.config().rebuild_pause,
        });
        self.inner.payloads.start(id, built, improvement);
        info!(number, %id, "started a payload");
        Ok(id)
    }

    /// `engine_getPayload`.
    pub(crate) async fn get_payload(&self, version: Version, id: PayloadId) -> ApiResult<Value> {
        let job = self.inner.payloads.get(id).ok_or(EngineApiError::UnknownPayload(id))?;
        let built = job.fetch(self.config().fetch_patience).await;
        let BuiltBlock { block, hash, fees_wei, .. } = &*built;
        version.check_payload(self.spec(), block.header.timestamp)?;
        let beacon_root = block.header.parent_beacon_block_root.unwrap_or_default();
        let value = match version {
            Version::V1 => to_json(ExecutionPayloadV1::from_block_unchecked(*hash, block)),
            Version::V2 => to_json(ExecutionPayloadEnvelopeV2 {
                execution_payload: ExecutionPayloadFieldV2::from_block_unchecked(*hash, block),
                block_value: *fees_wei,
            }),
            Version::V3 => to_json(OpExecutionPayloadEnvelopeV3 {
                execution_payload: ExecutionPayloadV3::from_block_unchecked(*hash, block),
                block_value: *fees_wei,
                blobs_bundle: BlobsBundleV1::default(),
                should_override_builder: false,
                parent_beacon_block_root: beacon_root,
            }),
            Version::V4 => to_json(OpExecutionPayloadEnvelopeV4 {
                execution_payload: OpExecutionPayloadV4::from_v3_with_withdrawals_root(
                    ExecutionPayloadV3::from_block_unchecked(*hash, block),
                    block.header.withdrawals_root.unwrap_or_default(),
                ),
                block_value: *fees_wei,
                blobs_bundle: BlobsBundleV1::default(),
                should_override_builder: false,
                parent_beacon_block_root: beacon_root,
                execution_requests: Vec::new(),
            }),
        };
        value.map_err(|error| EngineApiError::Internal(error.to_string()))
    }
}

fn to_json(value: impl Serialize) -> serde_json::Result<Value> {
    serde_json::to_value(value)
}

fn invalid(latest_valid: Option<B256>, validation_error: String) -> PayloadStatus {
    PayloadStatus::new(PayloadStatusEnum::Invalid { validation_error }, latest_valid)
}
