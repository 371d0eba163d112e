//! A real chain in a temporary folder: storage, engine, pool and server.
#![allow(dead_code, unreachable_pub)]

use std::sync::Arc;

use alloy_consensus::{
    SignableTransaction, TxEip1559,
    transaction::{Recovered, SignerRecoverable},
};
use alloy_eips::Encodable2718;
use alloy_primitives::{Address, B64, B256, Bytes, TxKind, U256, address, hex};
use alloy_rpc_types_engine::PayloadAttributes;
use alloy_signer::SignerSync;
use alloy_signer_local::PrivateKeySigner;
use op_alloy_consensus::TxDeposit;
use op_alloy_rpc_types_engine::OpPayloadAttributes;
use openledger_chainspec::ChainSpec;
use openledger_engine::{ChainEvent, Engine, EngineConfig, EngineHandle, EngineThread};
use openledger_primitives::OpenTxEnvelope;
use openledger_rpc::{RpcConfig, RpcDeps, RpcHandle, RpcServer};
use openledger_storage::Database;
use openledger_txpool::{PoolConfig, TxPool};
use serde_json::{Value, json};
use tokio::sync::Notify;

pub const CHAIN_ID: u64 = 5150;
/// Emits one log with topic 0x2a.
pub const LOGGER: Address = address!("00000000000000000000000000000000000bea01");
/// Reverts with `Error("no")`.
pub const REVERTER: Address = address!("00000000000000000000000000000000000bea02");

pub struct Chain {
    pub engine: EngineHandle,
    _engine_end: EngineEnd,
    pub pool: TxPool,
    pub server: RpcHandle,
    pub head_moved: Arc<Notify>,
    pub client: reqwest::Client,
    _folder: tempfile::TempDir,
}

/// Waits for the engine's thread, so that it does not close the database while the process ends. Declared after the
/// handle, it is dropped after it.
struct EngineEnd(Option<EngineThread>);

impl Drop for EngineEnd {
    fn drop(&mut self) {
        if let Some(thread) = self.0.take() {
            thread.join();
        }
    }
}

pub fn wallet() -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&B256::repeat_byte(1)).unwrap()
}

pub fn signed(nonce: u64, to: Address, value: u64) -> OpenTxEnvelope {
    let tx = TxEip1559 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit: 100_000,
        max_fee_per_gas: 5_000_000_000,
        max_priority_fee_per_gas: 1_000_000,
        to: TxKind::Call(to),
        value: U256::from(value),
        ..TxEip1559::default()
    };
    let signature = wallet().sign_hash_sync(&tx.signature_hash()).unwrap();
    tx.into_signed(signature).into()
}

fn attributes_calldata(l1_number: u64) -> Bytes {
    let mut data = hex!("098999be").to_vec();
    data.extend(1_000u32.to_be_bytes());
    data.extend(2_000u32.to_be_bytes());
    data.extend(3u64.to_be_bytes());
    data.extend(1_700_000_000u64.to_be_bytes());
    data.extend(l1_number.to_be_bytes());
    data.extend(U256::from(9_000_000_000u64).to_be_bytes::<32>());
    data.extend(U256::from(4u64).to_be_bytes::<32>());
    data.extend(B256::repeat_byte(0x11));
    data.extend(B256::repeat_byte(0x22));
    data.extend(5u32.to_be_bytes());
    data.extend(6u64.to_be_bytes());
    data.into()
}

impl Chain {
    pub async fn start(change: impl FnOnce(&mut RpcConfig)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let revert = hex!(
            "7f08c379a000000000000000000000000000000000000000000000000000000000"
            "5f52602060045260026024527f6e6f00000000000000000000000000000000000000000000000000000000000060445260645ffd"
        );
        let genesis = json!({
            "config": { "chainId": CHAIN_ID, "optimism": {
                "eip1559Elasticity": 6, "eip1559Denominator": 50, "eip1559DenominatorCanyon": 250
            } },
            "timestamp": "0x65000000", "gasLimit": "0x1c9c380", "difficulty": "0x0",
            "alloc": {
                wallet().address().to_string(): { "balance": "0x56bc75e2d63100000" },
                LOGGER.to_string(): { "balance": "0x0", "nonce": "0x1", "code": "0x602a5f5fa100" },
                REVERTER.to_string(): { "balance": "0x0", "nonce": "0x1", "code": hex::encode_prefixed(revert) },
            },
            "baseFeePerGas": "0x3b9aca00"
        });
        let spec = Arc::new(ChainSpec::from_json(&genesis.to_string()).unwrap());
        let database = Database::open(folder.path(), spec).unwrap();
        let (engine, thread) = Engine::spawn(database.clone(), EngineConfig::default()).unwrap();
        let pool = TxPool::new(PoolConfig::default(), database.clone()).unwrap();
        let head_moved = Arc::new(Notify::new());
        let mut config = RpcConfig {
            http: Some(([127, 0, 0, 1], 0).into()),
            ws: Some(([127, 0, 0, 1], 0).into()),
            ..RpcConfig::default()
        };
        change(&mut config);
        let deps = RpcDeps { database, pool: pool.clone(), rollup: None, head_moved: head_moved.clone() };
        let server = RpcServer::start(config, deps).await.unwrap();
        let client = reqwest::Client::new();
        Self {
            engine,
            _engine_end: EngineEnd(Some(thread)),
            pool,
            server,
            head_moved,
            client,
            _folder: folder,
        }
    }

