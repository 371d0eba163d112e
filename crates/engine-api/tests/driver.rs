//! The Engine API driven over HTTP as op-node does it.
#![allow(clippy::unwrap_used)]

#[path = "../../engine/tests/node/mod.rs"]
mod node;

use std::{
    os::unix::fs::PermissionsExt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use alloy_primitives::{Address, B64, B256, U256, address};
use jsonrpsee::RpcModule;
use node::{Node, mint, tx};
use openledger_engine_api::{
    Claims, EngineApi, EngineApiConfig, EngineApiHandle, EngineApiServer, JwtSecret, ServerConfig,
    load_or_create_secret,
};
use openledger_txpool::{PoolConfig, TxPool};
use serde_json::{Value, json};

const GENESIS_TIME: u64 = 0x6500_0000;

fn config() -> EngineApiConfig {
    EngineApiConfig { rebuild_pause: Duration::from_millis(20), ..Default::default() }
}

/// A node that serves the Engine API, and a client of it.
struct Served {
    node: Node,
    api: EngineApi,
    server: EngineApiHandle,
    secret: JwtSecret,
    client: reqwest::Client,
}

impl Served {
    async fn start(node: Node, pool: Option<TxPool>) -> Self {
        let secret = JwtSecret::random();
        let api = EngineApi::new(node.engine.clone(), pool, config());
        let mut eth = RpcModule::new(node.engine.database().clone());
        eth.register_method("eth_chainId", |_, database, _| format!("{:#x}", database.spec().chain_id()))
            .unwrap();
        let listen = ([127, 0, 0, 1], 0).into();
        let server =
            EngineApiServer::start(ServerConfig::new(listen, secret), api.clone(), eth).await.unwrap();
        Self { node, api, server, secret, client: reqwest::Client::new() }
    }

    async fn post(&self, token: Option<String>, method: &str, params: Value) -> reqwest::Response {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let mut request = self.client.post(format!("http://{}", self.server.address()));
        if let Some(token) = token {
            request = request.header("Authorization", token);
        }
        request.header("Content-Type", "application/json").body(body.to_string()).send().await.unwrap()
    }

    /// Calls a method with a fresh token; the answer has `result` or `error`.
    async fn call(&self, method: &str, params: Value) -> Value {
        let token = format!("Bearer {}", self.secret.encode(&Claims::default()).unwrap());
        let response = self.post(Some(token), method, params).await;
        assert_eq!(response.status(), 200);
        serde_json::from_str(&response.text().await.unwrap()).unwrap()
    }

    async fn result(&self, method: &str, params: Value) -> Value {
        let answer = self.call(method, params).await;
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    async fn error_code(&self, method: &str, params: Value) -> i64 {
        let answer = self.call(method, params).await;
        answer["error"]["code"].as_i64().unwrap_or_else(|| panic!("{method}: {answer}"))
    }

    async fn stop(self) {
        self.server.stop().await;
        drop(self.api);
        self.node.close();
    }
}

fn state(head: B256, safe: B256, finalized: B256) -> Value {
    json!({ "headBlockHash": head, "safeBlockHash": safe, "finalizedBlockHash": finalized })
}

/// Attributes of the block with this number, with the forced transactions of `node`.
fn attributes(node: &Node, number: u64, deposits: Vec<op_alloy_consensus::TxDeposit>, pool: bool) -> Value {
    let transactions = node.attributes(deposits).transactions.unwrap();
    json!({
        "timestamp": format!("{:#x}", GENESIS_TIME + 2 * number),
        "prevRandao": B256::with_last_byte(9),
        "suggestedFeeRecipient": address!("4200000000000000000000000000000000000011"),
        "withdrawals": [],
        "parentBeaconBlockRoot": B256::with_last_byte(2),
        "transactions": transactions,
        "noTxPool": !pool,
        "gasLimit": "0x1c9c380",
        "eip1559Params": B64::ZERO,
    })
}

/// `engine_newPayloadV4`'s parameters for what `engine_getPayloadV4` gave.
fn new_payload(envelope: &Value) -> Value {
    json!([envelope["executionPayload"], [], envelope["parentBeaconBlockRoot"], []])
}

fn hash_of(payload: &Value) -> B256 {
    payload["executionPayload"]["blockHash"].as_str().unwrap().parse().unwrap()
}

async fn build(served: &Served, head: B256, safe: B256, attributes: Value) -> Value {
    let params = json!([state(head, safe, B256::ZERO), attributes]);
    let updated = served.result("engine_forkchoiceUpdatedV3", params).await;
    assert_eq!(updated["payloadStatus"]["status"], "VALID", "{updated}");
    assert_eq!(updated["payloadStatus"]["latestValidHash"], json!(head));
    let id = updated["payloadId"].clone();
    assert!(id.as_str().unwrap().starts_with("0x03"), "{id}");
    served.result("engine_getPayloadV4", json!([id])).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_driver_builds_a_chain_that_another_engine_takes_payload_by_payload() {
    let (folder, other_folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let served = Served::start(Node::open(folder.path()), None).await;
    let other_node = Node::open(other_folder.path());
    let other = EngineApi::new(other_node.engine.clone(), None, config());
    let genesis = served.node.head().hash;
    let (mut head, mut safe) = (genesis, genesis);
    for number in 1..=12 {
        let wanted = attributes(&served.node, number, vec![mint(1, number)], false);
        let envelope = build(&served, head, safe, wanted).await;
        assert_eq!(envelope["executionPayload"]["transactions"].as_array().unwrap().len(), 2);
        assert_eq!(envelope["shouldOverrideBuilder"], false);
        let hash = hash_of(&envelope);
        let status = served.result("engine_newPayloadV4", new_payload(&envelope)).await;
        assert_eq!((&status["status"], &status["latestValidHash"]), (&json!("VALID"), &json!(hash)));
        assert_eq!(served.node.head().number, number - 1, "a payload alone moves nothing");
        let chosen = json!([state(hash, head, safe)]);
        let updated = served.result("engine_forkchoiceUpdatedV3", chosen.clone()).await;
        assert_eq!(updated["payloadStatus"]["status"], "VALID");
        assert_eq!(updated["payloadId"], Value::Null);

        let status = other.call("engine_newPayloadV4", new_payload(&envelope)).await;
        assert_eq!(status["result"]["status"], "VALID", "{status}");
        other.call("engine_forkchoiceUpdatedV3", chosen).await;
        (safe, head) = (head, hash);
    }
    let heads = served.node.engine.database().heads();
    assert_eq!((heads.latest.number, heads.safe.number, heads.finalized.number), (12, 11, 10));
    assert_eq!(other_node.engine.database().heads(), heads);
    assert_eq!(other_node.root(), served.node.root());

    let bodies = served.result("engine_getPayloadBodiesByRangeV1", json!(["0xb", "0x10"])).await;
    assert_eq!(bodies.as_array().unwrap().len(), 2, "as far as the chain goes");
    let by_hash = served.result("engine_getPayloadBodiesByHashV1", json!([[head, B256::ZERO]])).await;
    assert_eq!((&by_hash[0], &by_hash[1]), (&bodies[1], &Value::Null));
    assert_eq!(by_hash[0]["withdrawals"], json!([]));
    assert_eq!(served.error_code("engine_getPayloadBodiesByRangeV1", json!(["0x0", "0x1"])).await, -32602);
    assert_eq!(served.error_code("engine_getPayloadBodiesByRangeV1", json!(["0x1", "0x401"])).await, -38004);
    drop(other);
    other_node.close();
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_takes_the_pools_transactions_and_names_the_fees() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::open(folder.path());
    node.seal(vec![mint(1, 0), mint(2, 0)], vec![]).await;
    let pool = TxPool::new(PoolConfig::default(), node.engine.database().clone()).unwrap();
    for index in [1, 2] {
        pool.submit_recovered(tx(index, 1, Address::repeat_byte(0x77), 5, vec![])).unwrap();
    }
    let head = node.head().hash;
    let served = Served::start(node, Some(pool.clone())).await;
    let envelope = build(&served, head, head, attributes(&served.node, 2, vec![], true)).await;
    assert_eq!(envelope["executionPayload"]["transactions"].as_array().unwrap().len(), 3);
    let value: U256 = envelope["blockValue"].as_str().unwrap().parse().unwrap();
    assert_eq!(value, U256::from(2 * 21_000 * 1_000));
    let plain = build(&served, head, head, attributes(&served.node, 2, vec![], false)).await;
    assert_eq!(plain["executionPayload"]["transactions"].as_array().unwrap().len(), 1);
    drop(pool);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_payloads_are_invalid_and_unknown_parents_syncing() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(Node::open(folder.path()), None).await;
    let genesis = served.node.head().hash;
    let first = build(&served, genesis, genesis, attributes(&served.node, 1, vec![], false)).await;

    let mut misnamed = first.clone();
    misnamed["executionPayload"]["blockHash"] = json!(B256::repeat_byte(1));
    let status = served.result("engine_newPayloadV4", new_payload(&misnamed)).await;
    assert_eq!((&status["status"], &status["latestValidHash"]), (&json!("INVALID"), &Value::Null));

    let mut wrong_root = first.clone();
    wrong_root["executionPayload"]["stateRoot"] = json!(B256::repeat_byte(1));
    let status = served.result("engine_newPayloadV4", new_payload(&wrong_root)).await;
    assert_eq!(status["status"], "INVALID", "its hash is another now");
    // With the hash that fits the wrong root, the root itself is what is refused.
    let reason = status["validationError"].as_str().unwrap();
    let hash = reason.rsplit(' ').next().unwrap();
    wrong_root["executionPayload"]["blockHash"] = json!(hash);
    let status = served.result("engine_newPayloadV4", new_payload(&wrong_root)).await;
    assert_eq!((&status["status"], &status["latestValidHash"]), (&json!("INVALID"), &json!(genesis)));
    assert!(status["validationError"].as_str().unwrap().contains("stateRoot"), "{status}");
    let updated = served
        .result("engine_forkchoiceUpdatedV3", json!([state(hash.parse().unwrap(), genesis, genesis)]))
        .await;
    assert_eq!(updated["payloadStatus"]["status"], "INVALID");

    let mut garbage = first.clone();
    garbage["executionPayload"]["transactions"] = json!(["0xff00"]);
    let status = served.result("engine_newPayloadV4", new_payload(&garbage)).await;
    assert_eq!(status["status"], "INVALID");

    // The next block, which another node has built on the first.
    let other_folder = tempfile::tempdir().unwrap();
    let other = Served::start(Node::open(other_folder.path()), None).await;
    other.result("engine_newPayloadV4", new_payload(&first)).await;
    let second = build(&other, hash_of(&first), genesis, attributes(&other.node, 2, vec![], false)).await;
    let status = served.result("engine_newPayloadV4", new_payload(&second)).await;
    assert_eq!((&status["status"], &status["latestValidHash"]), (&json!("SYNCING"), &Value::Null));
    let updated = json!([state(hash_of(&second), genesis, genesis)]);
    let updated = served.result("engine_forkchoiceUpdatedV3", updated).await;
    assert_eq!(updated["payloadStatus"]["status"], "SYNCING");
    assert_eq!(served.node.head().number, 0);
    for envelope in [&first, &second] {
        let status = served.result("engine_newPayloadV4", new_payload(envelope)).await;
        assert_eq!(status["status"], "VALID");
    }
    other.stop().await;
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forkchoice_takes_the_chain_to_another_branch_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(Node::open(folder.path()), None).await;
    let genesis = served.node.head().hash;
    let mut tips = Vec::new();
    for salt in [10, 20] {
        let mut head = genesis;
        for number in 1..=3 {
            let wanted = attributes(&served.node, number, vec![mint(1, salt + number)], false);
            // Starting to build on an earlier block takes the chain back to it.
            let envelope = build(&served, head, genesis, wanted).await;
            served.result("engine_newPayloadV4", new_payload(&envelope)).await;
            head = hash_of(&envelope);
        }
        served.result("engine_forkchoiceUpdatedV3", json!([state(head, genesis, genesis)])).await;
        assert_eq!(served.node.head().hash, head);
        tips.push((head, served.node.root()));
    }
    for (head, root) in tips {
        let updated =
            served.result("engine_forkchoiceUpdatedV3", json!([state(head, genesis, genesis)])).await;
        assert_eq!(updated["payloadStatus"]["status"], "VALID");
        assert_eq!((served.node.head().hash, served.node.root()), (head, root));
    }
    served.node.engine.database().check().unwrap();
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_have_the_codes_of_the_specification() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(Node::open(folder.path()), None).await;
    let genesis = served.node.head().hash;
    let here = state(genesis, genesis, genesis);
    let good = attributes(&served.node, 1, vec![], false);
    let envelope = build(&served, genesis, genesis, good.clone()).await;

    assert_eq!(served.error_code("engine_getPayloadV4", json!(["0x0000000000000001"])).await, -38001);
    let stranger = json!([state(genesis, B256::repeat_byte(7), genesis)]);
    assert_eq!(served.error_code("engine_forkchoiceUpdatedV3", stranger).await, -38002);
    let without = |field: &str| {
        let mut attributes = good.clone();
        attributes.as_object_mut().unwrap().remove(field);
        json!([here, attributes])
    };
    for field in ["gasLimit", "withdrawals", "parentBeaconBlockRoot", "eip1559Params"] {
        let code = served.error_code("engine_forkchoiceUpdatedV3", without(field)).await;
        assert_eq!(code, -38003, "without {field}");
    }
    let mut late = good.clone();
    late["timestamp"] = json!("0x1");
    assert_eq!(served.error_code("engine_forkchoiceUpdatedV3", json!([here, late])).await, -38003);
    let mut forced = good.clone();
    forced["transactions"] = json!(["0xdead"]);
    assert_eq!(served.error_code("engine_forkchoiceUpdatedV3", json!([here, forced])).await, -38003);
    assert_eq!(
        served.error_code("engine_forkchoiceUpdatedV2", without("parentBeaconBlockRoot")).await,
        -38005
    );

    let (payload, root) = (&envelope["executionPayload"], &envelope["parentBeaconBlockRoot"]);
    assert_eq!(served.error_code("engine_newPayloadV3", json!([payload, [], root])).await, -38005);
    assert_eq!(served.error_code("engine_newPayloadV2", json!([payload])).await, -32602);
    assert_eq!(served.error_code("engine_newPayloadV4", json!([payload, [], root])).await, -32602);
    assert_eq!(
        served.error_code("engine_newPayloadV4", json!([payload, [], root, ["0x0001"]])).await,
        -32602
    );
    let mut bare = payload.clone();
    bare.as_object_mut().unwrap().remove("withdrawalsRoot");
    assert_eq!(served.error_code("engine_newPayloadV4", json!([bare, [], root, []])).await, -32602);
    assert_eq!(served.error_code("engine_newPayloadV9", json!([])).await, -32601);
    let blobs = served.result("engine_newPayloadV4", json!([payload, [B256::ZERO], root, []])).await;
    assert_eq!(blobs["status"], "INVALID");
    let zero =
        served.result("engine_forkchoiceUpdatedV3", json!([state(B256::ZERO, genesis, genesis)])).await;
    assert_eq!(zero["payloadStatus"]["status"], "INVALID");

    let capabilities = served.result("engine_exchangeCapabilities", json!([["engine_newPayloadV4"]])).await;
    assert!(capabilities.as_array().unwrap().contains(&json!("engine_getPayloadV4")));
    let version = served.result("engine_getClientVersionV1", json!([{ "code": "OP" }])).await;
    assert_eq!((&version[0]["code"], &version[0]["name"]), (&json!("OL"), &json!("OpenLedger")));
    assert_eq!(served.result("eth_chainId", json!([])).await, json!("0x141f"));
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_without_a_valid_token_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(Node::open(folder.path()), None).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let token = |secret: &JwtSecret, iat: u64| {
        format!("Bearer {}", secret.encode(&Claims { iat, exp: None }).unwrap())
    };
    let good = token(&served.secret, now);
    let unsigned = {
        let claims = good.split('.').nth(1).unwrap();
        // {"alg":"none"}
        format!("Bearer eyJhbGciOiJub25lIn0.{claims}.")
    };
    let bad = [
        None,
        Some(String::new()),
        Some("Bearer".to_owned()),
        Some("Bearer not.a.token".to_owned()),
        Some(format!("Basic {}", good.trim_start_matches("Bearer "))),
        Some(token(&JwtSecret::random(), now)),
        Some(token(&served.secret, now - 120)),
        Some(token(&served.secret, now + 120)),
        Some(unsigned),
    ];
    for token in bad {
        let response = served.post(token.clone(), "eth_chainId", json!([])).await;
        assert_eq!(response.status(), 401, "{token:?}");
        assert!(!response.text().await.unwrap().contains("0x141f"));
    }
    for iat in [now - 30, now, now + 30] {
        let response = served.post(Some(token(&served.secret, iat)), "eth_chainId", json!([])).await;
        assert_eq!(response.status(), 200);
    }
    served.stop().await;
}

#[test]
fn a_missing_secret_is_made_for_its_owner_alone_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys/jwt.hex");
    let secret = load_or_create_secret(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(load_or_create_secret(&path).unwrap(), secret);
    std::fs::write(&path, format!("0x{}\n", "ab".repeat(32))).unwrap();
    assert_eq!(load_or_create_secret(&path).unwrap().as_bytes(), &[0xab; 32]);
    std::fs::write(&path, "short").unwrap();
    let error = load_or_create_secret(&path).unwrap_err().to_string();
    assert!(error.contains("--authrpc.jwtsecret") && !error.contains("short"), "{error}");
}
