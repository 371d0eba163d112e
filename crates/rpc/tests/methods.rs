//! Each method over HTTP against a real chain, and its bad input.
#![allow(clippy::unwrap_used, missing_docs)]

mod chain;

use alloy_consensus::{BlockHeader, Header};
use alloy_eips::Encodable2718;
use alloy_primitives::{Address, B256, Bytes, U64, U256, keccak256};
use alloy_provider::{Provider, RootProvider};
use chain::{CHAIN_ID, Chain, LOGGER, REVERTER, signed, wallet};
use op_alloy_network::Optimism;
use openledger_rpc::{RpcConfig, RpcServer, RpcStartError, Submission};
use openledger_txpool::{PoolConfig, PoolError, TxPool};
use serde_json::{Value, json};

const NOBODY: Address = Address::repeat_byte(0x99);

#[tokio::test(flavor = "multi_thread")]
async fn transaction_goes_from_pool_to_block_and_is_found_everywhere() {
    let chain = Chain::start(|_| {}).await;
    let tx = signed(0, NOBODY, 5);
    let hash = chain.send(&tx).await;
    assert_eq!(hash, json!(tx.tx_hash()));
    let me = wallet().address();
    assert_eq!(chain.get("eth_getTransactionCount", json!([me, "latest"])).await, "0x0");
    assert_eq!(chain.get("eth_getTransactionCount", json!([me, "pending"])).await, "0x1");
    let pooled = chain.get("eth_getTransactionByHash", json!([hash])).await;
    assert_eq!((&pooled["blockHash"], &pooled["hash"]), (&Value::Null, &hash));
    assert_eq!(chain.get("txpool_status", json!([])).await, json!({ "pending": "0x1", "queued": "0x0" }));
    assert!(
        chain.get("txpool_content", json!([])).await["pending"][me.to_string().to_lowercase()]["0"]
            .is_object()
            || chain.get("txpool_content", json!([])).await["pending"][me.to_string()]["0"].is_object()
    );
    let (code, message) = chain.fail("eth_sendRawTransaction", json!([Bytes::from(tx.encoded_2718())])).await;
    assert_eq!((code, message.as_str()), (-32000, "already known"));

    let block_hash = chain.mine().await;
    assert_eq!(chain.get("eth_blockNumber", json!([])).await, "0x1");
    assert_eq!(chain.get("eth_getBalance", json!([NOBODY, "latest"])).await, "0x5");
    assert_eq!(chain.get("eth_getBalance", json!([NOBODY, "0x0"])).await, "0x0");
    assert_eq!(chain.get("eth_getTransactionCount", json!([me, "latest"])).await, "0x1");
    for (id, by) in [(json!("latest"), "Number"), (json!("0x1"), "Number"), (json!(block_hash), "Hash")] {
        let full = chain.get(&format!("eth_getBlockBy{by}"), json!([id, true])).await;
        assert_eq!(full["hash"], json!(block_hash));
        assert_eq!(full["transactions"][1]["hash"], hash);
        assert_eq!(full["transactions"][0]["type"], "0x7e");
        let hashes = chain.get(&format!("eth_getBlockBy{by}"), json!([id, false])).await;
        assert_eq!(hashes["transactions"][1], hash);
        assert_eq!(chain.get(&format!("eth_getBlockTransactionCountBy{by}"), json!([id])).await, "0x2");
        let one = chain.get(&format!("eth_getTransactionByBlock{by}AndIndex"), json!([id, "0x1"])).await;
        assert_eq!(one["hash"], hash);
    }
    let receipt = chain.get("eth_getTransactionReceipt", json!([hash])).await;
    assert_eq!(receipt["status"], "0x1");
    assert_eq!(receipt["gasUsed"], "0x5208");
    assert_eq!(receipt["l1BaseFeeScalar"], "0x3e8");
    assert_eq!(receipt["operatorFeeScalar"], "0x5");
    assert!(receipt["l1Fee"].is_string() && receipt["l1GasUsed"].is_string());
    let receipts = chain.get("eth_getBlockReceipts", json!(["latest"])).await;
    assert_eq!(receipts[1], receipt);
    assert!(receipts[0]["depositNonce"].is_string() && receipts[0].get("l1Fee").is_none());
    let raw = chain.get("eth_getRawTransactionByHash", json!([hash])).await;
    assert_eq!(raw, json!(Bytes::from(tx.encoded_2718())));
    assert_eq!(chain.get("debug_getRawTransaction", json!([hash])).await, raw);
    let (code, message) = chain.fail("eth_sendRawTransaction", json!([raw])).await;
    assert_eq!(code, -32000);
    assert!(message.starts_with("nonce too low"), "{message}");

    let trace = chain.get("debug_traceTransaction", json!([hash, { "tracer": "callTracer" }])).await;
    assert_eq!((&trace["type"], &trace["gasUsed"]), (&json!("CALL"), &json!("0x5208")));
    let header = chain.get("debug_getRawHeader", json!(["latest"])).await;
    let header: Bytes = serde_json::from_value(header).unwrap();
    assert_eq!(keccak256(header), block_hash);
    assert!(chain.get("debug_getRawBlock", json!(["latest"])).await.is_string());
    assert_eq!(chain.get("debug_getRawReceipts", json!(["latest"])).await.as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn alloys_provider_reads_the_chain() {
    let chain = Chain::start(|_| {}).await;
    let tx = signed(0, LOGGER, 0);
    chain.send(&tx).await;
    chain.mine().await;
    let provider = RootProvider::<Optimism>::new_http(chain.url().parse().unwrap());
    assert_eq!(provider.get_chain_id().await.unwrap(), CHAIN_ID);
    let block = provider.get_block_by_number(1.into()).full().await.unwrap().unwrap();
    assert_eq!(block.header.hash, block.header.inner.hash_slow());
    let header: &Header = &block.header.inner;
    assert_eq!(header.number(), 1);
    let receipt = provider.get_transaction_receipt(tx.tx_hash()).await.unwrap().unwrap();
    assert_eq!(receipt.inner.inner.receipt.as_receipt().logs.len(), 1);
    let proof = provider.get_proof(LOGGER, vec![B256::ZERO]).block_id(0.into()).await.unwrap();
    assert_eq!(proof.code_hash, keccak256([0x60, 0x2a, 0x5f, 0x5f, 0xa1, 0x00]));
    assert!(!proof.account_proof.is_empty());
    let fees = provider.estimate_eip1559_fees().await.unwrap();
    assert!(fees.max_fee_per_gas > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_and_estimates_answer_as_geth() {
    let chain = Chain::start(|_| {}).await;
    let me = wallet().address();
    assert_eq!(chain.get("eth_call", json!([{ "to": LOGGER }, "latest"])).await, "0x");
    let answer = chain.ask("eth_call", json!([{ "to": REVERTER }])).await;
    assert_eq!(answer["error"]["code"], 3);
    assert_eq!(answer["error"]["message"], "execution reverted: no");
    assert!(answer["error"]["data"].as_str().unwrap().starts_with("0x08c379a0"));
    let answer = chain.ask("eth_estimateGas", json!([{ "from": me, "to": REVERTER }])).await;
    assert_eq!(answer["error"]["code"], 3);
    // A contract as sender, and code and block overrides.
    let code = "0x42" /* TIMESTAMP */
        .to_owned()
        + "5f5260205ff3";
    let overridden = json!([{ "from": LOGGER, "to": NOBODY }, "latest", { NOBODY.to_string(): { "code": code } }, { "time": "0x7b" }]);
    let result = chain.get("eth_call", overridden).await;
    assert_eq!(result, json!(B256::from(U256::from(123))));

    let transfer = json!([{ "from": me, "to": NOBODY, "value": "0x1" }]);
    assert_eq!(chain.get("eth_estimateGas", transfer).await, "0x5208");
    let estimate = chain.get("eth_estimateGas", json!([{ "from": me, "to": LOGGER }])).await;
    let estimate: U64 = serde_json::from_value(estimate).unwrap();
    assert!((21_750..22_500).contains(&estimate.to::<u64>()), "{estimate}");
    let (_, message) = chain.fail("eth_call", json!([{ "from": NOBODY, "to": me, "value": "0x1" }])).await;
    assert!(message.contains("funds"), "{message}");
    let list = chain.get("eth_createAccessList", json!([{ "from": me, "to": LOGGER }])).await;
    assert!(list["accessList"].is_array() && list["gasUsed"].is_string());
    let trace = chain.get("debug_traceCall", json!([{ "to": LOGGER }, "latest", {}])).await;
    assert_eq!(trace["structLogs"].as_array().unwrap().len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn removed_logs_reach_filters_after_a_reorganisation() {
    let chain = Chain::start(|_| {}).await;
    let logs = chain.get("eth_newFilter", json!([{ "address": LOGGER }])).await;
    let blocks = chain.get("eth_newBlockFilter", json!([])).await;
    let pending = chain.get("eth_newPendingTransactionFilter", json!([])).await;
    let hash = chain.send(&signed(0, LOGGER, 0)).await;
    let block_hash = chain.mine().await;
    let changes = poll(&chain, &logs).await;
    assert_eq!(changes[0]["transactionHash"], hash);
    assert_eq!(changes[0]["removed"], false);
    assert_eq!(chain.get("eth_getFilterChanges", json!([blocks])).await, json!([block_hash]));
    assert_eq!(chain.get("eth_getFilterChanges", json!([pending])).await, json!([hash]));
    let topic = B256::from(U256::from(0x2a));
    let found = chain.get("eth_getLogs", json!([{ "fromBlock": "0x0", "topics": [topic] }])).await;
    assert_eq!(found.as_array().unwrap().len(), 1);
    assert_eq!(chain.get("eth_getFilterLogs", json!([logs])).await, found);
    assert_eq!(chain.get("eth_getLogs", json!([{ "blockHash": block_hash }])).await, found);
    let none = chain.get("eth_getLogs", json!([{ "fromBlock": "0x0", "address": NOBODY }])).await;
    assert_eq!(none, json!([]));

    chain.unwind().await;
    let changes = poll(&chain, &logs).await;
    assert_eq!(changes[0]["transactionHash"], hash);
    assert_eq!(changes[0]["removed"], true);
    assert_eq!(chain.get("eth_blockNumber", json!([])).await, "0x0");
    assert_eq!(chain.get("eth_getTransactionReceipt", json!([hash])).await, Value::Null);
    assert_eq!(chain.get("txpool_status", json!([])).await["pending"], "0x1");
    chain.mine().await;
    assert_eq!(poll(&chain, &logs).await[0]["removed"], false);

    assert_eq!(chain.get("eth_uninstallFilter", json!([logs])).await, true);
    assert_eq!(chain.fail("eth_getFilterChanges", json!([logs])).await.0, -32000);
}

async fn poll(chain: &Chain, filter: &Value) -> Value {
    for _ in 0..100 {
        let changes = chain.get("eth_getFilterChanges", json!([filter])).await;
        if changes != json!([]) {
            return changes;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the filter saw no change");
}

#[tokio::test(flavor = "multi_thread")]
async fn output_root_commits_to_state_withdrawals_and_block() {
    let chain = Chain::start(|_| {}).await;
    let hash = chain.mine().await;
    let output = chain.get("optimism_outputAtBlock", json!(["0x1"])).await;
    let root = |name: &str| serde_json::from_value::<B256>(output[name].clone()).unwrap();
    let preimage = [B256::ZERO, root("stateRoot"), root("withdrawalStorageRoot"), hash].concat();
    assert_eq!(root("outputRoot"), keccak256(preimage));
    assert_eq!(output["blockRef"]["l1origin"]["number"], 100);
    assert_eq!(output["syncStatus"]["unsafe_l2"]["number"], 1);
    assert_eq!(output["syncStatus"]["safe_l2"]["number"], 0);
    assert_eq!(chain.fail("optimism_rollupConfig", json!([])).await.0, -32004);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_gets_the_standard_code() {
    let chain = Chain::start(|config| {
        config.submission = Submission::Refuse;
        config.max_batch = 2;
    })
    .await;
    for (method, params, code) in [
        ("eth_noSuchMethod", json!([]), -32601),
        ("eth_getBalance", json!([]), -32602),
        ("eth_getBalance", json!(["0x12", "latest"]), -32602),
        ("eth_getBalance", json!([NOBODY, "0x99"]), -32000),
        ("eth_getProof", json!([NOBODY, vec!["0x0"; 2000], "latest"]), -32005),
        ("eth_getLogs", json!([{ "fromBlock": "0x2", "toBlock": "0x1" }]), -32602),
        ("eth_feeHistory", json!(["0x1", "latest", [50, 10]]), -32602),
        ("eth_feeHistory", json!(["0x1", "latest", [101]]), -32602),
        ("eth_call", json!([{ "to": NOBODY, "chainId": "0x1" }]), -32602),
        ("eth_getFilterChanges", json!(["0x1"]), -32000),
        ("debug_traceTransaction", json!([B256::ZERO]), -32000),
        ("optimism_outputAtBlock", json!(["0x99"]), -32000),
        ("eth_sendRawTransaction", json!(["0x02"]), -32004),
    ] {
        let (found, message) = chain.fail(method, params).await;
        assert_eq!(found, code, "{method}: {message}");
    }
    assert_eq!(chain.get("eth_getBlockByNumber", json!(["0x99", false])).await, Value::Null);
    for (method, answer) in [
        ("net_version", json!(CHAIN_ID.to_string())),
        ("eth_chainId", json!("0x141e")),
        ("eth_syncing", json!(false)),
        ("eth_accounts", json!([])),
        ("net_listening", json!(true)),
        ("net_peerCount", json!("0x0")),
        ("eth_blobBaseFee", json!("0x1")),
    ] {
        assert_eq!(chain.get(method, json!([])).await, answer, "{method}");
    }
    let sha = chain.get("web3_sha3", json!(["0x"])).await;
    assert_eq!(sha, json!(keccak256([])));
    let history = chain.get("eth_feeHistory", json!(["0x5", "latest", [10, 90]])).await;
    assert_eq!(history["baseFeePerGas"].as_array().unwrap().len(), 2);
    let one = json!({ "jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": [] });
    let batch = chain.client.post(chain.url()).json(&json!([one, one, one])).send().await.unwrap();
    assert!(batch.text().await.unwrap().contains("error"));
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_are_forwarded_to_the_sequencer_and_its_refusals_come_back() {
    let sequencer = Chain::start(|_| {}).await;
    let url = sequencer.url();
    let follower = Chain::start(|config| config.submission = Submission::Forward(url)).await;
    let tx = signed(0, NOBODY, 1);
    assert_eq!(follower.send(&tx).await, json!(tx.tx_hash()));
    assert!(sequencer.pool.get(&tx.tx_hash()).is_some());
    let (code, message) =
        follower.fail("eth_sendRawTransaction", json!([Bytes::from(tx.encoded_2718())])).await;
    assert_eq!((code, message.as_str()), (-32000, "already known"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_transactions_is_answered_one_by_one_in_its_order() {
    let chain = Chain::start(|config| config.max_batch = 10).await;
    let raw = |nonce| Bytes::from(signed(nonce, NOBODY, 1).encoded_2718());
    let call = |id: usize, method: &str, param: Value| json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": [param] });
    let post = async |calls: Vec<Value>| {
        let answer = chain.client.post(chain.url()).json(&calls).send().await.unwrap();
        answer.json::<Vec<Value>>().await.unwrap()
    };
    let send = "eth_sendRawTransaction";
    let (one, zero) = (json!(raw(1)), json!(raw(0)));
    let answers = post(vec![
        call(7, send, one.clone()),
        call(8, send, json!("0x02c0")),
        call(9, send, zero),
        call(10, send, one.clone()),
    ])
    .await;
    let ids: Vec<_> = answers.iter().map(|answer| answer["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, [7, 8, 9, 10]);
    assert_eq!(answers[0]["result"], json!(signed(1, NOBODY, 1).tx_hash()));
    assert!(answers[1]["error"]["message"].as_str().unwrap().starts_with("rlp: "), "{}", answers[1]);
    assert_eq!(answers[2]["result"], json!(signed(0, NOBODY, 1).tx_hash()));
    assert_eq!(answers[3]["error"]["message"], "already known");
    assert_eq!(chain.pool.counts(), (2, 0));
    // What is not nothing but transactions is answered all the same.
    let mixed =
        post(vec![call(1, send, json!(raw(2))), call(2, send, json!("no hex")), call(3, "x", one)]).await;
    assert_eq!(mixed[0]["result"], json!(signed(2, NOBODY, 1).tx_hash()));
    assert_eq!((&mixed[1]["error"]["code"], &mixed[2]["error"]["code"]), (&json!(-32602), &json!(-32601)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_taken_as_its_transactions_one_by_one_would_be_limits_included() {
    let chain = Chain::start(|_| {}).await;
    let limits = PoolConfig { max_per_sender: 3, ..PoolConfig::default() };
    let open = || TxPool::new(limits.clone(), chain.engine.database().clone()).unwrap();
    let (together, apart) = (open(), open());
    let raw = |nonce, value| signed(nonce, NOBODY, value).encoded_2718();
    let mut without_sender = raw(5, 1);
    let r = without_sender.len() - 65;
    without_sender[r..r + 32].fill(0xff);
    let batch = vec![
        raw(0, 1),
        without_sender,
        vec![0x02, 0xc0],
        raw(2, 1),
        raw(0, 1),
        raw(0, 2),
        Vec::new(),
        raw(1, 1),
        raw(3, 1),
        raw(4, u64::MAX),
    ];
    let answers = together.submit_all(batch.clone()).await.unwrap();
    let mut expected = Vec::new();
    for one in batch {
        expected.push(apart.submit(one).await);
    }
    assert_eq!(format!("{answers:?}"), format!("{expected:?}"));
    let taken: Vec<_> = answers.iter().map(Result::is_ok).collect();
    assert_eq!(taken, [true, false, false, true, false, false, false, true, false, false]);
    assert!(matches!(answers[1], Err(PoolError::InvalidSignature)), "{:?}", answers[1]);
    assert!(matches!(answers[8], Err(PoolError::SenderFull { limit: 3 })), "{:?}", answers[8]);
    assert_eq!((together.counts(), apart.counts()), ((3, 0), (3, 0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn taken_port_is_reported_with_its_flag() {
    let chain = Chain::start(|_| {}).await;
    let config = RpcConfig { http: chain.server.http_addr(), ws: None, ..RpcConfig::default() };
    let deps = openledger_rpc::RpcDeps {
        database: chain.engine.database().clone(),
        pool: chain.pool.clone(),
        rollup: None,
        head_moved: chain.head_moved.clone(),
    };
    let error = RpcServer::start(config, deps).await.unwrap_err();
    assert!(matches!(error, RpcStartError::AddressInUse { flag: "--http.port", .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_tell_heads_and_pending_transactions() {
    let chain = Chain::start(|_| {}).await;
    let url = format!("ws://{}", chain.server.ws_addr().unwrap());
    let provider = RootProvider::<Optimism>::connect(&url).await.unwrap();
    let mut heads = provider.subscribe_blocks().await.unwrap();
    let mut pending = provider.subscribe_pending_transactions().await.unwrap();
    let filter = alloy_rpc_types_eth::Filter::new().address(LOGGER);
    let mut logs = provider.subscribe_logs(&filter).await.unwrap();
    let tx = signed(0, LOGGER, 0);
    chain.send(&tx).await;
    assert_eq!(pending.recv().await.unwrap(), tx.tx_hash());
    let hash = chain.mine().await;
    assert_eq!(heads.recv().await.unwrap().hash, hash);
    assert_eq!(logs.recv().await.unwrap().transaction_hash, Some(tx.tx_hash()));
    chain.unwind().await;
    assert!(logs.recv().await.unwrap().removed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_that_replaces_one_told_to_nobody_is_told() {
    let chain = Chain::start(|_| {}).await;
    for _ in 0..3 {
        chain.mine().await;
    }
    let url = format!("ws://{}", chain.server.ws_addr().unwrap());
    let provider = RootProvider::<Optimism>::connect(&url).await.unwrap();
    let mut heads = provider.subscribe_blocks().await.unwrap();
    // Long enough for the feed to have seen the third block without telling of it.
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let hash = chain.engine.database().hash_of(2).unwrap().unwrap();
    chain.engine.reorg_to(alloy_eips::BlockNumHash { number: 2, hash }).await.unwrap();
    chain.send(&signed(0, NOBODY, 1)).await;
    let replacement = chain.mine().await;
    let told = async { while heads.recv().await.unwrap().hash != replacement {} };
    tokio::time::timeout(std::time::Duration::from_secs(30), told).await.unwrap();
}