    /// Builds, inserts and announces a block with what the pool has.
    pub async fn mine(&self) -> B256 {
        let database = self.engine.database();
        let latest = database.heads().latest;
        let parent = database.header_by_number(latest.number).unwrap().unwrap();
        let deposit = TxDeposit {
            source_hash: B256::from(U256::from(latest.number)),
            from: address!("deaddeaddeaddeaddeaddeaddeaddeaddead0001"),
            to: TxKind::Call(address!("4200000000000000000000000000000000000015")),
            gas_limit: 1_000_000,
            input: attributes_calldata(100 + latest.number),
            ..TxDeposit::default()
        };
        let attributes = OpPayloadAttributes {
            payload_attributes: PayloadAttributes {
                timestamp: parent.timestamp + 2,
                withdrawals: Some(Vec::new()),
                parent_beacon_block_root: Some(B256::repeat_byte(1)),
                ..PayloadAttributes::default()
            },
            transactions: Some(vec![deposit.encoded_2718().into()]),
            gas_limit: Some(30_000_000),
            eip_1559_params: Some(B64::ZERO),
            ..OpPayloadAttributes::default()
        };
        let base_fee = database.spec().next_base_fee(&parent);
        let best = self.pool.best(base_fee, 30_000_000, 1000);
        let built = self.engine.build(latest.hash, attributes, best).await.unwrap();
        assert!(built.skipped.is_empty(), "{:?}", built.skipped);
        let hash = built.hash;
        self.engine.insert(built.block).await.unwrap();
        self.pool.on_new_block().await.unwrap();
        self.head_moved.notify_one();
        hash
    }

    /// Takes back the latest block and gives its transactions to the pool.
    pub async fn unwind(&self) {
        let mut events = self.engine.subscribe();
        let database = self.engine.database();
        let number = database.heads().latest.number - 1;
        let hash = database.hash_of(number).unwrap().unwrap();
        self.engine.reorg_to(alloy_eips::BlockNumHash { number, hash }).await.unwrap();
        loop {
            if let ChainEvent::Unwound { dropped, .. } = events.recv().await.unwrap() {
                let all = dropped.iter().flat_map(|block| block.body.transactions.clone());
                let recovered = all.filter(|one| !one.is_deposit()).map(|one| {
                    let sender = one.recover_signer().unwrap();
                    Recovered::new_unchecked(one, sender)
                });
                self.pool.on_unwound(recovered.collect()).await.unwrap();
                self.head_moved.notify_one();
                return;
            }
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.server.http_addr().unwrap())
    }

    /// One request: the whole answer.
    pub async fn ask(&self, method: &str, params: Value) -> Value {
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let answer = self.client.post(self.url()).json(&request).send().await.unwrap();
        answer.json().await.unwrap()
    }

    /// One request that must succeed: its result.
    pub async fn get(&self, method: &str, params: Value) -> Value {
        let answer = self.ask(method, params).await;
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// One request that must fail: its code and message.
    pub async fn fail(&self, method: &str, params: Value) -> (i64, String) {
        let answer = self.ask(method, params).await;
        let error = &answer["error"];
        assert!(error.is_object(), "{method}: {answer}");
        (error["code"].as_i64().unwrap(), error["message"].as_str().unwrap().to_owned())
    }

    pub async fn send(&self, tx: &OpenTxEnvelope) -> Value {
        self.get("eth_sendRawTransaction", json!([Bytes::from(tx.encoded_2718())])).await
    }
}
